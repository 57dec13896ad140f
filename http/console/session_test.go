package console

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (w *world) someSession() session {
	now := w.clock()
	return session{Token: "clw_x", ID: "tk_x", Member: "mb_ada", Secret: newSecret(), Seen: now, Expires: now.Add(lastsFor)}
}

func TestSessionsComeBackAsSealed(t *testing.T) {
	w := newWorld(t)
	want := w.someSession()
	text, err := w.console.sealed("session", "acme", want)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "clw_x") {
		t.Errorf("the token stands in the cookie: %s", text)
	}
	got, err := w.console.openSession("acme", text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("opened session (-want +got):\n%s", diff)
	}
}

func TestSessionsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*session)
		after  time.Duration
		want   error
	}{
		"used a moment ago":            {nil, idleFor - time.Second, nil},
		"not used for half an hour":    {nil, idleFor, errIdle},
		"in use until its end":         {func(s *session) { s.Seen = day.Add(lastsFor) }, lastsFor - time.Second, nil},
		"in use, but twelve hours old": {func(s *session) { s.Seen = day.Add(lastsFor) }, lastsFor, errExpired},
		"used in the future":           {func(s *session) { s.Seen = day.Add(skew + time.Second) }, 0, errBadCookie},
		"of a replica a little ahead":  {func(s *session) { s.Seen = day.Add(skew) }, 0, nil},
		"without a token":              {func(s *session) { s.Token = "" }, 0, errBadCookie},
		"without a member":             {func(s *session) { s.Member = "" }, 0, errBadCookie},
		"with a short secret":          {func(s *session) { s.Secret = s.Secret[:31] }, 0, errBadCookie},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.someSession()
			if c.change != nil {
				c.change(&s)
			}
			text, err := w.console.sealed("session", "acme", s)
			if err != nil {
				t.Fatal(err)
			}
			w.advance(c.after)
			if _, err := w.console.openSession("acme", text); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestEveryBitOfACookieCounts flips each one.
func TestEveryBitOfACookieCounts(t *testing.T) {
	w := newWorld(t)
	text, err := w.console.sealed("session", "acme", w.someSession())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if _, err := w.console.openSession("acme", base64.RawURLEncoding.EncodeToString(raw)); err == nil {
			t.Fatalf("opened with bit %d flipped", i)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	if _, err := w.console.openSession("acme", text[:len(text)-2]); err == nil {
		t.Error("opened without its last bytes")
	}
}

func TestCookiesBelongToOnePlace(t *testing.T) {
	w := newWorld(t)
	text, err := w.console.sealed("session", "acme", w.someSession())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.console.openSession("globex", text); !errors.Is(err, errBadCookie) {
		t.Errorf("a cookie of acme opened for globex: %v", err)
	}
	var f flash
	if err := w.console.opened("flash", "acme", text, &f); !errors.Is(err, errBadCookie) {
		t.Errorf("a session opened as something else: %v", err)
	}
	other, err := New(Config{API: w.api, Key: [32]byte{9}, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.openSession("acme", text); !errors.Is(err, errBadCookie) {
		t.Errorf("a cookie opened under another key: %v", err)
	}
}

func FuzzOpenSession(f *testing.F) {
	// A key of this process alone, so that nobody else's seeds open.
	c, err := New(Config{API: http.NotFoundHandler(), Key: [32]byte(newSecret()), Now: func() time.Time { return day }})
	if err != nil {
		f.Fatal(err)
	}
	good, err := c.sealed("session", "acme", session{Token: "t", ID: "i", Member: "m", Secret: newSecret(), Seen: day, Expires: day.Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good[1:], good + "A", "", "AQ", "Ag", strings.Repeat("A", 5000), "not base64!"} {
		f.Add("acme", seed)
	}
	f.Fuzz(func(t *testing.T, ws, text string) {
		s, err := c.openSession(ws, text)
		if (ws != "acme" || text != good) && err == nil {
			t.Errorf("opened %q for %q, which nobody sealed: %+v", text, ws, s)
		}
		if err != nil && !errors.Is(err, errIdle) && !errors.Is(err, errExpired) && s.Token != "" {
			t.Errorf("a refused cookie answered a session: %+v", s)
		}
	})
}
