package commands

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	sending "github.com/clawoffice/ledger/internal/webhook"
)

// receiver is a real server with TLS. It keeps what it was sent and answers
// with status.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	mu     sync.Mutex
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.got = append(r.got, received{q.Header, body})
		r.mu.Unlock()
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(r.Close)
	return r
}

// take answers what came since the last time.
func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// verified reports whether a secret verifies a notification, of any time.
func verified(t *testing.T, secret string, got received) bool {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return hook.VerifyIgnoringTimestamp(got.body, got.header) == nil
}

// listed is the model of webhooks without a projection: it reads the log.
type listed struct {
	t   *testing.T
	log eventlog.Log
}

func (l listed) Webhooks(ws domain.WorkspaceID) (ids []domain.WebhookID) {
	for r, err := range l.log.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			l.t.Error(err)
		}
		id, ok := strings.CutPrefix(r.Stream, string(ws)+"/webhook-")
		switch {
		case ok && r.Type == "webhook.registered.v1":
			ids = append(ids, domain.WebhookID(id))
		case ok && r.Type == "webhook.removed.v1":
			ids = slices.DeleteFunc(ids, func(other domain.WebhookID) bool { return string(other) == id })
		}
	}
	return ids
}

// notifying is a world that sends to r. Called again it is a restart.
func (w *world) notifying(r *receiver) {
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	w.s = New(Config{Log: ledgertest.On(w.t, w.f.Log, w.f.Keys).Ledger, Secret: w.f.Keys.Secret(), Permits: signing{w.f.Keys},
		Access: direct{&w.s}, Now: func() time.Time { return time.Now().Add(w.clock.Sub(time.Time{})) }, Logger: slog.New(slog.DiscardHandler),
		Receivers: listed{w.t, w.f.Log}, Sender: sending.New(sending.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Roots: roots})})
	s := w.s
	w.t.Cleanup(func() { _ = s.Close(context.Background()) })
}

func (w *world) webhook(key string, in WebhookSettings) WebhookSecret {
	w.t.Helper()
	made, err := w.s.CreateWebhook(context.Background(), w.call(w.owner, key), in)
	w.must(err)
	return made
}

func (w *world) deliver(id domain.WebhookID, n webhook.Notice) {
	w.t.Helper()
	w.must(w.s.Deliver(context.Background(), "acme", id, n))
}

func (w *world) notice(id string) webhook.Notice {
	return webhook.Notice{Delivery: domain.DeliveryID(id), Type: webhook.ApprovalRequested, About: "ap_1",
		Happened: time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)}
}

