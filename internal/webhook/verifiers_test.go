package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
)

// The keys of three secrets, the last of them a stranger's.
func keys() (now, before, stranger []byte) {
	return bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
}

const notification = `{"type":"approval.requested","timestamp":"2026-11-02T09:30:00Z","data":{"workspace":"acme","approval":"ap_1","href":"/v1/workspaces/acme/approvals/ap_1"}}`

// sent is what a receiver gets during a rotation: signed with both secrets.
func sent(t *testing.T) received {
	t.Helper()
	r := newReceiver(t, nil)
	now, before, _ := keys()
	out, err := r.sender().Send(t.Context(), r.URL, "dl_aomwtkcbwrbcvyjkdgjolzkuwq", time.Now(), []byte(notification), now, before)
	if err != nil || out.Status != http.StatusOK {
		t.Fatalf("%+v, %v", out, err)
	}
	return r.taken()[0]
}

// TestGoVerifier has the reference implementation for Go verify what was sent.
func TestGoVerifier(t *testing.T) {
	got := sent(t)
	now, before, stranger := keys()
	for _, row := range []struct {
		name string
		key  []byte
		body string
		id   string
		want bool
	}{
		{"the new secret", now, got.body, "", true},
		{"the one before", before, got.body, "", true},
		{"a stranger's", stranger, got.body, "", false},
		{"another body", now, got.body + " ", "", false},
		{"another id", now, got.body, "dl_other", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			hook, err := standardwebhooks.NewWebhook(ledgercrypto.WebhookSecret(row.key))
			if err != nil {
				t.Fatal(err)
			}
			header := got.header.Clone()
			if row.id != "" {
				header.Set("Webhook-Id", row.id)
			}
			if err := hook.Verify([]byte(row.body), header); (err == nil) != row.want {
				t.Errorf("verifying: %v, want good %v", err, row.want)
			}
		})
	}
}

// TestNodeVerifier does so with the one for JavaScript, at the version pinned in
// testdata/npm. Only a machine without Node skips it.
func TestNodeVerifier(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed, so the verifier for JavaScript is not tried; apt-get install nodejs npm, or make deps", tool)
		}
	}
	dir := filepath.Join("testdata", "npm")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "standardwebhooks", "package.json")); err != nil {
		install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci in %s: %v\n%s", dir, err, out)
		}
	}
	got := sent(t)
	now, before, stranger := keys()
	headers := map[string]string{}
	for name := range got.header {
		headers[strings.ToLower(name)] = got.header.Get(name)
	}
	for _, row := range []struct {
		name string
		key  []byte
		body string
		want bool
	}{
		{"the new secret", now, got.body, true},
		{"the one before", before, got.body, true},
		{"a stranger's", stranger, got.body, false},
		{"another body", now, got.body + " ", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			input, err := json.Marshal(map[string]any{"secret": ledgercrypto.WebhookSecret(row.key), "headers": headers, "body": row.body})
			if err != nil {
				t.Fatal(err)
			}
			verify := exec.CommandContext(t.Context(), "node", "verify.mjs")
			verify.Dir, verify.Stdin = dir, bytes.NewReader(input)
			out, err := verify.CombinedOutput()
			if good := err == nil && strings.Contains(string(out), `"type":"approval.requested"`); good != row.want {
				t.Errorf("node verify.mjs: %v, want good %v\n%s", err, row.want, out)
			}
		})
	}
}
