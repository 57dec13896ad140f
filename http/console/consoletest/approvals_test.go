package consoletest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// high makes an approval of high risk.
func (s story) high() string {
	return s.seen(s.request(s.agents["billing-bot"].client, "invoices", action("payment.initiate", fields{"amount_cents": 777000, "currency": "EUR", "invoice": "INV-7"})))
}

// seen waits until the lists know of an approval that was just asked for.
func (s story) seen(made fields) string {
	id, owner := made.text("approval_id"), s.people["owner"]
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if status, _ := owner.try("GET", s.at("/approvals/"+id), nil); status == 200 {
			return id
		}
	}
	owner.t.Fatalf("approval %s does not appear", id)
	return ""
}

// status is how an approval stands.
func (s story) status(id string) string {
	return s.people["owner"].do(200, "GET", s.at("/approvals/"+id), nil).text("status")
}

// TestApprovingByKeyboard goes from the inbox to the decision without the mouse.
func TestApprovingByKeyboard(t *testing.T) {
	t.Parallel()
	r := need(t)
	id := r.low(t)
	b := r.as(t, r.story.people["supervisor"])
	b.visit(r.story.page("/approvals"))
	for range 50 {
		b.press("j")
		if b.is(`document.activeElement.getAttribute('href')?.endsWith("` + id + `")`) {
			break
		}
	}
	b.next(func() { b.press(kb.Enter) })
	if !strings.HasSuffix(b.path(), id) {
		t.Fatalf("the keys lead to %s, not to approval %s", b.path(), id)
	}
	b.press("a")
	b.press("checked by hand, j and d are only letters here")
	b.next(func() { b.press(kb.Enter, input.ModifierCtrl) })
	b.says("main", "Approved.")
	b.says("main", "j and d are only letters here")
	if got := r.story.status(id); got != "approved" {
		t.Errorf("the approval is %s", got)
	}
}

// low makes an approval of low risk. A standing grant would cover it, so it asks
// twice in one execution, which a grant covers once.
func (r *rig) low(t *testing.T) string {
	t.Helper()
	s := r.story
	support := s.agents["support-bot"]
	id := s.start(support.client, s.request(support.client, "support", callModel), callModel)
	for range 2 {
		made := support.do(201, "POST", s.at("/executions/"+id+"/actions"), fields{"action": action("communication.send", fields{"channel": "mail", "ticket": 12})})
		if made.text("status") == "awaiting_approval" {
			return s.seen(made)
		}
	}
	t.Fatal("a grant covers everything")
	return ""
}

// TestGraveApproval holds that one click never approves what is grave.
func TestGraveApproval(t *testing.T) {
	t.Parallel()
	r := need(t)
	id := r.story.high()
	b := r.as(t, r.story.people["supervisor"])
	b.visit(r.story.page("/approvals/" + id))
	b.press("a")
	b.press("the order was checked")
	b.next(func() { b.press(kb.Enter, input.ModifierCtrl) })
	b.says("h1", "Approve this?")
	b.says("main", "Pay 7,770.00 EUR")
	if got := r.story.status(id); got != "pending" {
		t.Fatalf("after the first step the approval is %s", got)
	}
	b.expect("400")
	b.press("nope")
	b.next(func() { b.press(kb.Enter) })
	b.says("main", "This is not the end of the digest")
	if got := r.story.status(id); got != "pending" {
		t.Fatalf("after a wrong confirmation the approval is %s", got)
	}
	if !b.is(`document.activeElement.id === 'confirm'`) {
		t.Errorf("the field for the second step does not have the focus")
	}
	b.press(b.text("main mark"))
	b.next(func() { b.press(kb.Enter) })
	b.says("main", "Approved.")
	if got := r.story.status(id); got != "approved" {
		t.Errorf("the approval is %s", got)
	}
}

func TestDenying(t *testing.T) {
	t.Parallel()
	r := need(t)
	id := r.story.high()
	b := r.as(t, r.story.people["supervisor"])
	b.visit(r.story.page("/approvals/" + id))
	b.press("d")
	b.press(kb.Enter, input.ModifierCtrl) // without a reason the browser keeps the form
	if got := r.story.status(id); got != "pending" {
		t.Fatalf("without a reason the approval is %s", got)
	}
	b.press("the amount is wrong")
	b.next(func() { b.press(kb.Enter, input.ModifierCtrl) })
	b.says("main", "Denied.")
	b.says("main", "the amount is wrong")
	if got := r.story.status(id); got != "denied" {
		t.Errorf("the approval is %s", got)
	}
}

// TestOnlyOthersApprove holds that who asks does not decide, whatever is sent.
func TestOnlyOthersApprove(t *testing.T) {
	t.Parallel()
	r := need(t)
	s := r.story
	s.people["owner"].try("PUT", s.at("/roles/runner"), fields{"permissions": []string{"execution.request", "execution.read"}, "description": "asks for executions"})
	asker := s.join("asker", "Ada Asker", "runner", "operations_supervisor")
	made := s.request(asker.client, "crm", action("table.update", fields{"table": "contacts", "row": 5}))
	id := s.seen(made)
	b := r.as(t, asker)
	b.visit(s.page("/approvals/" + id))
	b.says("main", "You asked for it yourself")
	if b.is(`document.querySelector('form[action$="/decision"]')`) {
		t.Errorf("who asked has the form to decide")
	}
	if status, refused := asker.try("POST", s.at("/approvals/"+id+"/decision"), fields{"decision": "approve", "reason": "mine", "action_digest": made.text("action_digest")}); status != 403 {
		t.Errorf("the API answers %d %v, not 403", status, refused)
	}
	b.expect("403")
	b.send(s.page("/approvals/"+id+"/decision"), b.formToken(), fields{"decision": "approve", "reason": "mine", "digest": made.text("action_digest")})
	if got := s.status(id); got != "pending" {
		t.Errorf("the approval is %s", got)
	}
	viewer := r.as(t, s.people["auditor"])
	viewer.visit(s.page("/approvals/" + id))
	viewer.says("main", "You do not hold the permission approval.decide")
}

// formToken is the token of a form on the page.
func (b *tab) formToken() (token string) {
	b.t.Helper()
	b.eval(`document.querySelector('[name=form_token]').value`, &token)
	return token
}

// send sends a form from the page it is on, as a script there could, and answers
// the status.
func (b *tab) send(path, token string, form fields) (status int) {
	b.t.Helper()
	script := `(async () => { const f = new URLSearchParams(`
	b.eval(script+text(form)+`); f.set('form_token', `+text(token)+`); f.set('key', crypto.randomUUID());
		return (await fetch(`+text(path)+`, { method: 'POST', body: f })).status; })()`, &status)
	return status
}
