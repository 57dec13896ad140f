package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

// answered decodes what a command answered with --json.
func answered(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("not JSON: %q: %v", text, err)
	}
	return m
}

// TestBackupAndRestore backs up a running server that has things open, and
// restores it: what was open is ended by events.
func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	data, backup := filepath.Join(dir, "data"), filepath.Join(dir, "backups", "one")
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	unused := o.agent.do(201, "POST", o.path("/executions"), callModel)
	running := o.startExecution()
	o.agent.do(201, "POST", o.path("/executions/"+running+"/prompts"), `{"model":"m","content":"open","max_output_tokens":10}`)
	waiting := o.agent.do(201, "POST", o.path("/executions"), `{"workflow":"pay","action":{"kind":"payment.initiate","params":{}}}`)
	l := startCrowd(o, 2) // the copy is consistent while others write
	must(t, "backup", "--data", data, "--to", backup)
	l.end()
	stop()

	if exists(filepath.Join(backup, "keys")) {
		t.Error("keys are in a backup without --with-keys")
	}
	if code, _, _ := tool(t, "backup", "--data", data, "--to", backup); code == 0 {
		t.Error("a backup was written over another")
	}
	if code, _, _ := tool(t, "restore", "--from", backup, "--data", data); code == 0 {
		t.Error("a restore was made over a data directory")
	}
	restored := filepath.Join(dir, "restored")
	if code, _, _ := tool(t, "restore", "--from", backup, "--data", restored); code == 0 || exists(restored) {
		t.Error("a restore without keys was made")
	}
	out := answered(t, must(t, "restore", "--from", backup, "--data", restored, "--keys", filepath.Join(data, "keys"), "--json"))
	if out["cancelled_executions"].(float64) < 1 || out["released_reservations"] != 1.0 || out["open_approvals"] != 1.0 {
		t.Errorf("restore answered %v", out)
	}
	v := verdictOf(t, 0, "--data", restored, "--keys", filepath.Join(data, "keys"))
	if v.Records <= int64(out["records"].(float64)) {
		t.Errorf("%d records after the restore of %v: nothing was voided by events", v.Records, out["records"])
	}
	_, c2, _ := startNode(t, serveCmd{Data: restored, Keys: filepath.Join(data, "keys")}, io.Discard)
	o.agent.url, o.owner.url = c2.url, c2.url
	if got := o.agent.do(200, "GET", o.path("/executions/"+unused.text("id")), ""); got.text("status") != "cancelled" {
		t.Errorf("an execution with an unused permit reads %s", got)
	}
	r := o.agent.patient("POST", o.path("/executions/"+unused.text("id")+"/start"), "", fmt.Sprintf(`{"permit":%q,"action":{"kind":"llm.call","params":{}}}`, unused.text("permit")))
	if r.status != 409 {
		t.Errorf("a permit of before the restore was answered %s", r)
	}
	if got := o.agent.do(200, "GET", o.path("/executions/"+waiting.text("id")), ""); got.text("status") != "awaiting_approval" {
		t.Errorf("an execution that waits for approval reads %s", got)
	}
}

func TestBackupWithKeysStandsAlone(t *testing.T) {
	data, dir := smallLog(t), t.TempDir()
	backup, restored := filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	must(t, "backup", "--data", data, "--to", backup, "--with-keys", "--json")
	must(t, "restore", "--from", backup, "--data", restored)
	must(t, "doctor", "--data", restored, "--listen", "127.0.0.1:0")
	startNode(t, serveCmd{Data: restored}, io.Discard)
	for name, harm := range map[string]func(string) error{
		"a changed file":    func(b string) error { return appendTo(filepath.Join(b, jwksFile)) },
		"a missing file":    func(b string) error { return os.Remove(filepath.Join(b, logFile)) },
		"no manifest":       func(b string) error { return os.Remove(filepath.Join(b, manifestFile)) },
		"a broken manifest": func(b string) error { return os.WriteFile(filepath.Join(b, manifestFile), []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			damaged := filepath.Join(t.TempDir(), "damaged")
			if err := errors.Join(copyTree(backup, damaged), harm(damaged)); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "to")
			if code, _, _ := tool(t, "restore", "--from", damaged, "--data", to); code == 0 || exists(to) {
				t.Errorf("was restored, exit %d", code)
			}
		})
	}
}

func appendTo(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(" ")
	return errors.Join(err, f.Close())
}

