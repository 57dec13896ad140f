package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
)

// smallLog makes a data directory with a workspace, an execution with a prompt
// and its answer, and the server stopped.
func smallLog(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	o := openOffice(c.operator(filepath.Join(data, "keys")), "acme")
	id := o.startExecution()
	prompt := o.agent.do(201, "POST", o.path("/executions/"+id+"/prompts"), `{"model":"m","content":"What is due?","max_output_tokens":10}`)
	o.agent.do(201, "POST", o.path("/executions/"+id+"/prompts/"+prompt.text("prompt_id")+"/completion"),
		`{"content":"Nothing.","usage":{"prompt_tokens":5,"output_tokens":2},"finish_reason":"stop"}`)
	stop()
	return data
}

// tinyLog is a workspace with its owner and nothing else.
func tinyLog(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	c.operator(filepath.Join(data, "keys")).do(201, "POST", "/v1/workspaces",
		`{"id":"acme","name":"Acme","currency":"EUR","owner":{"email":"o@acme.test","name":"O"}}`)
	stop()
	return data
}

func recordsOf(t *testing.T, data string) []eventlog.Recorded {
	t.Helper()
	log, err := sqlite.OpenReadOnly(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	var all []eventlog.Recorded
	for r, err := range log.Read(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// held is a log that yields the records it holds, and nothing else.
type held struct {
	eventlog.Log
	records []eventlog.Recorded
}

func (h held) Read(context.Context, eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		for _, r := range h.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func names(bad []*ledger.BadRecord, r *eventlog.Recorded) bool {
	return slices.ContainsFunc(bad, func(b *ledger.BadRecord) bool {
		return b.Position == r.Position && b.Stream == r.Stream && b.Revision == r.Revision && b.Problem != ""
	})
}

// TestEveryFlippedByteIsNamed flips each byte of each record's ciphertext and
// metadata, one at a time, below every checksum of the engine.
func TestEveryFlippedByteIsNamed(t *testing.T) {
	data := tinyLog(t)
	keys, err := trusting("", filepath.Join(data, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string][]eventlog.Recorded{}
	for _, r := range recordsOf(t, data) {
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	flips := 0
	for name, records := range streams {
		if report, err := ledger.Verify(t.Context(), held{records: records}, keys, "", nil); err != nil || len(report.Bad) > 0 {
			t.Fatalf("%s is bad before anything was flipped: %v %v", name, report.Bad, err)
		}
		for i := range records {
			flips += flipAll(t, records, i, keys)
		}
	}
	if flips < 5_000 {
		t.Errorf("only %d bytes were flipped", flips)
	}
	t.Logf("%d bytes flipped in %d streams, each named", flips, len(streams))
}

// flipAll flips each byte of records[i] and verifies it with its successor.
func flipAll(t *testing.T, records []eventlog.Recorded, i int, keys *trust) (flips int) {
	t.Helper()
	original := records[i]
	for part, bytes := range map[string][]byte{"data": original.Data, "metadata": original.Meta} {
		for at := range bytes {
			changed := slices.Clone(bytes)
			changed[at] ^= 1 << (at % 8)
			r := original
			if part == "data" {
				r.Data = changed
			} else {
				r.Meta = changed
			}
			report, err := ledger.Verify(t.Context(), held{records: append(slices.Clone(records[:i]), r)}, keys, "", nil)
			if err != nil || len(report.Bad) != 1 || !names(report.Bad, &r) {
				t.Fatalf("%s@%d, byte %d of its %s flipped: %v, %v", r.Stream, r.Revision, at, part, report.Bad, err)
			}
			flips++
		}
	}
	return flips
}

// edit changes a stopped server's file.
func edit(t *testing.T, data string, change func(conn *zs.Conn) error) {
	t.Helper()
	conn, err := zs.OpenConn(filepath.Join(data, "ledger.db"), zs.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func execute(query string, args ...any) func(*zs.Conn) error {
	return func(conn *zs.Conn) error { return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args}) }
}

// copyLog copies a data directory's log and keys.
func copyLog(t *testing.T, data string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(data, "ledger.db"), filepath.Join(to, "ledger.db")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(filepath.Join(data, "keys"), filepath.Join(to, "keys")); err != nil {
		t.Fatal(err)
	}
	return to
}

// verdictOf runs verify and wants an exit code.
func verdictOf(t *testing.T, want int, args ...string) verdict {
	t.Helper()
	code, out, errs := tool(t, append([]string{"verify", "--json"}, args...)...)
	if code != want {
		t.Fatalf("verify %v: exit %d, want %d\n%s%s", args, code, want, out, errs)
	}
	var v verdict
	if want != exitUsage {
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("verify answered %q: %v", out, err)
		}
	}
	return v
}

// TestTamperedFileIsNamed changes the rows of a real file, by the real command.
func TestTamperedFileIsNamed(t *testing.T) {
	data := smallLog(t)
	all := recordsOf(t, data)
	at := func(stream string, revision int64) *eventlog.Recorded {
		for i := range all {
			if all[i].Stream == stream && all[i].Revision == revision {
				return &all[i]
			}
		}
		t.Fatalf("there is no %s@%d", stream, revision)
		return nil
	}
	const ws = "acme/workspace-acme"
	second, third := at(ws, 1), at(ws, 2)
	key := all[1] // the service's own data key
	foreign := foreignRecord(t, second)
	const row = "UPDATE event SET (data, meta) = (SELECT data, meta FROM event WHERE position = ?) WHERE position = ?"
	tests := []struct {
		name   string
		change func(*zs.Conn) error
		bad    []*eventlog.Recorded // each must be named
	}{
		{"a byte of a ciphertext", execute("UPDATE event SET data = CAST(substr(data, 1, 9) || x'00' || substr(data, 11) AS BLOB) WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{second}},
		{"a byte of a wrapped key", execute("UPDATE event SET data = CAST(substr(data, 1, 9) || x'00' || substr(data, 11) AS BLOB) WHERE position = ?", int64(key.Position)), []*eventlog.Recorded{&key}},
		{"a byte of the metadata", execute("UPDATE event SET meta = CAST(substr(meta, 1, 99) || 'A~' || substr(meta, 102) AS BLOB) WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{second}},
		{"the type", execute("UPDATE event SET type = (SELECT max(id) FROM type) WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{second}},
		{"the id", execute("UPDATE event SET id = zeroblob(16) WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{second}},
		{"a checksum alone", execute("UPDATE event SET sum = sum + 1 WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{second}},
		{"a row deleted from the middle", execute("DELETE FROM event WHERE position = ?", int64(second.Position)), []*eventlog.Recorded{third}},
		{"the contents of two rows swapped", func(conn *zs.Conn) error {
			return swap(conn, second, third)
		}, []*eventlog.Recorded{second, third}},
		{"a record copied over another stream's", execute(row, int64(second.Position), int64(at("_system/operator", 0).Position)), []*eventlog.Recorded{at("_system/operator", 0)}},
		{"a row moved to another stream", execute("UPDATE event SET name = 'acme/policy-main' WHERE position = ?", int64(third.Position)), nil},
		{"a row moved to another workspace", execute("UPDATE event SET name = 'evil/workspace-evil' WHERE position = ?", int64(third.Position)), nil},
		{"re-signed with a foreign key", execute("UPDATE event SET meta = ? WHERE position = ?", foreign, int64(second.Position)), []*eventlog.Recorded{second}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tampered := copyLog(t, data)
			edit(t, tampered, test.change)
			v := verdictOf(t, exitFailed, "--data", tampered)
			for _, r := range test.bad {
				if !names(v.Bad, r) {
					t.Errorf("%s@%d is not named: %s", r.Stream, r.Revision, listed(v.Bad))
				}
			}
			if len(v.Bad) == 0 {
				t.Error("nothing is named")
			}
			code, out, _ := tool(t, "verify", "--data", tampered)
			if first := fmt.Sprintf("%s@%d at position %d", v.Bad[0].Stream, v.Bad[0].Revision, v.Bad[0].Position); code != exitFailed || !contains(out, first) {
				t.Errorf("exit %d without naming %s:\n%s", code, first, out)
			}
		})
	}
}

func listed(bad []*ledger.BadRecord) string {
	text := ""
	for _, b := range bad {
		text += "\n  " + b.Error()
	}
	return text
}

// swap exchanges what two rows hold, ids included.
func swap(conn *zs.Conn, a, b *eventlog.Recorded) error {
	for _, set := range []struct {
		at   eventlog.Position
		from *eventlog.Recorded
	}{{a.Position, b}, {b.Position, a}} {
		err := execute("UPDATE event SET id = ?, data = ?, meta = ?, type = (SELECT id FROM type WHERE name = ?) WHERE position = ?",
			set.from.ID[:], set.from.Data, set.from.Meta, set.from.Type, int64(set.at))(conn)
		if err != nil {
			return err
		}
	}
	return nil
}

func TestVerifySaysWhatItCould(t *testing.T) {
	data := smallLog(t)
	v := verdictOf(t, 0, "--data", data)
	if v.Pinned || v.Records != int64(len(recordsOf(t, data))) || v.Bad == nil {
		t.Errorf("%+v", v)
	}
	jwks := filepath.Join(t.TempDir(), "jwks.json")
	keys, err := trusting("", filepath.Join(data, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jwks, keys.dir.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := verdictOf(t, 0, "--data", data, "--jwks", jwks); !v.Pinned {
		t.Error("a JWKS file was given and the verdict is not pinned")
	}
	if part := verdictOf(t, 0, "--data", data, "--workspace", "acme"); part.Records == 0 || part.Records >= v.Records {
		t.Errorf("the workspace has %d of %d records", part.Records, v.Records)
	}
	for name, args := range map[string][]string{
		"no log":              {"--data", filepath.Join(data, "nothing")},
		"no storage":          {},
		"no keys":             {"--data", data, "--keys", t.TempDir()},
		"no such JWKS":        {"--data", data, "--jwks", filepath.Join(data, "nothing")},
		"not a workspace":     {"--data", data, "--workspace", "Not One"},
		"nobody at that port": {"--eventlog", "esdb://127.0.0.1:x", "--keys", filepath.Join(data, "keys")},
		"no such flag":        {"--nothing"},
	} {
		t.Run(name, func(t *testing.T) { verdictOf(t, exitUsage, args...) })
	}
	must(t, "keys", "rotate", "--data", data)
	_, c, stop := startNode(t, serveCmd{Data: data}, io.Discard)
	openOffice(c.operator(filepath.Join(data, "keys")), "later")
	verdictOf(t, 0, "--data", data) // beside the running server, with records of both keys
	stop()
	verdictOf(t, exitFailed, "--data", data, "--jwks", jwks) // which does not have the new key
}
