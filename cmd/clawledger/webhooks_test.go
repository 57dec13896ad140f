package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// pager is a receiver of notifications. It takes those that its secret verifies,
// and is down as long as down says.
type pager struct {
	*httptest.Server
	mu     sync.Mutex
	secret string
	down   bool
	got    map[string]int // types and what they are about
}

func newPager(t *testing.T) *pager {
	t.Helper()
	p := &pager{got: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.take))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	hook, bad := standardwebhooks.NewWebhook(p.secret)
	if err != nil || bad != nil || hook.Verify(body, r.Header) != nil {
		http.Error(w, "unverified", http.StatusUnauthorized)
		p.got["unverified"]++
		return
	}
	var m struct {
		Type string
		Data struct{ Approval, Webhook string }
	}
	_ = json.Unmarshal(body, &m)
	what := strings.TrimSpace(m.Type + " " + m.Data.Approval)
	if p.got[what]++; p.down {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// heard waits until the pager was told something.
func (p *pager) heard(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		n := p.got[what]
		p.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never heard of %q; heard %v", what, p.got)
		}
	}
}

func (p *pager) set(secret string, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret, p.down = secret, down
}

// A whole server tells a receiver of approvals that wait and how they end, and
// of nothing else; and what a receiver missed while it was down it hears of
// after the server was killed and started again.
func TestNotifications(t *testing.T) {
	p, data := newPager(t), filepath.Join(t.TempDir(), "data")
	server, c := serving(t, "--data", data, "--webhook-allow", "127.0.0.1/32")
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	made := o.owner.do(201, "POST", o.path("/webhooks"), fmt.Sprintf(`{"url":%q}`, p.URL+"/page?token=sesame"))
	p.set(made.text("secret"), false)
	hook := o.path("/webhooks/" + made.under("webhook").text("id"))

	o.owner.do(202, "POST", hook+"/test", "")
	p.heard(t, "webhook.test")
	asked := o.agent.do(201, "POST", o.path("/executions"), `{"workflow":"chat","action":{"kind":"payment.initiate","params":{"iban":"canary"}}}`)
	p.heard(t, "approval.requested "+asked.text("approval_id"))
	o.agent.do(200, "POST", o.path("/executions/"+asked.text("id")+"/cancel"), `{"reason":"not needed"}`)
	p.heard(t, "approval.withdrawn "+asked.text("approval_id"))

	p.set(made.text("secret"), true)
	missed := o.agent.do(201, "POST", o.path("/executions"), `{"workflow":"chat","action":{"kind":"payment.initiate","params":{}}}`)
	p.heard(t, "approval.requested "+missed.text("approval_id"))
	waitDeliveries(t, o.owner, hook, func(d delivery) bool { return d.About == missed.text("approval_id") && len(d.Attempts) == 1 })
	server.kill()
	p.set(made.text("secret"), false)
	_, c2 := serving(t, "--data", data, "--webhook-allow", "127.0.0.1/32")
	o.owner.url = c2.url
	got := waitDeliveries(t, o.owner, hook, func(d delivery) bool { return d.About == missed.text("approval_id") && d.Status == "delivered" })
	if len(got.Attempts) < 2 || got.Attempts[0].Status != 503 || got.Attempts[0].Failure != "status" {
		t.Errorf("what was missed: %+v", got)
	}
	if p.got["unverified"] != 0 {
		t.Errorf("%d could not be verified", p.got["unverified"])
	}
	for _, log := range []string{server.errs.String(), server.out.String()} {
		if strings.Contains(log, "sesame") || strings.Contains(log, "whsec_") || strings.Contains(log, "canary") {
			t.Errorf("the log tells too much:\n%s", log)
		}
	}
}

type delivery struct {
	ID, Status, About string
	Attempts          []struct {
		Status  int
		Failure string
	}
}

// waitDeliveries waits for a delivery in the list.
func waitDeliveries(t *testing.T, c *client, hook string, is func(delivery) bool) delivery {
	t.Helper()
	var list struct{ Items []delivery }
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := json.Unmarshal(c.do(200, "GET", hook+"/deliveries", "").raw, &list); err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Items {
			if is(d) {
				return d
			}
		}
	}
	t.Fatalf("no such delivery: %+v", list.Items)
	return delivery{}
}

// Without the operator's word a receiver within is not even dialled.
func TestNotificationsStayOutside(t *testing.T) {
	p, data := newPager(t), filepath.Join(t.TempDir(), "data")
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	defer stop()
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	if r := o.owner.patient("POST", o.path("/webhooks"), "", fmt.Sprintf(`{"url":%q}`, p.URL)); r.status != 400 || r.text("code") != "webhook_url" {
		t.Errorf("a receiver on this machine: %s", r)
	}
	made := o.owner.do(201, "POST", o.path("/webhooks"), `{"url":"https://localhost:`+p.URL[strings.LastIndex(p.URL, ":")+1:]+`/"}`)
	hook := o.path("/webhooks/" + made.under("webhook").text("id"))
	o.owner.do(202, "POST", hook+"/test", "")
	d := waitDeliveries(t, o.owner, hook, func(d delivery) bool { return len(d.Attempts) > 0 })
	if d.Attempts[0].Failure != "address" || len(p.got) != 0 {
		t.Errorf("%+v, the receiver heard %v", d, p.got)
	}
}

func TestWebhookAllowIsRead(t *testing.T) {
	for flag, want := range map[string]bool{"10.1.0.0/16": true, "10.1.0.0/16,fd00:1::/32": true, "10.1.0.0": false, "10.1.0.1/16": false, "all": false} {
		c := serveCmd{WebhookAllow: strings.Split(flag, ",")}
		if err := c.check(); (err == nil) != want {
			t.Errorf("--webhook-allow %s: %v", flag, err)
		}
	}
	if code, _, errs := tool(t, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--webhook-allow", "nonsense"); code != exitUsage || !strings.Contains(errs, "10.1.0.0/16") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