// TestBackupOfABadLogSaysSo keeps a bad log, because it is all there is, and
// says that it is bad; it can't be restored.
func TestBackupOfABadLogSaysSo(t *testing.T) {
	data, backup := smallLog(t), filepath.Join(t.TempDir(), "backup")
	edit(t, data, execute("UPDATE event SET meta = (SELECT meta FROM event WHERE position = 5) WHERE position = 6"))
	if code, out, _ := tool(t, "backup", "--data", data, "--to", backup, "--with-keys"); code != exitFailed || !exists(filepath.Join(backup, manifestFile)) {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, _ := tool(t, "restore", "--from", backup, "--data", filepath.Join(t.TempDir(), "to")); code != exitFailed {
		t.Errorf("a bad backup was restored: exit %d", code)
	}
}

// short is a log that ends early, as a migration that broke off saw it.
type short struct {
	eventlog.Log
	left int
}

func (s *short) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		for r, err := range s.Log.Read(ctx, q) {
			if s.left--; s.left < 0 || !yield(r, err) {
				return
			}
		}
	}
}

func TestMigration(t *testing.T) {
	dir, data := t.TempDir(), smallLog(t)
	erased := eraseSomebody(t, data)
	all := recordsOf(t, data)
	face := facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	breakOff(t, data, face.address, len(all)/2)

	out := answered(t, must(t, "migrate", "--from", data, "--to", face.address, "--json"))
	if out["records"] != float64(len(all)) || out["copied"].(float64) >= float64(len(all)) || out["copied"] == 0.0 || out["erased"] != 1.0 {
		t.Errorf("of %d records: %v", len(all), out)
	}
	again := answered(t, must(t, "migrate", "--from", data, "--to", face.address, "--json"))
	if again["copied"] != 0.0 {
		t.Errorf("the second time: %v", again)
	}
	if code, _, _ := tool(t, "migrate", "--from", smallLog(t), "--to", face.address); code != exitFailed {
		t.Errorf("another log was migrated to the same place: exit %d", code)
	}
	keys := filepath.Join(data, "keys")
	if v := verdictOf(t, 0, "--eventlog", face.address, "--keys", keys); v.Records != int64(len(all)) {
		t.Errorf("%d records there, %d here", v.Records, len(all))
	}
	if code := face.stop(); code != 0 {
		t.Errorf("the face ended with %d", code)
	}
	sameRecords(t, all, recordsOf(t, filepath.Join(dir, "face")))

	face = facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	n, c, _ := startNode(t, serveCmd{Data: filepath.Join(dir, "replica"), Keys: keys, Eventlog: face.address}, io.Discard)
	openOffice(c.operator(keys), "after")
	if _, err := n.sealed.ring.ByID(t.Context(), "acme", erased); !errors.Is(err, ledgercrypto.ErrKeyErased) {
		t.Errorf("the erased key: %v, want %v", err, ledgercrypto.ErrKeyErased)
	}
}

