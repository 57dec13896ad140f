package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The bench finds out for each read model how far it is behind, and writes as
// many events as it says.
func TestBenchLag(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"bench", "--scenario", "lag", "--rate", "100", "--connections", "4", "--duration", "1s", "--json"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var report benchReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	s := report.Scenarios[0]
	late := strings.Contains(s.FirstError, "stale_model") // as the server of a busy machine may be
	if s.Errors != 0 && !late || s.Operations == 0 || s.EventsPerSecond <= 0 {
		t.Errorf("%+v", s)
	}
	var names []string
	for _, l := range s.Lag {
		names = append(names, l.Projection)
		if l.Writes < s.Operations/2 || l.P50 > l.P99 || l.P99 > l.Max || l.Max <= 0 {
			t.Errorf("%+v of %d operations", l, s.Operations)
		}
	}
	slices.Sort(names)
	if want := []string{"access", "approvals", "directory", "process", "search", "spending"}; !slices.Equal(names, want) {
		t.Errorf("lag of %q, want %q", names, want)
	}
}

// A server elsewhere can't be looked into.
func TestBenchLagNeedsItsOwnServer(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"bench", "--scenario", "lag", "--url", "http://127.0.0.1:1"}, &out, &errs); code == 0 {
		t.Errorf("lag was measured at a URL: %s", out.String())
	}
}
