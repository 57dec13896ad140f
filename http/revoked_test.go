package http

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A token, a role or a member that was taken away is refused from the moment
// the call that took it away has answered, however many calls are under way.
func TestGoneFromTheAnswerOn(t *testing.T) {
	w := newWorld(t)
	agentToken := func() (token, id, agent string) {
		agent = w.must(201, "POST", "/v1/workspaces/acme/agents", w.owner, `{"name":"a"}`).text("id")
		made := w.must(201, "POST", "/v1/workspaces/acme/agents/"+agent+"/tokens", w.owner, `{"name":"t"}`)
		return made.text("token"), made.text("id"), agent
	}
	const request = `{"workflow":"w","action":{"kind":"llm.call","params":{}}}`
	asks := func(token string) answer {
		return w.do("POST", "/v1/workspaces/acme/executions", token, request)
	}
	reads := func(token string) answer { return w.do("GET", "/v1/workspaces/acme/members", token, "") }
	for _, row := range []struct {
		name  string
		begin func() (token string, takeAway func())
		call  func(token string) answer
		good  int
		want  int // afterwards
	}{
		{"a token", func() (string, func()) {
			token, id, _ := agentToken()
			return token, func() { w.must(204, "DELETE", "/v1/workspaces/acme/tokens/"+id, w.owner, "") }
		}, asks, 201, 401},
		{"an agent", func() (string, func()) {
			token, _, agent := agentToken()
			return token, func() { w.must(204, "DELETE", "/v1/workspaces/acme/agents/"+agent, w.owner, "") }
		}, asks, 201, 401},
		{"a member", func() (string, func()) {
			token, id := w.join("gone@acme.test", "G", "member")
			return token, func() { w.must(204, "DELETE", "/v1/workspaces/acme/members/"+id, w.owner, "") }
		}, reads, 200, 401},
		{"a role", func() (string, func()) {
			token, id := w.join("less@acme.test", "L", "member")
			return token, func() {
				w.must(200, "PUT", "/v1/workspaces/acme/members/"+id+"/roles", w.owner, `{"roles":["agent"]}`)
			}
		}, reads, 200, 403},
		{"what a role carries", func() (string, func()) {
			w.must(200, "PUT", "/v1/workspaces/acme/roles/reader", w.owner, `{"permissions":["member.read"]}`)
			token, _ := w.join("role@acme.test", "R", "reader")
			return token, func() { w.must(200, "PUT", "/v1/workspaces/acme/roles/reader", w.owner, `{"permissions":[]}`) }
		}, reads, 200, 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			token, takeAway := row.begin()
			if a := row.call(token); a.status != row.good {
				t.Fatalf("before: %d %s", a.status, a.raw)
			}
			var answered atomic.Bool
			var late atomic.Int64
			var callers sync.WaitGroup
			for range 4 {
				callers.Go(func() {
					for after := 0; after < 5; {
						was := answered.Load() // before the call is sent
						a := row.call(token)
						if was {
							after++
							if a.status != row.want {
								late.Add(1)
							}
						}
					}
				})
			}
			takeAway()
			answered.Store(true)
			callers.Wait()
			if n := late.Load(); n > 0 {
				t.Errorf("%d of 20 calls sent after the answer were not refused with %d", n, row.want)
			}
		})
	}
}
