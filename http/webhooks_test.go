package http

import (
	"strings"
	"testing"
)

func TestWebhooks(t *testing.T) {
	w := newWorld(t)
	const all = "/v1/workspaces/acme/webhooks"
	body := `{"url":"https://hooks.example.com/claw?k=v","types":["budget.alerted","approval.requested"],"description":"pager"}`
	made := w.must(201, "POST", all, w.owner, body, "Idempotency-Key", "one")
	id := made.text("webhook", "id")
	if !strings.HasPrefix(made.text("secret"), "whsec_") || made.at("secret_shown") != true || made.header.Get("Ledger-Position") == "" ||
		made.text("webhook", "registered_by") != "member:"+w.ownerID {
		t.Fatalf("made %s", made.raw)
	}
	again := w.must(201, "POST", all, w.owner, body, "Idempotency-Key", "one")
	if again.text("webhook", "id") != id || again.at("secret_shown") != false || again.text("secret") != "" {
		t.Errorf("the repeat: %s", again.raw)
	}
	w.refused(409, "idempotency_key_reused", "POST", all, w.owner, `{"url":"https://hooks.example.com/"}`, "Idempotency-Key", "one")

	list := w.must(200, "GET", all, w.owner, "")
	if items := list.at("items").([]any); len(items) != 1 || strings.Contains(string(list.raw), "whsec_") {
		t.Errorf("listed %s", list.raw)
	}
	got := w.must(200, "GET", all+"/"+id, w.owner, "")
	if got.header.Get("ETag") != `"1"` || got.text("url") != "https://hooks.example.com/claw?k=v" || got.at("disabled") != false {
		t.Errorf("got %s", got.raw)
	}

	change := `{"url":"https://hooks.example.com/2","disabled":true}`
	w.refused(412, "version_mismatch", "PUT", all+"/"+id, w.owner, change, "If-Match", `"2"`)
	changed := w.must(200, "PUT", all+"/"+id, w.owner, change, "If-Match", `"1"`)
	if changed.header.Get("ETag") != `"2"` || len(changed.at("types").([]any)) != 0 || changed.text("description") != "" {
		t.Errorf("changed %s", changed.raw)
	}
	w.refused(409, "webhook_disabled", "POST", all+"/"+id+"/test", w.owner, "")
	w.must(200, "PUT", all+"/"+id, w.owner, body)

	turned := w.must(200, "POST", all+"/"+id+"/rotate", w.owner, "", "Idempotency-Key", "turn")
	if turned.text("secret") == made.text("secret") || turned.text("old_secret_until") == "" {
		t.Errorf("turned %s", turned.raw)
	}
	if again := w.must(200, "POST", all+"/"+id+"/rotate", w.owner, "", "Idempotency-Key", "turn"); again.text("secret") != "" || again.at("secret_shown") != false {
		t.Errorf("the repeat: %s", again.raw)
	}
	if got := w.must(200, "GET", all+"/"+id, w.owner, ""); got.text("old_secret_until") == "" {
		t.Errorf("while both sign: %s", got.raw)
	}

	test := w.must(202, "POST", all+"/"+id+"/test", w.owner, "")
	sent := w.must(200, "GET", all+"/"+id+"/deliveries", w.owner, "").at("items").([]any)
	if len(sent) != 1 || sent[0].(map[string]any)["id"] != test.text("delivery") || sent[0].(map[string]any)["status"] != "waiting" {
		t.Errorf("deliveries %v", sent)
	}

	w.must(204, "DELETE", all+"/"+id, w.owner, "")
	w.refused(404, "not_found", "GET", all+"/"+id, w.owner, "")
	w.refused(404, "not_found", "GET", all+"/"+id+"/deliveries", w.owner, "")
	w.must(204, "DELETE", all+"/"+id, w.owner, "")
}

func TestWebhookAddresses(t *testing.T) {
	w := newWorld(t)
	const all = "/v1/workspaces/acme/webhooks"
	for _, url := range []string{"http://hooks.example.com/", "https://user:pw@hooks.example.com/", "https://hooks.example.com/#f", "https://10.0.0.1/",
		"https://169.254.169.254/latest/meta-data", "https://[::ffff:127.0.0.2]/", "https://[fd00:ec2::254]/", "ftp://hooks.example.com", "hooks.example.com", "https:///x"} {
		w.refused(400, "webhook_url", "POST", all, w.owner, `{"url":"`+url+`"}`)
	}
	w.must(201, "POST", all, w.owner, `{"url":"http://127.0.0.1:9/claw"}`) // allowed in this world
}
