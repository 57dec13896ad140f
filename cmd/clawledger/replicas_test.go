package main

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// right is something that is taken away: a call that uses it, what the call is
// answered while it is held, and afterwards, and how it is taken.
type right struct {
	method, path, body string
	token              string
	held, lost         int
	take               func(through *client) reply
}

// TestRightTakenAwayIsGoneEverywhere takes rights away through one of three
// replicas, under load: none of them honours a call that begins after the
// taking was answered.
func TestRightTakenAwayIsGoneEverywhere(t *testing.T) {
	dir := t.TempDir()
	keys, face := filepath.Join(dir, "keys"), facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	var replicas []*client
	for i := range 3 {
		_, c := serving(t, "--data", filepath.Join(dir, fmt.Sprint("replica", i)), "--keys", keys, "--eventlog", face.address)
		replicas = append(replicas, c)
	}
	o := openOffice(replicas[0].operator(keys), "acme")
	for _, r := range replicas {
		busy := o
		busy.agent = r.as(o.agent.token)
		l := startCrowd(busy, 2)
		defer l.end()
	}
	n := rounds(5, 100)
	asked := 0
	for round := range n {
		owner := replicas[round%3].as(o.owner.token)
		asked += takeAway(t, replicas, makeRight(owner, o, round), replicas[(round+1)%3].as(o.owner.token), round)
	}
	t.Logf("%d rights taken away; %d calls began afterwards and were all refused", n, asked)
}

// makeRight makes a right of another kind each round.
func makeRight(owner *client, o office, round int) right {
	switch round % 3 {
	case 0:
		token := owner.do(201, "POST", o.path("/agents/"+o.agentID+"/tokens"), `{"name":"t"}`)
		return right{"POST", o.path("/executions"), callModel, token.text("token"), 201, 401,
			func(c *client) reply { return c.patient("DELETE", o.path("/tokens/"+token.text("id")), "", "") }}
	case 1:
		agent := owner.do(201, "POST", o.path("/agents"), `{"name":"brief","roles":["agent"]}`).text("id")
		token := owner.do(201, "POST", o.path("/agents/"+agent+"/tokens"), `{"name":"t"}`).text("token")
		return right{"POST", o.path("/executions"), callModel, token, 201, 401,
			func(c *client) reply { return c.patient("DELETE", o.path("/agents/"+agent), "", "") }}
	}
	invited := owner.do(201, "POST", o.path("/members"), fmt.Sprintf(`{"email":"m%d@acme.test","name":"M","roles":["auditor"]}`, round))
	joined := owner.as("").do(201, "POST", "/v1/invitations:accept", fmt.Sprintf(`{"invitation_token":%q}`, invited.text("invitation_token")))
	return right{"GET", o.path("/events?limit=1"), "", joined.text("token"), 200, 403,
		func(c *client) reply {
			return c.patient("PUT", o.path("/members/"+joined.text("member")+"/roles"), "", `{"roles":["member"]}`)
		}}
}

// takeAway uses a right on all replicas while it is taken away through one.
func takeAway(t *testing.T, replicas []*client, r right, through *client, round int) (asked int) {
	t.Helper()
	var work sync.WaitGroup
	var taken, stop atomic.Bool
	var late atomic.Int64
	for i, replica := range replicas {
		caller := replica.as(r.token)
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			got := caller.try(r.method, r.path, "", r.body)
			if got.status == r.held {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("round %d: replica %d does not know the right: %s", round, i, got)
			}
		}
		work.Go(func() {
			for !stop.Load() {
				after := taken.Load() // before the call begins
				got := caller.try(r.method, r.path, "", r.body)
				spared := got.status == 429 || got.late() // refusals of one address are limited; and nothing is honoured by who is behind
				switch {
				case got.status == r.lost, spared, !after && (got.status == 503 || got.status == 403):
				case after:
					t.Errorf("round %d: replica %d answered %d after the right was taken away: %s", round, i, got.status, got)
				case got.status != r.held:
					t.Errorf("round %d: replica %d: %s", round, i, got)
				}
				if after && !spared {
					late.Add(1)
				}
				if got.status != r.held {
					time.Sleep(30 * time.Millisecond)
				}
			}
		})
	}
	if got := r.take(through); got.status != 204 && got.status != 200 {
		t.Errorf("round %d: taking the right away: %s", round, got)
	}
	taken.Store(true)
	for end := time.Now().Add(30 * time.Second); late.Load() < 12 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	work.Wait()
	return int(late.Load())
}
