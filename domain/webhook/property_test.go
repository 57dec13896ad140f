package webhook_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/webhook"
)

// fate is what the events said of one delivery.
type fate struct {
	attempts int
	over     bool
	next     time.Time
}

// TestPropertyEveryDeliveryEndsOnce does anything in any order and holds the
// events against what a receiver may expect: attempts are numbered without
// gaps, none comes before it is due or after the end, there are at most ten,
// and nothing is due while the receiver is disabled or gone.
func TestPropertyEveryDeliveryEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := domain.Fold[webhook.State, webhook.Command, webhook.Event](webhook.State{}, registered())
		now, fates, version, disabled, removed := at(0), map[domain.DeliveryID]*fate{}, 1, false, false
		of := func(id domain.DeliveryID) *fate {
			if fates[id] == nil {
				fates[id] = &fate{}
			}
			return fates[id]
		}
		tried := func(id domain.DeliveryID, attempt int, over bool, next time.Time) {
			f := of(id)
			if f.over || attempt != f.attempts+1 || attempt > 10 || now.Before(f.next) {
				rt.Fatalf("attempt %d of %s at %s after %+v", attempt, id, now, f)
			}
			*f = fate{attempt, over, next}
		}
		check := func(e webhook.Event) {
			switch e := e.(type) {
			case webhook.Delivered:
				tried(e.Notice.Delivery, e.Attempt, true, time.Time{})
			case webhook.AttemptFailed:
				tried(e.Notice.Delivery, e.Attempt, false, e.Next)
				if pause := webhook.Pause(e.Attempt); e.Next.Before(now.Add(pause)) || e.Next.After(now.Add(25*time.Hour*24)) {
					rt.Fatalf("attempt %d at %s, next at %s", e.Attempt, now, e.Next)
				}
			case webhook.Abandoned:
				tried(e.Notice.Delivery, e.Attempt, true, time.Time{})
				if e.Attempt < 10 && e.Status != 410 && !disabled {
					rt.Fatalf("abandoned at attempt %d", e.Attempt)
				}
			case webhook.Changed:
				if e.Version != version+1 {
					rt.Fatalf("version %d after %d", e.Version, version)
				}
				version, disabled = e.Version, e.Disabled
				for id, f := range fates {
					if disabled && !f.over {
						delete(fates, id) // forgotten
					}
				}
			case webhook.Removed:
				removed = true
			}
		}
		do := func(c webhook.Command) {
			events, _ := s.Decide(c)
			if removed && len(events) > 0 {
				rt.Fatalf("%T of a removed receiver: %v", c, events)
			}
			for _, e := range events {
				check(e)
				s = s.Evolve(e)
			}
		}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, time.Hour, 26 * time.Hour}).Draw(rt, "later"))
			n := notice(fmt.Sprint("dl_", rapid.IntRange(0, 4).Draw(rt, "delivery")), 0)
			switch rapid.IntRange(0, 15).Draw(rt, "what") {
			case 0:
				do(webhook.Change{URL: hook, Disabled: rapid.Bool().Draw(rt, "off"), At: now})
			case 1:
				do(webhook.RotateSecret{At: now})
			case 2:
				do(webhook.RequestTest{Delivery: n.Delivery, At: now})
			case 3:
				if rapid.IntRange(0, 20).Draw(rt, "remove") == 0 {
					do(webhook.Remove{At: now})
				}
			default:
				attempt, due := s.Due(n, now)
				if f := of(n.Delivery); due && (disabled || removed || f.over || now.Before(f.next)) {
					rt.Fatalf("%s is due at %s: disabled %v, removed %v, %+v", n.Delivery, now, disabled, removed, f)
				}
				if !due {
					continue
				}
				c := webhook.RecordAttempt{Notice: n, Attempt: attempt, At: now, Outcome: rapid.SampledFrom([]webhook.Outcome{{Status: 200},
					{Failure: webhook.FailedTimeout}, {Failure: webhook.FailedTimeout}, {Failure: webhook.FailedStatus, Status: 503, RetryAfter: time.Hour},
					{Failure: webhook.FailedConnect}, {Failure: webhook.FailedStatus, Status: 410}}).Draw(rt, "outcome")}
				do(c)
				before := s.Begun
				do(c) // twice is once
				if s.Begun != before || of(n.Delivery).attempts != attempt {
					rt.Fatalf("attempt %d counted twice", attempt)
				}
			}
		}
		waiting := 0
		for _, f := range fates {
			if f.attempts > 0 && !f.over {
				waiting++
			}
		}
		if !removed && s.Waiting() < waiting {
			rt.Fatalf("%d wait, want at least %d", s.Waiting(), waiting)
		}
	})
}