// eraseSomebody destroys the key of a data subject of a stopped server.
func eraseSomebody(t *testing.T, data string) ledgercrypto.KeyID {
	t.Helper()
	log, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := ledgercrypto.OpenDir(filepath.Join(data, "keys"), ledgercrypto.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal(log, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := s.ring.Erase(t.Context(), "acme", keys.Secret().SubjectTag("acme", "owner@acme.test"))
	if err != nil || len(ids) == 0 {
		t.Fatalf("erased %v, %v", ids, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// breakOff migrates the first n records.
func breakOff(t *testing.T, data, to string, n int) {
	t.Helper()
	from, err := sqlite.OpenReadOnly(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	p := &program{ctx: t.Context(), err: io.Discard, log: newLogger(io.Discard, "text", "info")}
	target, err := openEventStoreDB(p, to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	m := &migration{from: &short{from, n}, to: target}
	if err := m.copy(t.Context(), func(eventlog.Position) {}); err != nil {
		t.Fatal(err)
	}
}

// sameRecords wants the same bytes, in the same order in each workspace.
func sameRecords(t *testing.T, want, got []eventlog.Recorded) {
	t.Helper()
	order := func(all []eventlog.Recorded) map[domain.WorkspaceID][]string {
		m := map[domain.WorkspaceID][]string{}
		for _, r := range all {
			ws, _, _ := strings.Cut(r.Stream, "/")
			m[domain.WorkspaceID(ws)] = append(m[domain.WorkspaceID(ws)], fmt.Sprintf("%s@%d %s %x %x %s", r.Stream, r.Revision, r.Type, r.ID, r.Data, r.Meta))
		}
		return m
	}
	w, g := order(want), order(got)
	if len(w) != len(g) || len(want) != len(got) {
		t.Errorf("%d workspaces and %d records, want %d and %d", len(g), len(got), len(w), len(want))
	}
	for ws := range w {
		if strings.Join(w[ws], "\n") != strings.Join(g[ws], "\n") {
			t.Errorf("workspace %s differs", ws)
		}
	}
}

func TestDoctor(t *testing.T) {
	data := smallLog(t)
	checks := func(want int, args ...string) map[string]string {
		t.Helper()
		code, out, errs := tool(t, append([]string{"doctor", "--json", "--listen", "127.0.0.1:0"}, args...)...)
		if code != want {
			t.Fatalf("doctor %v: exit %d, want %d\n%s%s", args, code, want, out, errs)
		}
		states := map[string]string{}
		for _, f := range answered(t, out)["checks"].([]any) {
			f := f.(map[string]any)
			states[f["check"].(string)] = f["state"].(string)
			if advice, _ := f["do"].(string); (f["state"] == fine) != (advice == "") {
				t.Errorf("%v: a state and no word of what to do, or the other way round", f)
			}
		}
		return states
	}
	for check, state := range checks(0, "--data", data) {
		if state != fine && check != "disk" {
			t.Errorf("%s is %s on a good installation", check, state)
		}
	}
	if s := checks(0, "--data", filepath.Join(t.TempDir(), "new")); s["keys"] != warn || s["log"] != warn {
		t.Errorf("before the first start: %v", s)
	}
	if s := checks(exitFailed, "--data", data, "--keys", filepath.Join(smallLog(t), "keys")); s["ownership"] != fail {
		t.Errorf("with another log's keys: %v", s)
	}
	if s := checks(exitFailed); s["config"] != fail {
		t.Errorf("without a log: %v", s)
	}
	open := copyLog(t, data)
	if err := os.Chmod(filepath.Join(open, "keys", "kek.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := checks(exitFailed, "--data", open); s["keys"] != fail {
		t.Errorf("with keys that others can read: %v", s)
	}
	rotten := copyLog(t, data)
	edit(t, rotten, execute("UPDATE event SET sum = sum + 1 WHERE position = 4"))
	if s := checks(exitFailed, "--data", rotten); s["log"] != fail {
		t.Errorf("with a rotten row: %v", s)
	}
	future := copyLog(t, data)
	edit(t, future, execute("UPDATE event SET created = created + 3600000000 WHERE position = (SELECT max(position) FROM event)"))
	if s := checks(exitFailed, "--data", future); s["clock"] != fail && s["log"] != fail {
		t.Errorf("with a clock that is behind: %v", s)
	}
	cert, key, _ := certify(t, t.TempDir(), 1)
	if s := checks(0, "--data", data, "--tls-cert", cert, "--tls-key", key); s["certificate"] != warn {
		t.Errorf("with a certificate that ends within the hour: %v", s)
	}
	if s := checks(exitFailed, "--data", data, "--tls-cert", key, "--tls-key", cert); s["certificate"] != fail {
		t.Errorf("with a certificate that is none: %v", s)
	}
}

func TestRebuild(t *testing.T) {
	data := smallLog(t)
	if err := os.RemoveAll(filepath.Join(data, "models")); err != nil {
		t.Fatal(err)
	}
	out := answered(t, must(t, "rebuild", "--data", data, "--json"))
	if models := out["models"].(map[string]any); models["access"] == 0.0 || models["directory"] == 0.0 {
		t.Errorf("rebuilt %v", out)
	}
	if code, _, _ := tool(t, "rebuild", "--data", data, "nothing"); code == 0 {
		t.Error("a model that does not exist was rebuilt")
	}
	_, _, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	if code, _, _ := tool(t, "rebuild", "--data", data); code == 0 {
		t.Error("models of a running server were rebuilt")
	}
	stop()
}

func TestKeysCommand(t *testing.T) {
	data := smallLog(t)
	first := answered(t, must(t, "keys", "list", "--data", data, "--json"))["keys"].([]any)
	kid := answered(t, must(t, "keys", "rotate", "--data", data, "--json"))["id"]
	after := answered(t, must(t, "keys", "list", "--data", data, "--json"))["keys"].([]any)
	if len(first) != 2 || len(after) != 3 || after[0].(map[string]any)["id"] != kid || after[1].(map[string]any)["active"] != false {
		t.Errorf("before %v\nafter  %v", first, after)
	}
	if code, _, _ := tool(t, "keys", "list"); code != exitUsage {
		t.Errorf("without a place: exit %d", code)
	}
}

func TestRotatedKeyIsTakenUpOnSignal(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, c := serving(t, "--data", data)
	kid, _ := answered(t, must(t, "keys", "rotate", "--data", data, "--json"))["id"].(string)
	hangUp(t, p)
	for end := time.Now().Add(time.Minute); !strings.Contains(string(c.do(200, "GET", "/.well-known/jwks.json", "").raw), kid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new key is not served")
		}
	}
	openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(payloadHeader(t, recordsOf(t, data)), kid) {
		t.Error("nothing was signed with the new key")
	}
	verdictOf(t, 0, "--data", data)
}
