package http

import (
	"context"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/projections/directory"
)

// handlersOf are handlers that can be called one by one, with the context of a
// call of the owner's.
func handlersOf(t *testing.T, w *world, config Config) (*handlers, callContext) {
	h := &handlers{service: config.Service, access: config.Access, models: config.Models, directory: config.Directory, now: time.Now, server: w.server}
	caller, err := w.server.gate.Identify(t.Context(), w.owner)
	if err != nil {
		t.Fatal(err)
	}
	return h, callContext{t.Context(), &call{op: operationNamed(t, "listMembers"), caller: caller, token: w.owner}}
}

// TestNamesAreWaitedFor holds the directory back, which alone knows where names
// are: whoever asks waits for it, or hears that it is late, and is not shown a
// member without a name.
func TestNamesAreWaitedFor(t *testing.T) {
	var config Config
	w := newWorld(t, func(c *Config) { config = *c })
	w.must(200, "GET", "/v1/workspaces/acme/members?min_position="+w.head(), w.owner, "")
	release := func() { w.lists.Unlock() }
	w.lists.Lock()
	defer func() { release() }()
	id := w.must(201, "POST", "/v1/workspaces/acme/members", w.owner, `{"email":"new@acme.test","name":"Nora New","roles":["member"]}`).text("id")

	h, ctx := handlersOf(t, w, config)
	s, err := h.service.Workspace(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := s.Members.Get(domain.MemberID(id))
	brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if got, err := h.member(callContext{brief, ctx.call}, "acme", domain.MemberID(id), m); codeOf(err) != "catching_up" {
		t.Errorf("from a directory that does not get there: %+v, %v", got, err)
	}
	w.server.depart(ctx.call)

	paths := []string{"/v1/workspaces/acme/members?status=invited", "/v1/workspaces/acme/members/" + id}
	answers := make(chan answer, len(paths))
	for _, path := range paths {
		go func() { answers <- w.do("GET", path, w.owner, "") }()
	}
	waiting := &w.server.limits.credentials.get(string(ctx.call.caller.Credential)).waiting
	waitFor(t, "the reads to wait", func() bool { return waiting.Load() == int64(len(paths)) || len(answers) > 0 })
	release()
	release = func() {}
	for range paths {
		a := <-answers
		shown := a.body
		if list, ok := a.at("items").([]any); ok && len(list) == 1 {
			shown, _ = list[0].(map[string]any)
		}
		if a.status != 200 || shown["name"] != "Nora New" || shown["email"] != "new@acme.test" {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
}

// TestErasedWhileAsked is a directory made after an erasure that whoever asks
// has not heard of yet: nothing is late, so the member is erased.
func TestErasedWhileAsked(t *testing.T) {
	w := newWorld(t)
	w.must(200, "POST", erasePath, w.owner, `{"member":"`+w.superID+`","reason":"request 7"}`)
	var config Config
	other := serverOn(t, w.fixture, func(c *Config) { config = *c })
	other.owner = w.owner
	h, ctx := handlersOf(t, other, config)
	id := domain.MemberID(w.superID)
	var m workspace.Member
	waitFor(t, "the erasure", func() bool {
		s, err := h.service.Workspace(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		m, _ = s.Members.Get(id)
		return m.Erased
	})
	if err := h.models.CatchUp(ctx, directory.Name); err != nil {
		t.Fatal(err)
	}
	m.Erased = false
	got, err := h.member(ctx, "acme", id, m)
	if err != nil || !got.Erased || got.Name != "" || got.Email != "" {
		t.Errorf("%+v, %v", got, err)
	}
	other.server.depart(ctx.call)
}
