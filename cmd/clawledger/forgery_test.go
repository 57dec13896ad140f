package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventstoredb"
	"github.com/clawoffice/ledger/internal/ledger"
)

// forgery copies the ciphertext of a record to another place, with everything
// right about the new record but what needs keys: the signature is a foreign
// key's, and the seal is bound to where the ciphertext was.
type forgery struct {
	name string
	from string // type of the record whose ciphertext is copied
	to   func(from *eventlog.Recorded, o, other office) string
	typ  string // of the forged record, "" for the same
}

func forgeries() []forgery {
	const requested = "execution.requested.v1"
	return []forgery{
		{"another revision of its stream", requested, func(from *eventlog.Recorded, _, _ office) string { return from.Stream }, "execution.cancelled.v1"},
		{"a stream of its own", requested, func(*eventlog.Recorded, office, office) string { return "acme/execution-ex_forged" }, ""},
		{"a stream of another workspace", requested, func(*eventlog.Recorded, office, office) string { return "other/execution-ex_forged" }, ""},
		{"another workspace's rights", "workspace.token_issued.v1", func(*eventlog.Recorded, office, office) string { return "other/workspace-other" }, ""},
		{"its workspace's rights again", "workspace.token_issued.v1", func(from *eventlog.Recorded, _, _ office) string { return from.Stream }, ""},
	}
}

// forge appends a forgery behind the true end of its stream.
func forge(t *testing.T, log eventlog.Log, f forgery, stream string, from *eventlog.Recorded) {
	t.Helper()
	typ := f.typ
	if typ == "" {
		typ = from.Type
	}
	h, _, err := ledger.ParseHeader([]byte(payloadOf(t, from)))
	if err != nil {
		t.Fatal(err)
	}
	revision, prev := eventlog.NoStream, ""
	for r, err := range log.Read(t.Context(), eventlog.Query{Stream: stream, From: -1, Backwards: true, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		last, _, err := ledger.Parse(&r)
		if err != nil {
			t.Fatal(err)
		}
		revision, prev = r.Revision, last.Link
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	ws, _, _ := strings.Cut(stream, "/")
	sum := sha256.Sum256(from.Data)
	payload := fmt.Sprintf(`{"v":1,"ws":%q,"stream":%q,"rev":%d,"type":%q,"id":%q,"time":%q,"actor":%q,"cred":%q,"cor":%q,"cau":%q,"key":%q,"data":%q,"prev":%q}`,
		ws, stream, revision+1, typ, ledger.EventID(id), time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), h.Actor, h.Credential,
		h.Correlation, h.Cause, h.Key, base64.RawURLEncoding.EncodeToString(sum[:]), prev)
	event := eventlog.Event{ID: id, Type: typ, Data: from.Data, Meta: signForeign(foreignKeys(t), payload)}
	if _, err := log.Append(t.Context(), stream, revision, []eventlog.Event{event}); err != nil {
		t.Fatal(err)
	}
}

// view is what a server tells of its state.
type view map[string]string

// look asks for everything that a forgery could change, by one way to ask.
func look(o, other office, ex string, get func(c *client, path string) reply) view {
	v := view{}
	for _, q := range []struct {
		c    *client
		path string
	}{
		{o.agent, o.path("/executions/" + ex)}, {o.owner, o.path("/members")}, {o.owner, o.path("/executions")},
		{other.owner, other.path("/members")}, {other.owner, other.path("/executions")}, {other.owner, other.path("/agents")},
		{o.owner, o.path("/agents")}, {o.agent, other.path("")}, {other.agent, o.path("")},
		{o.owner, o.path("/executions/ex_forged")}, {other.owner, other.path("/executions/ex_forged")},
	} {
		r := get(q.c, q.path)
		text := fmt.Sprint(r.status, " ", string(r.raw))
		if r.status >= 400 {
			text = fmt.Sprint(r.status, " ", r.text("code")) // not the request's id
		}
		v[q.c.token[len(q.c.token)-6:]+" "+q.path] = text
	}
	return v
}

// once asks a server of which some models have stopped, and may refuse.
func once(c *client, path string) reply { return c.try("GET", path, "", "") }

// unchanged wants that each answer is what it was, or a refusal to answer.
func unchanged(t *testing.T, when string, before, after view) {
	t.Helper()
	for path, was := range before {
		if is := after[path]; is != was && !strings.HasPrefix(is, "5") {
			t.Errorf("%s: %s\nwas %s\nis  %s", when, path, was, is)
		}
	}
}

// TestForgedRecordChangesNothing writes forgeries straight into the log, under
// a running server and before a start.
func TestForgedRecordChangesNothing(t *testing.T) {
	for _, f := range forgeries() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			forgeUnderServer(t, f)
		})
	}
}

