package eventlogtest_test

import (
	"errors"
	"testing"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/eventlogtest"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
)

func TestFaulty(t *testing.T) {
	engine, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	rows := []struct {
		name   string
		fault  eventlogtest.Fault
		want   error
		stored int
	}{
		{"none", eventlogtest.None, nil, 1},
		{"before", eventlogtest.Before, eventlog.ErrUnavailable, 0},
		{"lost", eventlogtest.Lost, eventlog.ErrUnknownOutcome, 0},
		{"after", eventlogtest.After, eventlog.ErrUnknownOutcome, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			log := eventlogtest.NewFaulty(engine, func(call int, stream string) eventlogtest.Fault {
				if call == 0 && stream == "acme/"+row.name {
					return row.fault
				}
				return eventlogtest.None
			})
			events := []eventlog.Event{{ID: [16]byte{1}, Type: "a.v1"}}
			stream := "acme/" + row.name
			if _, err := log.Append(t.Context(), stream, eventlog.NoStream, events); !errors.Is(err, row.want) {
				t.Errorf("error %v, want %v", err, row.want)
			}
			stored := 0
			for _, err := range log.Read(t.Context(), eventlog.Query{Stream: stream}) {
				if err != nil {
					t.Fatal(err)
				}
				stored++
			}
			if stored != row.stored {
				t.Errorf("%d records are stored, want %d", stored, row.stored)
			}
			if got, err := log.Append(t.Context(), stream, eventlog.NoStream, events); err != nil || got.Revision != 0 {
				t.Errorf("the same append again: %+v, %v", got, err)
			}
			if log.Calls() != 2 {
				t.Errorf("%d calls, want 2", log.Calls())
			}
		})
	}
}