func TestDelivery(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	made := w.webhook("make", WebhookSettings{URL: r.URL + "/claw", Description: "pager"})
	if !made.Secret.Shown || !strings.HasPrefix(made.Secret.Token, "whsec_") || !strings.HasPrefix(string(made.State.Webhook), "wh_") {
		t.Fatalf("got %+v", made)
	}
	for _, row := range []struct {
		kind webhook.Type
		want string
	}{
		{webhook.ApprovalRequested, `{"type":"approval.requested","timestamp":"2026-11-02T09:30:00Z","data":{"workspace":"acme","approval":"x:1","href":"/v1/workspaces/acme/approvals/x:1"}}`},
		{webhook.ApprovalExpired, `{"type":"approval.expired","timestamp":"2026-11-02T09:30:00Z","data":{"workspace":"acme","approval":"x:1","href":"/v1/workspaces/acme/approvals/x:1"}}`},
		{webhook.BudgetAlerted, `{"type":"budget.alerted","timestamp":"2026-11-02T09:30:00Z","data":{"workspace":"acme","budget":"x:1","href":"/v1/workspaces/acme/budgets/x:1"}}`},
		{webhook.Test, `{"type":"webhook.test","timestamp":"2026-11-02T09:30:00Z","data":{"workspace":"acme","webhook":"x:1","href":"/v1/workspaces/acme/webhooks/x:1"}}`},
	} {
		t.Run(string(row.kind), func(t *testing.T) {
			n := w.notice("dl_" + strings.ReplaceAll(string(row.kind), ".", "-"))
			n.Type, n.About = row.kind, "x:1"
			w.deliver(made.State.Webhook, n)
			got := r.take()
			if len(got) != 1 || string(got[0].body) != row.want || got[0].header.Get("webhook-id") != string(n.Delivery) {
				t.Fatalf("received %s", got)
			}
			hook, err := standardwebhooks.NewWebhook(made.Secret.Token)
			if err != nil {
				t.Fatal(err)
			}
			if err := hook.Verify(got[0].body, got[0].header); err != nil {
				t.Error(err)
			}
			before := count(t, w.f.Log)
			w.deliver(made.State.Webhook, n)
			w.notifying(r) // and after a restart
			w.deliver(made.State.Webhook, n)
			if again := r.take(); len(again) != 0 || count(t, w.f.Log) != before {
				t.Errorf("it was sent again: %s", again)
			}
			state, err := w.s.Webhook(t.Context(), "acme", made.State.Webhook)
			if newest := state.Newest(1); err != nil || newest[0].Status != webhook.StatusDelivered || newest[0].Attempts[0].Status != 204 {
				t.Errorf("%v, %+v", err, newest)
			}
		})
	}
}

// A receiver that is down is tried ten times over three days, with the same id
// and body and another time and signature, across restarts.
func TestDeliveryIsTriedAgain(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	r.status.Store(503)
	made, n := w.webhook("make", WebhookSettings{URL: r.URL}), w.notice("dl_1")
	var first received
	for attempt := 1; attempt <= 10; attempt++ {
		w.notifying(r)
		w.deliver(made.State.Webhook, n)
		w.deliver(made.State.Webhook, n) // too early
		got := r.take()
		if len(got) != 1 || !verified(t, made.Secret.Token, got[0]) {
			t.Fatalf("attempt %d: received %d", attempt, len(got))
		}
		if attempt == 1 {
			first = got[0]
		} else if !bytes.Equal(got[0].body, first.body) || got[0].header.Get("webhook-id") != first.header.Get("webhook-id") ||
			got[0].header.Get("webhook-timestamp") <= first.header.Get("webhook-timestamp") {
			t.Fatalf("attempt %d: %v after %v", attempt, got[0].header, first.header)
		}
		w.clock = w.clock.Add(webhook.Pause(attempt) * 11 / 10)
	}
	w.clock = w.clock.Add(100 * time.Hour)
	w.deliver(made.State.Webhook, n)
	state, err := w.s.Webhook(t.Context(), "acme", made.State.Webhook)
	if d := state.Newest(1)[0]; err != nil || d.Status != webhook.StatusAbandoned || len(d.Attempts) != 10 || len(r.take()) != 0 || state.FailingSince.IsZero() {
		t.Errorf("%v, %+v", err, d)
	}
}

func TestRotation(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	made := w.webhook("make", WebhookSettings{URL: r.URL})
	turned, err := w.s.RotateWebhookSecret(t.Context(), w.call(w.owner, "turn"), made.State.Webhook)
	w.must(err)
	if turned.Secret.Token == made.Secret.Token || !turned.Secret.Shown || turned.State.Secret != 2 {
		t.Fatalf("got %+v", turned)
	}
	again, err := w.s.RotateWebhookSecret(t.Context(), w.call(w.owner, "turn"), made.State.Webhook)
	if err != nil || again.Secret.Shown || again.Secret.Token != "" || again.State.Secret != 2 {
		t.Errorf("the repeat: %+v, %v", again, err)
	}
	for _, row := range []struct {
		name     string
		after    time.Duration
		new, old bool
	}{{"both", 23 * time.Hour, true, true}, {"the new one alone", 2 * time.Hour, true, false}} {
		w.clock = w.clock.Add(row.after)
		w.deliver(made.State.Webhook, w.notice("dl_"+row.name[:3]))
		got := r.take()
		if len(got) != 1 || verified(t, turned.Secret.Token, got[0]) != row.new || verified(t, made.Secret.Token, got[0]) != row.old {
			t.Errorf("%s: received %d, %v", row.name, len(got), got[0].header["Webhook-Signature"])
		}
	}
}