func forgeUnderServer(t *testing.T, f forgery) {
	dir := t.TempDir()
	face := facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	config := serveCmd{Data: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Eventlog: face.address}
	var logs buffer
	_, c, stop := startNode(t, config, &logs)
	o, other := openOffice(c.operator(config.Keys), "acme"), openOffice(c.operator(config.Keys), "other")
	made := o.agent.do(201, "POST", o.path("/executions"), callModel)
	ex := made.text("id")
	o.owner.do(200, "GET", o.path("/executions?min_position="+made.header.Get("Ledger-Position")), "")
	before := look(o, other, ex, func(c *client, path string) reply { return c.patient("GET", path, "", "") })

	log, err := eventstoredb.Open(t.Context(), face.address, eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	from := find(t, log, f.from, "acme/")
	stream := f.to(from, o, other)
	forge(t, log, f, stream, from)

	c.operator(config.Keys).waitStopped()
	unchanged(t, "beside the running server", before, look(o, other, ex, once))
	if !strings.Contains(logs.String(), "level=ERROR") || !strings.Contains(logs.String(), stream) {
		t.Errorf("the server does not name the stream %s loudly:\n%s", stream, logs.String())
	}
	if strings.Contains(stream, "/execution-"+ex) {
		r := o.agent.try("POST", o.path("/executions/"+ex+"/start"), "", fmt.Sprintf(`{"permit":%q,"action":{"kind":"llm.call","params":{}}}`, made.text("permit")))
		if r.status < 500 {
			t.Errorf("a command on the forged stream was answered %s", r)
		}
	}
	stop()
	fresh := config
	fresh.Data = filepath.Join(dir, "fresh")
	for when, again := range map[string]serveCmd{"after a restart": config, "on a new replica": fresh} {
		c, stop := startUnready(t, again)
		moved := func(o office) office {
			owner, agent := *o.owner, *o.agent
			owner.url, agent.url = c.url, c.url
			o.owner, o.agent = &owner, &agent
			return o
		}
		unchanged(t, when, before, look(moved(o), moved(other), ex, once))
		stop()
	}
	v := verdictOf(t, exitFailed, "--eventlog", face.address, "--keys", config.Keys)
	if len(v.Bad) != 1 || v.Bad[0].Stream != stream {
		t.Errorf("verify names %s", listed(v.Bad))
	}
}

// find answers the first record of a type in a workspace.
func find(t *testing.T, log eventlog.Log, typ, prefix string) *eventlog.Recorded {
	t.Helper()
	for r, err := range log.Read(t.Context(), eventlog.Query{TypePrefixes: []string{typ}}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(r.Stream, prefix) {
			return &r
		}
	}
	t.Fatalf("there is no %s", typ)
	return nil
}

// stopped reports whether models have stopped at a record, and all others are
// ready.
func (c *client) stopped() (some bool) {
	parts, _ := c.try("GET", "/readyz", "", "").fields["parts"].([]any)
	for _, p := range parts {
		part, _ := p.(map[string]any)
		reason, _ := part["reason"].(string)
		switch at := strings.Contains(reason, "position"); {
		case at:
			some = true
		case part["ready"] != true:
			return false
		}
	}
	return some
}

// waitStopped waits until some models have stopped at what is wrong and the
// others hold everything.
func (c *client) waitStopped() {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); !c.stopped(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("no model stopped at the forged record: %s", c.try("GET", "/readyz", "", ""))
		}
	}
}

// startUnready starts a server that is not expected to get ready, and waits
// until its models have stopped at what is wrong.
func startUnready(t *testing.T, config serveCmd) (*client, func()) {
	t.Helper()
	config.Listen, config.DrainTime = "127.0.0.1:0", 10*time.Second
	p := &program{ctx: context.Background(), out: io.Discard, err: io.Discard, now: time.Now, log: newLogger(io.Discard, "text", "info")}
	n, err := newNode(p.ctx, config, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	c := &client{t: t, url: n.URL()}
	c.operator(n.keys.Path()).waitStopped()
	return c, func() {
		cancel()
		<-ran
		if err := n.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}
