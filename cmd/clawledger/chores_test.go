package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clawoffice/ledger/domain"
	domainprocess "github.com/clawoffice/ledger/domain/process"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/projections/process"
)

// Timers fire though nobody calls, after a restart too: they came due while
// the server was down.
func TestTimersFire(t *testing.T) {
	c := serveCmd{Data: filepath.Join(t.TempDir(), "data")}
	_, cl, stop := startNode(t, c, io.Discard)
	o := openOffice(cl.operator(filepath.Join(c.Data, "keys")), "acme")
	o.owner.do(200, "PUT", o.path("/policies/p"), `{"workflow":"chat","mode":"enforce","default":"allow","rules":[{"id":"slow","actions":["tool.call"],"effect":"require_approval",
		"approval":{"roles":["operations_supervisor"],"count":1,"expires_in":"20m","escalate":{"after":"5m","roles":["owner"]}}}]}`)
	o.owner.do(200, "PUT", o.path("/budgets/all"), `{"scope":{"workspace":true},"window":"total","timezone":"UTC","limits":{"calls":5},"mode":"enforce","alert_at":[]}`)
	asked := o.agent.do(201, "POST", o.path("/executions"), `{"workflow":"chat","action":{"kind":"tool.call","params":{"x":1}}}`)
	ex := o.startExecution()
	o.agent.do(201, "POST", o.path("/executions/"+ex+"/prompts"), `{"model":"m","content":"hi","max_output_tokens":5,"expires_in":"1m"}`)
	approval := o.path("/approvals/" + asked.text("approval_id"))
	wait := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s never comes", what)
			}
		}
	}
	restart := func(later time.Duration) {
		stop()
		_, cl, stop = startNodeAt(t, c, io.Discard, func() time.Time { return time.Now().Add(later) })
		o.owner.url, o.agent.url = cl.url, cl.url
	}
	restart(6 * time.Minute)
	wait("the escalation", func() bool { return o.owner.do(200, "GET", approval, "").fields["escalated"] == true })
	wait("the reservation's expiry", func() bool { return len(o.events("budget.expired.v1")) == 1 })
	restart(time.Hour)
	wait("the approval's expiry", func() bool { return len(o.events("approval.expired.v1")) == 1 })
	wait("the denial", func() bool {
		return o.agent.do(200, "GET", o.path("/executions/"+asked.text("id")), "").text("status") == "denied"
	})
	for _, kind := range []string{"approval.escalated.v1", "approval.expired.v1", "budget.expired.v1", "execution.action_denied.v1"} {
		all := o.events(kind)
		if len(all) != 1 || all[0]["actor"] != "service:process" {
			t.Errorf("%s: %v; want one, by the process", kind, all)
		}
	}
}

// events lists the records of a type.
func (o office) events(kind string) (all []map[string]any) {
	items, _ := o.owner.do(200, "GET", o.path("/events?type="+kind), "").fields["items"].([]any)
	for _, i := range items {
		item, _ := i.(map[string]any)
		all = append(all, item)
	}
	return all
}

// owing is a stand-in for the model: what is owed until it is taken off.
type owing struct {
	mu   sync.Mutex
	owed []process.Owed
}

func (o *owing) due(now time.Time, limit int) (list []process.Owed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.owed {
		if !x.Due.After(now) && len(list) < limit {
			list = append(list, x)
		}
	}
	return list
}

func (o *owing) still(x process.Owed) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, y := range o.owed {
		if x.Command.Key() == y.Command.Key() && x.Due.Equal(y.Due) {
			return true
		}
	}
	return false
}

func newChores(o *owing, perform func(context.Context, domain.WorkspaceID, domainprocess.Command) error) *chores {
	yes := func() bool { return true }
	return &chores{held: yes, fresh: yes, due: o.due, still: o.still, perform: perform, now: time.Now, log: slog.New(slog.DiscardHandler),
		taken: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "taken"}, []string{"step", "result"}), attempts: map[string]*attempt{}}
}

func settle(id string) process.Owed {
	return process.Owed{Workspace: "acme", Due: time.Now(), Command: domainprocess.Command{Step: domainprocess.Settle, Reservation: domain.ReservationID(id)}}
}

// A step that fails is tried again after growing pauses, and one that succeeds
// without effect is not tried all the time.
func TestFailingStepsAreTriedAgain(t *testing.T) {
	for name, err := range map[string]error{"failing": errors.New("no"), "without effect": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &owing{owed: []process.Owed{settle("rs_1")}}
				var at []time.Time
				c := newChores(o, func(context.Context, domain.WorkspaceID, domainprocess.Command) error {
					at = append(at, time.Now())
					return err
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				c.run(ctx)
				if len(at) < 10 || len(at) > 40 {
					t.Errorf("tried %d times in an hour", len(at))
				}
				for i := 2; i < len(at); i++ {
					if pause, before := at[i].Sub(at[i-1]), at[i-1].Sub(at[i-2]); pause < before-choreLook || pause > choreLongest+2*choreLook {
						t.Errorf("pause %d is %v after one of %v", i, pause, before)
					}
				}
			})
		})
	}
}

// A receiver that hangs holds up neither other receivers nor the timers.
func TestSlowReceiverHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &owing{}
		for i := range 100 {
			o.owed = append(o.owed, process.Owed{Workspace: "acme", Due: time.Now(), Command: domainprocess.Command{Step: domainprocess.Notify,
				Webhook: "wh_slow", Notice: &webhook.Notice{Delivery: domain.DeliveryID(fmt.Sprint("dl_", i))}}})
		}
		o.owed = append(o.owed, settle("rs_1"), process.Owed{Workspace: "acme", Due: time.Now(), Command: domainprocess.Command{Step: domainprocess.Notify,
			Webhook: "wh_quick", Notice: &webhook.Notice{Delivery: "dl_quick"}}})
		taken := make(chan domainprocess.Command, 200)
		c := newChores(o, func(ctx context.Context, _ domain.WorkspaceID, step domainprocess.Command) error {
			if step.Webhook == "wh_slow" {
				<-ctx.Done()
				return ctx.Err()
			}
			taken <- step
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), choreLook+time.Millisecond)
		defer cancel()
		c.run(ctx)
		if len(taken) != 2 {
			t.Errorf("%d steps were taken beside a slow receiver, want both", len(taken))
		}
	})
}