func TestNothingIsSent(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	removed := w.webhook("removed", WebhookSettings{URL: r.URL}).State.Webhook
	_, err := w.s.RemoveWebhook(t.Context(), w.call(w.owner, "remove"), removed)
	w.must(err)
	changed := w.webhook("changed", WebhookSettings{URL: r.URL}).State.Webhook
	_, _, err = w.s.ChangeWebhook(t.Context(), w.call(w.owner, "change"), changed, WebhookSettings{URL: r.URL, Disabled: true}, nil)
	w.must(err)
	for name, id := range map[string]domain.WebhookID{
		"removed": removed, "disabled since": changed, "never there": "wh_nobody", "no name": "../workspace-acme",
		"disabled":    w.webhook("disabled", WebhookSettings{URL: r.URL, Disabled: true}).State.Webhook,
		"other types": w.webhook("types", WebhookSettings{URL: r.URL, Types: []webhook.Type{webhook.BudgetAlerted}}).State.Webhook,
	} {
		before := count(t, w.f.Log)
		w.deliver(id, w.notice("dl_1"))
		if got := r.take(); len(got) != 0 || count(t, w.f.Log) != before {
			t.Errorf("%s: %d were sent", name, len(got))
		}
	}
	_, err = w.s.Suspend(t.Context(), w.call(domain.Operator(), "suspend"), "r")
	w.must(err)
	if err := w.s.Deliver(t.Context(), "acme", changed, w.notice("dl_1")); code(err) != "workspace_suspended" {
		t.Errorf("to a suspended workspace: %v", err)
	}
}

