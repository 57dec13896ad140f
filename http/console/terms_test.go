package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/projections/search/query" // what the language really is; the console itself only asks the API
)

func TestPlainTerms(t *testing.T) {
	for text, want := range map[string]string{ // text -> name=value of the parameter, "" for words
		"outcome:denied":             "outcome=denied",
		"outcome:denied,failed":      "outcome=denied,failed",
		"-model:gpt-4o":              "-model=gpt-4o",
		"action:payment.*":           "action=payment.*",
		"action:*":                   "action=*",
		"actor:agent:ag_7c1k":        "actor=agent:ag_7c1k",
		"stream:acme/budget-book":    "stream=acme/budget-book",
		"cost>5":                     "cost=>5",
		"cost>=0.25":                 "cost=>=0.25",
		"cost:5":                     "cost=5",
		"cost=5":                     "cost=5",
		"tokens:<=500":               "tokens=<=500",
		"-position<12":               "-position=<12",
		"severity>=high":             "severity=>=high",
		"after:7d":                   "after=7d",
		"before:2026-11-01":          "before=2026-11-01",
		"after:2026-11-01T10:30":     "after=2026-11-01T10:30",
		"after:2026-11-01T10:30:00Z": "after=2026-11-01T10:30:00Z",

		"invoice":                          "",
		"-invoice":                         "",
		`"quarterly invoice"`:              "",
		"text:invoice":                     "",
		"-text:invoice":                    "",
		`outcome:"denied"`:                 "",
		"actor:jane@example.com":           "",
		"actor:jane!":                      "",
		"actor:größe":                      "",
		"outcome:denied,":                  "",
		"outcome:":                         "",
		"outcome>denied":                   "",
		"Outcome:denied":                   "",
		"flavour:sweet":                    "",
		"after:secret":                     "",
		"after:2026-11-01-secret":          "",
		"cost>secret":                      "",
		"cost:>>5":                         "",
		"cost>>5":                          "",
		"--outcome:denied":                 "",
		"after>7d":                         "",
		"type:a*b":                         "",
		"from:2026-11-01":                  "",
		"q:secret":                         "",
		"saved:ss_1":                       "",
		"type:" + strings.Repeat("a", 129): "",
	} {
		p := newPiece(text)
		got := ""
		if p.plain {
			got = p.param + "=" + p.value
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                        nil,
		"  outcome:denied \t invoice\n":           {"outcome:denied", "invoice"},
		`text:"two words" -"a \" b" x`:            {`text:"two words"`, `-"a \" b"`, "x"},
		`"never closed and on`:                    {`"never closed and on`},
		`workflow:a,"b c",d cost:>5`:              {`workflow:a,"b c",d`, "cost>5"},
		"a\u00a0b":                                {"a", "b"},
		`"ends in a backslash \`:                  {`"ends in a backslash \`},
		"actor:\xff\xfe outcome:denied":           {"actor:\xff\xfe", "outcome:denied"},
		"outcome:denied outcome:denied after:24h": {"outcome:denied", "outcome:denied", "after:24h"},
	} {
		var got []string
		for _, p := range split(text) {
			got = append(got, p.Text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestTermsOfValues(t *testing.T) {
	for value, want := range map[string]string{"denied": "outcome:denied", "a b": `outcome:"a b"`, `say "\"`: `outcome:"say \"\\\""`, "a*": `outcome:"a*"`, "a,b": `outcome:"a,b"`, "": `outcome:""`} {
		p := term("outcome", value)
		if p.Text != want {
			t.Errorf("%q is asked for by %s, want %s", value, p.Text, want)
		}
		if got := p.not().not(); got != p {
			t.Errorf("the opposite of the opposite of %s is %s", p.Text, got.Text)
		}
		if _, err := query.Parse(p.Text); err != nil {
			t.Errorf("%s: %v", p.Text, err)
		}
	}
}

// TestNamesOfTheLanguage fails when the language gets a field that the console
// would take for words.
func TestNamesOfTheLanguage(t *testing.T) {
	got := append(slices.Concat(fieldNames, measureNames, boundNames), "text")
	want := query.Names()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExamplesAreQueries(t *testing.T) {
	for _, example := range searchExamples {
		if _, err := query.Parse(example[0]); err != nil {
			t.Errorf("%s: %v", example[0], err)
		}
	}
}

// FuzzWordsHaveNoAddress holds the splitter to its promise: what has an address
// has no words in it, for the ledger's own parser, and says the same as a query
// and as parameters.
func FuzzWordsHaveNoAddress(f *testing.F) {
	for _, seed := range []string{"", "invoice", `outcome:denied text:"quarterly invoice"`, "outcome:denied -model:gpt-4o cost>5 after:24h", "after:2026-11-01T10:30:00+02:00",
		`a"b c"d`, "-", "--x:y", "actor:a,b*,* cost:>=1.5", "\xffoutcome:denied", "outcome:denied\u2028secret", `outcome:\"x`, "severity>=high position<12", "stream:acme/x?y=z&text=secret"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pieces := split(text)
		again := split(queryOf(pieces))
		if diff := cmp.Diff(pieces, again, cmp.AllowUnexported(piece{})); diff != "" {
			t.Fatalf("split again: %s", diff)
		}
		for _, p := range pieces {
			if !p.plain {
				continue
			}
			if strings.ContainsFunc(p.Text, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune(`"\?&#%@'`, r) }) {
				t.Fatalf("%q is plain", p.Text)
			}
			if got := parameter(p.param, p.value); got != p {
				t.Fatalf("%+v comes back as %+v", p, got)
			}
			typed, err := query.Parse(p.Text)
			params, err2 := query.FromParams(url.Values{p.param: {p.value}})
			if (err == nil) != (err2 == nil) || err == nil && typed.String() != params.String() {
				t.Fatalf("%s is %q (%v) as a query and %q (%v) as %s=%s", p.Text, typed, err, params, err2, p.param, p.value)
			}
		}
		address := links("/console/acme").askURL(ask{pieces: pieces})
		if !allPlain(pieces) {
			if address != "" {
				t.Fatalf("%q has the address %s", text, address)
			}
			return
		}
		if q, err := query.Parse(text); err == nil {
			if with, without := q.Phrases(); len(with)+len(without) > 0 {
				t.Fatalf("%q has words and the address %s", text, address)
			}
		}
		_, raw, _ := strings.Cut(address, "?")
		back, err := askOf(raw)
		if err != nil {
			t.Fatalf("%s can't be read: %v", address, err)
		}
		want := ask{pieces: pieces}.settle()
		if back.query() != want.query() {
			t.Fatalf("%s asks for %q, want %q", address, back.query(), want.query())
		}
	})
}

func TestAddresses(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		ask  ask
		want string
	}{
		{ask{}, "/console/acme/search"},
		{ask{pieces: split("outcome:denied action:payment.* -model:gpt-4o cost>5")}, "/console/acme/search?outcome=denied&action=payment.*&-model=gpt-4o&cost=%3E5"},
		{ask{pieces: split("outcome:denied"), ago: "24h", order: "oldest", cursor: "bjJz"}, "/console/acme/search?outcome=denied&after=24h&order=oldest&cursor=bjJz"},
		{ask{from: at, to: at.Add(time.Hour)}, "/console/acme/search?from=2026-11-01T08:00:00Z&to=2026-11-01T09:00:00Z"},
		{ask{saved: "ss_1", within: split("secret words"), pieces: split("kind:agent")}, "/console/acme/search?saved=ss_1&kind=agent"},
		{ask{pieces: split("kind:agent secret")}, ""},
	} {
		got := links("/console/acme").askURL(c.ask)
		if got != c.want {
			t.Errorf("%q has the address %q, want %q", c.ask.query(), got, c.want)
		}
		if c.want == "" {
			continue
		}
		_, raw, _ := strings.Cut(got, "?")
		back, err := askOf(raw)
		if back.within = c.ask.within; err != nil || links("/console/acme").askURL(back) != c.want {
			t.Errorf("%s leads to %+v, %v", got, back, err)
		}
	}
	for _, bad := range []string{"text=secret", "q=secret", "-text=secret", "outcome=two+words", "outcome=a%22b", "after=tomorrow", "cost=much", "order=up", "from=noon", "%zz=1", "actor=%zz", "form_token=x"} {
		if a, err := askOf(bad); err == nil {
			t.Errorf("?%s asks for %+v", bad, a)
		}
	}
}

func TestStatesOfForms(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for _, a := range []ask{{}, {pieces: split(`"two words" outcome:denied`), ago: "7d", order: "newest", cursor: "bjJz"}, {saved: "ss_1", from: at, to: at.Add(time.Hour), pieces: split("a&b=c")}} {
		back, err := askIn(url.Values{"go": {a.state()}, "q": {"not this"}})
		if diff := cmp.Diff(a, back, cmp.AllowUnexported(ask{}, piece{})); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	typed, err := askIn(url.Values{"q": {"after:24h kind:agent"}, "from": {""}, "ago": {""}})
	if err != nil || typed.ago != "24h" || queryOf(typed.pieces) != "kind:agent" {
		t.Errorf("typed: %+v, %v", typed, err)
	}
	chosen, err := askIn(url.Values{"q": {"kind:agent"}, "from": {"2026-11-01T08:00:00"}, "ago": {"24h"}})
	if err != nil || chosen.ago != "" || !chosen.from.Equal(at) {
		t.Errorf("a time that was typed gives way to one that was chosen before: %+v, %v", chosen, err)
	}
}

func TestWaysOn(t *testing.T) {
	a := ask{saved: "ss_1", within: split("secret outcome:denied"), savedOrder: "oldest", pieces: split("kind:agent"), cursor: "c"}
	for _, c := range []struct {
		name string
		got  ask
		want string // saved, query, order
	}{
		{"with another", a.with(newPiece("model:m")), "ss_1|kind:agent model:m|"},
		{"with one that is there", a.with(newPiece("outcome:denied")), "ss_1|kind:agent|"},
		{"with the opposite", a.with(newPiece("-kind:agent")), "ss_1|-kind:agent|"},
		{"without its own", a.without(2), "ss_1||"},
		{"without one of the saved", a.without(0), "|outcome:denied kind:agent|oldest"},
		{"from the other end", a.ordered("newest"), "ss_1|kind:agent|newest"},
	} {
		if got := c.got.saved + "|" + c.got.query() + "|" + c.got.order; got != c.want || c.got.cursor != "" {
			t.Errorf("%s: %q with the cursor %q, want %q", c.name, got, c.got.cursor, c.want)
		}
	}
	if queryOf(a.all()) != "secret outcome:denied kind:agent" {
		t.Errorf("a way on changed where it came from: %+v", a)
	}
}
