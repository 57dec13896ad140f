package commands

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
)

// replicas makes so many services on one log.
func replicas(t *testing.T, log eventlog.Log, n int) []*Lease {
	keys := ledgertest.Keys(t)
	var all []*Lease
	for range n {
		s := New(Config{Log: ledgertest.On(t, log, keys).Ledger, Secret: keys.Secret(), Permits: signing{keys}, Shared: true,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { _ = s.Close(context.Background()) })
		all = append(all, s.NewLease(true))
	}
	return all
}

// holders counts who believes to hold the lease.
func holders(all []*Lease) (n int) {
	for _, l := range all {
		if l.Held() {
			n++
		}
	}
	return n
}

func TestOneReplicaHoldsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := ledgertest.Engine(t)
		defer log.Close()
		all := replicas(t, log, 3)
		// turns has those that live take part for so long, and watches.
		turns := func(d time.Duration, living ...*Lease) (without time.Duration) {
			t.Helper()
			for passed := time.Duration(0); passed < d; passed += leaseLook {
				for _, l := range living {
					if err := l.turn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				switch holders(all) {
				case 0:
					without += leaseLook
				case 1:
				default:
					t.Fatalf("%d replicas hold the lease", holders(all))
				}
				time.Sleep(leaseLook)
			}
			return without
		}
		if without := turns(5*time.Minute, all...); without != 0 {
			t.Errorf("nobody held the lease for %v", without)
		}
		first, rest := all[0], all[1:]
		if !first.Held() {
			first, rest = all[1], []*Lease{all[0], all[2]}
		}
		if without := turns(5*time.Minute, rest...); without == 0 || without > leaseExpiry {
			t.Errorf("after the holder died nobody held the lease for %v; want some time, at most %v", without, leaseExpiry)
		}
		if turns(time.Minute, all...) != 0 || first.Held() {
			t.Error("the former holder, back again, took the lease from one who lives")
		}
		for _, l := range rest {
			l.release()
		}
		if without := turns(time.Minute, first); without != 0 {
			t.Errorf("given back, the lease waited %v for another", without)
		}
	})
}

// A holder that can't reach the log stops believing before others take over.
func TestCutOffHolderStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := ledgertest.Engine(t)
		defer log.Close()
		all := replicas(t, log, 2)
		if err := all[0].turn(t.Context()); err != nil || !all[0].Held() {
			t.Fatalf("the first does not hold a lease that nobody has: %v", err)
		}
		if err := all[1].turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 * leaseExpiry / leaseLook {
			time.Sleep(leaseLook)
			if err := all[1].turn(t.Context()); err != nil { // the first takes no turn
				t.Fatal(err)
			}
			if holders(all) > 1 {
				t.Fatal("two hold the lease")
			}
		}
		if !all[1].Held() {
			t.Error("nobody took over")
		}
	})
}

func TestAloneTheLeaseIsAlwaysHeld(t *testing.T) {
	w := newWorld(t, ledgertest.Engine(t))
	before := count(t, w.f.Log)
	l := w.s.NewLease(false)
	l.Run(t.Context())
	if !l.Held() || count(t, w.f.Log) != before {
		t.Error("a process that is alone asks for the lease")
	}
}