// Many at once, by two processes, record each attempt once; what was sent twice
// has the same id.
func TestDeliveriesRace(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	made := w.webhook("make", WebhookSettings{URL: r.URL})
	first := w.s
	first.webhooks.options.Shared = true
	w.notifying(r)
	w.s.webhooks.options.Shared = true
	var all sync.WaitGroup
	for i := range 120 {
		s := []*Service{first, w.s}[i%2]
		all.Go(func() {
			if err := s.Deliver(context.Background(), "acme", made.State.Webhook, w.notice(fmt.Sprint("dl_", i%20))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	ids := map[string]bool{}
	for _, got := range r.take() {
		ids[got.header.Get("webhook-id")] = true
	}
	records := 0
	for r, err := range w.f.Log.Read(context.Background(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == "webhook.delivered.v1" {
			records++
		}
	}
	if len(ids) != 20 || records != 20 {
		t.Errorf("%d ids were received and %d deliveries recorded, want 20", len(ids), records)
	}
}

// An attempt whose record failed is made again under the same id, and recorded
// once, whether the record was stored or not.
func TestDeliveryUnderFaults(t *testing.T) {
	for name, fault := range map[string]eventlogtest.Fault{"before": eventlogtest.Before, "lost": eventlogtest.Lost, "after": eventlogtest.After} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			log := eventlogtest.NewFaulty(ledgertest.Engine(t), func(_ int, stream string) eventlogtest.Fault {
				if strings.Contains(stream, "/webhook-") && armed.CompareAndSwap(true, false) {
					return fault
				}
				return eventlogtest.None
			})
			w, r := newWorld(t, log), newReceiver(t)
			w.notifying(r)
			made := w.webhook("make", WebhookSettings{URL: r.URL})
			armed.Store(true)
			err := w.s.Deliver(t.Context(), "acme", made.State.Webhook, w.notice("dl_1"))
			if armed.Load() || err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrOutcomeUnknown) {
				t.Fatalf("the fault came: %v; error %v", !armed.Load(), err)
			}
			w.notifying(r)
			w.deliver(made.State.Webhook, w.notice("dl_1"))
			state, err := w.s.Webhook(t.Context(), "acme", made.State.Webhook)
			w.must(err)
			got := r.take()
			if d := state.Newest(5); len(d) != 1 || len(d[0].Attempts) != 1 || len(got) < 1 || len(got) > 2 {
				t.Errorf("sent %d times, recorded %+v", len(got), d)
			}
			for _, g := range got {
				if g.header.Get("webhook-id") != "dl_1" {
					t.Errorf("sent as %q", g.header.Get("webhook-id"))
				}
			}
		})
	}
}

// A delivery that the end of the process cut off is no failure of the receiver.
func TestDeliveryCutOff(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	made := w.webhook("make", WebhookSettings{URL: r.URL})
	ctx, cancel := context.WithCancel(t.Context())
	w.s.sender = cut{w.s.sender, cancel}
	if err := w.s.Deliver(ctx, "acme", made.State.Webhook, w.notice("dl_1")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.notifying(r)
	state, err := w.s.Webhook(t.Context(), "acme", made.State.Webhook)
	if err != nil || len(state.Newest(5)) != 0 {
		t.Errorf("%v, %+v", err, state.Newest(5))
	}
}

// cut is a sender whose process is told to stop while it sends.
type cut struct {
	Sender
	cancel func()
}

func (c cut) Send(ctx context.Context, address string, id domain.DeliveryID, at time.Time, body []byte, keys ...[]byte) (webhook.Outcome, error) {
	c.cancel()
	return c.Sender.Send(ctx, address, id, at, body, keys...)
}

func TestManageWebhooks(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	ctx := t.Context()
	made := w.webhook("make", WebhookSettings{URL: r.URL, Types: []webhook.Type{webhook.BudgetAlerted}})
	id := made.State.Webhook

	w.notifying(r)
	again := w.webhook("make", WebhookSettings{URL: r.URL, Types: []webhook.Type{webhook.BudgetAlerted}})
	if again.State.Webhook != id || again.Secret.Shown || again.Secret.Token != "" {
		t.Errorf("the repeat: %+v", again)
	}
	two := 2
	if _, _, err := w.s.ChangeWebhook(ctx, w.call(w.owner, "stale"), id, WebhookSettings{URL: r.URL}, &two); code(err) != "version_mismatch" {
		t.Errorf("a change of another version: %v", err)
	}
	state, _, err := w.s.ChangeWebhook(ctx, w.call(w.owner, "change"), id, WebhookSettings{URL: "https://hooks.example.com/"}, nil)
	if err != nil || state.Version != 2 || len(state.Types) != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	for _, bad := range []string{"http://hooks.example.com/", "https://10.0.0.1/", "https://169.254.169.254/", "nonsense", "https://user:pw@hooks.example.com"} {
		if _, _, err := w.s.ChangeWebhook(ctx, w.call(w.owner, "bad"+bad), id, WebhookSettings{URL: bad}, nil); code(err) != "webhook_url" {
			t.Errorf("change to %s: %v", bad, err)
		}
		if _, err := w.s.CreateWebhook(ctx, w.call(w.owner, "make"+bad), WebhookSettings{URL: bad}); code(err) != "webhook_url" {
			t.Errorf("create %s: %v", bad, err)
		}
	}
	delivery, _, err := w.s.TestWebhook(ctx, w.call(w.owner, "test"), id)
	w.must(err)
	repeat, _, err := w.s.TestWebhook(ctx, w.call(w.owner, "test"), id)
	if err != nil || repeat != delivery || !strings.HasPrefix(string(delivery), "dl_") {
		t.Errorf("tests %q and %q, %v", delivery, repeat, err)
	}
	other := w.webhook("other", WebhookSettings{URL: r.URL}).State.Webhook
	list, err := w.s.Webhooks(ctx, "acme")
	if err != nil || len(list) != 2 {
		t.Errorf("%d webhooks, %v", len(list), err)
	}
	_, err = w.s.RemoveWebhook(ctx, w.call(w.owner, "remove"), id)
	w.must(err)
	for name, err := range map[string]error{
		"get":      second(w.s.Webhook(ctx, "acme", id)),
		"bad id":   second(w.s.Webhook(ctx, "acme", "../x")),
		"other ws": second(w.s.Webhook(ctx, "beta", other)),
		"rotate":   second(w.s.RotateWebhookSecret(ctx, w.call(w.owner, "late"), id)),
		"again":    second(w.s.CreateWebhook(ctx, w.call(w.owner, "make"), WebhookSettings{URL: r.URL, Types: []webhook.Type{webhook.BudgetAlerted}})),
	} {
		if code(err) != "not_found" {
			t.Errorf("%s: %v, want not_found", name, err)
		}
	}
	if list, err = w.s.Webhooks(ctx, "acme"); err != nil || len(list) != 1 || list[0].Webhook != other {
		t.Errorf("%+v, %v", list, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestTooManyWebhooks(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	var last domain.WebhookID
	for i := range maxWebhooks {
		last = w.webhook(fmt.Sprint("make", i), WebhookSettings{URL: r.URL}).State.Webhook
	}
	in := WebhookSettings{URL: r.URL}
	if _, err := w.s.CreateWebhook(t.Context(), w.call(w.owner, "more"), in); code(err) != "too_many_webhooks" {
		t.Errorf("one too many: %v", err)
	}
	if again := w.webhook("make99", in); again.State.Webhook != last {
		t.Errorf("the repeat of the last made %s", again.State.Webhook)
	}
	_, err := w.s.RemoveWebhook(t.Context(), w.call(w.owner, "remove"), last)
	w.must(err)
	w.webhook("more", in)
}

// The key that signs is in no record, and neither is what it derives from.
func TestWebhookSecretIsNotStored(t *testing.T) {
	w, r := newWorld(t, ledgertest.Engine(t)), newReceiver(t)
	w.notifying(r)
	made := w.webhook("make", WebhookSettings{URL: r.URL})
	w.deliver(made.State.Webhook, w.notice("dl_1"))
	key := w.f.Keys.Secret().WebhookKey("acme", made.State.Webhook, 1)
	if ledgercrypto.WebhookSecret(key) != made.Secret.Token {
		t.Fatal("the secret that was shown is not the key")
	}
	records := 0
	for rec, err := range w.f.Ledger.ReadStream(t.Context(), ledger.WebhookStream("acme", made.State.Webhook), ledger.NoTail()) {
		if err != nil {
			t.Fatal(err)
		}
		records++
		if bytes.Contains(rec.Payload, key) || bytes.Contains(rec.Payload, []byte(strings.TrimPrefix(made.Secret.Token, "whsec_"))) {
			t.Errorf("%s holds the secret", rec.Type)
		}
		if bytes.Contains(rec.Stored.Data, []byte(r.URL)) {
			t.Errorf("%s holds the address in clear", rec.Type)
		}
	}
	if records != 2 {
		t.Errorf("%d records, want 2", records)
	}
}

// What a notification holds is a reference and nothing else.
func TestNotificationHasNoContent(t *testing.T) {
	body, err := notification("acme", webhook.Notice{Delivery: "dl_1", Type: webhook.ApprovalDenied, About: "ap_1", Happened: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "approval.denied", "timestamp": "1970-01-01T00:00:01Z",
		"data": map[string]any{"workspace": "acme", "approval": "ap_1", "href": "/v1/workspaces/acme/approvals/ap_1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
