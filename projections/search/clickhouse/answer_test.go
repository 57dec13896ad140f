package clickhouse

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/searchtest/corpus"
)

func TestAnswer(t *testing.T) {
	rows := append(corpus.New(3, 100).Batch(100).Rows, search.Row{Time: time.UnixMicro(0).UTC()},
		search.Row{Time: time.UnixMicro(1).UTC(), Actor: domain.Actor{ID: "of no kind"}, Cost: math.MinInt64, Severity: math.MaxUint8, Stream: "\x00\xff"})
	for _, want := range rows {
		got := search.Row{Workspace: want.Workspace, Position: want.Position}
		err := decode(encode(&want), &got)
		want.Tags = nil
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// FuzzDecode holds that anything is either an answer, as encode makes it, or
// refused.
func FuzzDecode(f *testing.F) {
	for _, r := range corpus.New(3, 100).Batch(5).Rows {
		f.Add(encode(&r))
	}
	f.Fuzz(func(t *testing.T, answer string) {
		var r, again search.Row
		switch err := decode(answer, &r); {
		case err != nil && !errors.Is(err, search.ErrDamaged):
			t.Fatalf("got %v, want that the index is damaged", err)
		case err == nil:
			if err := decode(encode(&r), &again); err != nil || !cmp.Equal(r, again) {
				t.Fatalf("%+v becomes %+v: %v", r, again, err)
			}
		}
	})
}
