package eventlogtest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// wantRecords compares what was read with what was appended to stream from
// revision first on. What the engine chose (position, time) is only checked
// for being there.
func (e *env) wantRecords(got []eventlog.Recorded, stream string, first int64, want []eventlog.Event) {
	e.Helper()
	expected := make([]eventlog.Recorded, len(want))
	for i, ev := range want {
		expected[i] = eventlog.Recorded{Event: ev, Stream: stream, Revision: first + int64(i)}
	}
	ignore := cmpopts.IgnoreFields(eventlog.Recorded{}, "Position", "Created")
	if diff := cmp.Diff(expected, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("records of %s (-want +got):\n%s", stream, diff)
	}
	for _, r := range got {
		e.wantStamped(r)
	}
}

// wantStamped checks what every engine adds. The clock may be another
// machine's, so the time is only required to be plausible.
func (e *env) wantStamped(r eventlog.Recorded) {
	e.Helper()
	if r.Position == 0 {
		e.Errorf("%s@%d: position 0 stands before the first record", r.Stream, r.Revision)
	}
	if away := time.Since(r.Created).Abs(); away > 24*time.Hour {
		e.Errorf("%s@%d: created %v, %v from now", r.Stream, r.Revision, r.Created, away)
	}
}

func (e *env) wantGrowing(got []eventlog.Recorded) {
	e.Helper()
	for i := 1; i < len(got); i++ {
		if got[i].Position <= got[i-1].Position {
			e.Errorf("record %d at position %d follows position %d", i, got[i].Position, got[i-1].Position)
		}
	}
}

// same compares two reads of the same records completely.
func (e *env) same(got, want []eventlog.Recorded, what string) {
	e.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func reversed(in []eventlog.Recorded) []eventlog.Recorded {
	out := make([]eventlog.Recorded, 0, len(in))
	for i := len(in) - 1; i >= 0; i-- {
		out = append(out, in[i])
	}
	return out
}
