package search_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// Any time is covered by no more spans than asked for, wherever it begins.
func TestSpan(t *testing.T) {
	for _, row := range []struct {
		d      time.Duration
		groups int
		want   time.Duration
	}{
		{0, 100, time.Second}, {time.Minute, 100, time.Second}, {100 * time.Second, 100, 5 * time.Second}, {time.Hour, 100, time.Minute},
		{30 * 24 * time.Hour, 721, time.Hour}, {30 * 24 * time.Hour, 720, 3 * time.Hour}, {90 * 24 * time.Hour, 100, 24 * time.Hour},
		{10 * 365 * 24 * time.Hour, 100, 6 * 7 * 24 * time.Hour}, {time.Hour, 0, time.Hour},
	} {
		got := search.Span(row.d, row.groups)
		if got != row.want || got%time.Second != 0 {
			t.Errorf("Span(%s, %d) is %s, want %s", row.d, row.groups, got, row.want)
		}
		if spans := int(math.Ceil(float64(row.d)/float64(got))) + 1; spans > max(row.groups, 2) {
			t.Errorf("Span(%s, %d) makes up to %d spans", row.d, row.groups, spans)
		}
	}
}

func TestCursor(t *testing.T) {
	for _, order := range []search.Order{search.NewestFirst, search.OldestFirst} {
		for _, at := range []eventlog.Position{1, 35, 36, math.MaxInt64} {
			c := search.CursorAt(order, at)
			if got, err := c.Position(order); err != nil || got != at {
				t.Errorf("cursor %s is at %d (%v), want %d", c, got, err, at)
			}
			if _, err := c.Position(1 - order); !errors.Is(err, search.ErrCursor) {
				t.Errorf("cursor %s serves the other order: %v", c, err)
			}
		}
	}
	if at, err := search.Cursor("").Position(search.NewestFirst); err != nil || at != 0 {
		t.Errorf("no cursor is at %d: %v", at, err)
	}
}

// FuzzCursor holds that a cursor is one that CursorAt made, or refused.
func FuzzCursor(f *testing.F) {
	f.Add(string(search.CursorAt(search.OldestFirst, 12345)))
	f.Add("bjA")
	f.Fuzz(func(t *testing.T, text string) {
		for _, order := range []search.Order{search.NewestFirst, search.OldestFirst} {
			at, err := search.Cursor(text).Position(order)
			if err == nil && text != "" && string(search.CursorAt(order, at)) != text {
				t.Fatalf("%q is read as %d", text, at)
			}
		}
	})
}

// Every field and measure that is listed is one of a row.
func TestFieldsAndMeasures(t *testing.T) {
	r := search.Row{}
	for _, f := range search.Fields() {
		if _, ok := r.Text(f); !ok {
			t.Errorf("a row has no text %s", f)
		}
	}
	for _, m := range search.Measures() {
		if _, ok := r.Number(m); !ok {
			t.Errorf("a row has no number %s", m)
		}
	}
	if _, ok := r.Text("colour"); ok {
		t.Error("a row has a colour")
	}
	if _, ok := r.Number("weight"); ok {
		t.Error("a row has a weight")
	}
}
