package projections_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/internal/ledger/ledgertest"
	"github.com/clawoffice/ledger/projections"
)

func TestRebuild(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	put(t, f, "acme/execution-1", "execution.a.v1", 50)
	last := put(t, f, "acme/policy-main", "policy.written.v1", 5)
	m, err := projections.New(f.Ledger, dir, projections.Options{}, newTally("all"), newTally("some", "policy."), newTally("none"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		at := map[string]eventlog.Position{}
		err := m.Rebuild(context.Background(), []string{"all", "some"}, func(name string, position, end eventlog.Position) {
			if end != last || position < at[name] {
				t.Errorf("%s is told at %d of %d after %d", name, position, end, at[name])
			}
			at[name] = position
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]eventlog.Position{"all": last, "some": last}, at); diff != "" {
			t.Error(diff)
		}
		same(t, wanted(t, f.Ledger), rows(t, dir, "all"))
		same(t, wanted(t, f.Ledger, "policy."), rows(t, dir, "some"))
	}
	if _, err := os.Stat(filepath.Join(dir, "models", "none.db")); err == nil {
		t.Error("a model that was not named was made")
	}
	if err := m.Rebuild(context.Background(), []string{"nobody"}, nil); !errors.Is(err, projections.ErrUnknown) {
		t.Errorf("rebuilding nobody: %v", err)
	}
	poisoned := newTally("all")
	poisoned.apply = func(*ledger.Record) error { return errInjected }
	if m, err = projections.New(f.Ledger, dir, projections.Options{Logger: slog.New(slog.DiscardHandler)}, poisoned); err != nil {
		t.Fatal(err)
	}
	if err := m.Rebuild(context.Background(), nil, nil); !errors.Is(err, projections.ErrStopped) {
		t.Errorf("rebuilding over a poison record: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	f, registry := ledgertest.New(t), prometheus.NewPedanticRegistry()
	last := put(t, f, "acme/execution-1", "execution.a.v1", 5)
	m, err := projections.New(f.Ledger, t.TempDir(), projections.Options{Metrics: registry}, newTally("all"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Rebuild(context.Background(), nil, nil); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if c := metric.GetCounter(); c != nil {
				got[family.GetName()] += c.GetValue()
			} else if h := metric.GetHistogram(); h != nil {
				got[family.GetName()] += float64(h.GetSampleCount())
			} else {
				got[family.GetName()] = metric.GetGauge().GetValue()
			}
		}
	}
	applied := float64(len(wanted(t, f.Ledger)))
	if got["clawledger_projection_records_total"] != applied || got["clawledger_projection_handling_seconds"] != applied ||
		got["clawledger_projection_flush_seconds"] == 0 || got["clawledger_projection_stopped"] != 0 || got["clawledger_projection_lag_positions"] != 0 {
		t.Errorf("after %v records up to %d: %v", applied, last, got)
	}
	if _, ok := got["clawledger_projection_lag_seconds"]; !ok {
		t.Error("no lag in seconds")
	}
	if _, err := projections.New(f.Ledger, t.TempDir(), projections.Options{Metrics: registry}); err == nil {
		t.Error("metrics were registered twice")
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	f, dir := ledgertest.New(t), t.TempDir()
	put(t, f, "acme/execution-1", "execution.a.v1", 50)
	before := runtime.NumGoroutine()
	for range 3 {
		c := newTally("all")
		c.flush = func() error { return errInjected }
		m, stop := running(t, f.Ledger, dir, newTally("some", "policy."), c)
		until(t, "retrying", func() bool { return healthOf(m, "all").Condition == projections.Retrying })
		stop()
	}
	until(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= before })
}
