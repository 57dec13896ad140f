package console

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

func TestHistograms(t *testing.T) {
	at := func(text string) time.Time {
		out, err := time.Parse("15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		return out.AddDate(2026, 10, 1)
	}
	spans := func(pairs ...any) (list []api.Span) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, api.Span{From: at(pairs[i].(string)), Events: int64(pairs[i+1].(int))})
		}
		return list
	}
	for _, c := range []struct {
		name     string
		every    int64
		items    []api.Span
		from, to time.Time
		start    string
		heights  []int64
		total    int64
		label    string // of the first bar
		ticks    string
	}{
		{"nothing, of any time", 3600, nil, time.Time{}, time.Time{}, "", nil, 0, "", ""},
		{"nothing, in a time", 60, nil, at("10:00:00"), at("10:02:00"), "10:00:00", []int64{0, 0}, 0, "2026-11-02 10:00 to 2026-11-02 10:01 UTC: 0 events", "10:00:00 10:01:00 10:02:00"},
		{"one", 1, spans("10:00:07", 1), time.Time{}, time.Time{}, "10:00:07", []int64{100}, 1, "2026-11-02 10:00:07 to 2026-11-02 10:00:08 UTC: 1 event", "10:00:07 10:00:08"},
		{"with a gap", 60, spans("10:00:00", 50, "10:03:00", 200), time.Time{}, time.Time{}, "10:00:00", []int64{25, 0, 0, 100}, 250, "2026-11-02 10:00 to 2026-11-02 10:01 UTC: 50 events", "10:00:00 10:01:00 10:02:00 10:03:00 10:04:00"},
		{"few beside many are seen", 60, spans("10:00:00", 1, "10:01:00", 100000), time.Time{}, time.Time{}, "10:00:00", []int64{3, 100}, 100001, "2026-11-02 10:00 to 2026-11-02 10:01 UTC: 1 event", "10:00:00 10:01:00 10:02:00"},
		{"within bounds", 60, spans("10:01:00", 4), at("10:00:20"), at("10:02:10"), "10:00:00", []int64{0, 100, 0}, 4, "2026-11-02 10:00 to 2026-11-02 10:01 UTC: 0 events", "10:00:00 10:01:00 10:02:00 10:03:00"},
		{"spans that begin elsewhere", 60, spans("10:00:30", 2, "10:01:30", 4), at("10:00:40"), at("10:02:10"), "10:00:30", []int64{50, 100}, 6, "2026-11-02 10:00:30 to 2026-11-02 10:01:30 UTC: 2 events", "10:00:30 10:01:30 10:02:30"},
		{"a count beyond the end is shown", 60, spans("10:00:00", 2, "10:02:00", 4), at("10:00:00"), at("10:01:00"), "10:00:00", []int64{50, 0, 100}, 6, "2026-11-02 10:00 to 2026-11-02 10:01 UTC: 2 events", "10:00:00 10:01:00 10:02:00 10:03:00"},
		{"no width is a second", 0, spans("10:00:00", 2), time.Time{}, time.Time{}, "10:00:00", []int64{100}, 2, "2026-11-02 10:00:00 to 2026-11-02 10:00:01 UTC: 2 events", "10:00:00 10:00:01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHistogram(api.Histogram{Every: c.every, Items: c.items}, c.from, c.to)
			var heights []int64
			for i, b := range h.Bars {
				heights = append(heights, b.Height)
				if b.Y()+b.Height != 100 || b.To.Sub(b.From) != time.Duration(h.Every)*time.Second || i > 0 && !b.From.Equal(h.Bars[i-1].To) {
					t.Errorf("bar %d: %+v", i, b)
				}
			}
			if diff := cmp.Diff(c.heights, heights); diff != "" {
				t.Errorf("heights: %s", diff)
			}
			if h.Total != c.total {
				t.Errorf("total %d, want %d", h.Total, c.total)
			}
			if len(h.Bars) == 0 {
				return
			}
			if h.Start != at(c.start).Unix() || h.Bars[0].Label != c.label || strings.Join(h.Ticks, " ") != c.ticks {
				t.Errorf("starts %s, says %q, ticks %v", time.Unix(h.Start, 0).UTC(), h.Bars[0].Label, h.Ticks)
			}
		})
	}
}

func TestHistogramsStayDrawable(t *testing.T) {
	items := []api.Span{{From: day.AddDate(-9, 0, 0), Events: 3}, {From: day, Events: 4}}
	h := newHistogram(api.Histogram{Every: 1, Items: items}, time.Time{}, time.Time{})
	if len(h.Bars) < 2 || len(h.Bars) > maxBars+1 || h.Total != 7 || h.Bars[0].Events+h.Bars[len(h.Bars)-1].Events != 7 {
		t.Errorf("%d bars of %d s, %d events", len(h.Bars), h.Every, h.Total)
	}
}

func TestWidths(t *testing.T) {
	for _, c := range []struct {
		length time.Duration
		want   int64
	}{{0, 0}, {time.Second, 1}, {time.Minute, 2}, {time.Hour, 120}, {24 * time.Hour, 1800}, {7 * 24 * time.Hour, 3 * 3600}, {30 * 24 * time.Hour, 24 * 3600}, {365 * 24 * time.Hour, 7 * 24 * 3600}, {100 * 365 * 24 * time.Hour, 31536000}} {
		got := width(day, day.Add(c.length))
		if got != c.want {
			t.Errorf("%v: %d s, want %d", c.length, got, c.want)
		}
		if got > 0 && c.length < 50*365*24*time.Hour && int64(c.length/time.Second)/got >= 60 {
			t.Errorf("%v: too many bars of %d s", c.length, got)
		}
	}
	if width(time.Time{}, day) != 0 {
		t.Error("a time without a beginning has a width")
	}
}
