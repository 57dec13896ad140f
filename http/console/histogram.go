package console

import (
	"fmt"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// histogramBar is one span of a histogram.
type histogramBar struct {
	From, To time.Time
	Events   int64
	Height   int64 // of 100; at least 3 for something
	Label    string
	Step     step
}

// Y is where the bar's top lies, from above.
func (b histogramBar) Y() int64 { return 100 - b.Height }

// histogram is how many events there are over time.
type histogram struct {
	Start int64 // Unix seconds
	Every int64 // seconds
	Bars  []histogramBar
	Most  int64
	Total int64
	Ticks []string // times at equal distances, from the first to the last

	offset int64 // at which spans begin, modulo their width
}

// maxBars bounds what is drawn. Narrower spans are put together.
const maxBars = 120

// widths are the spans that are easy to read, in seconds.
var widths = []int64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 2 * 24 * 3600, 7 * 24 * 3600, 14 * 24 * 3600, 28 * 24 * 3600}

// width is the narrowest of widths that parts a time into at most 60 spans, and 0,
// which leaves it to the ledger, for a time without beginning or end.
func width(from, to time.Time) int64 {
	if from.IsZero() || !from.Before(to) {
		return 0
	}
	length := int64(to.Sub(from) / time.Second)
	for _, w := range widths {
		if length/w < 60 {
			return w
		}
	}
	return min((length/60/86400+1)*86400, 31536000)
}

// newHistogram lays counts out between from and to, or between the first and the
// last of them where one of the two is zero.
func newHistogram(counts api.Histogram, from, to time.Time) histogram {
	h := histogram{Every: max(counts.Every, 1)}
	first, last, any := from.Unix(), to.Unix(), len(counts.Items) > 0
	if any {
		h.offset = counts.Items[0].From.Unix()
	}
	if any && from.IsZero() {
		first = h.offset
	}
	if any && (to.IsZero() || to.Before(counts.Items[len(counts.Items)-1].From)) {
		last = counts.Items[len(counts.Items)-1].From.Unix() + 1
	}
	if !any && (from.IsZero() || to.IsZero()) {
		return h
	}
	for first, last = h.align(first, last); (last-first)/h.Every > maxBars; {
		h.Every *= (last-first)/h.Every/maxBars + 1
		first, last = h.align(first, last)
	}
	h.Start = first
	for at := first; at < last; at += h.Every {
		h.Bars = append(h.Bars, histogramBar{From: time.Unix(at, 0).UTC(), To: time.Unix(at+h.Every, 0).UTC()})
	}
	h.fill(counts.Items)
	return h
}

// align widens a time to whole spans, at least one.
func (h *histogram) align(first, last int64) (int64, int64) {
	first -= mod(first-h.offset, h.Every)
	if rest := mod(last-first, h.Every); rest > 0 {
		last += h.Every - rest
	}
	return first, max(last, first+h.Every)
}

func mod(n, m int64) int64 { return (n%m + m) % m }

// fill counts into the bars.
func (h *histogram) fill(items []api.Span) {
	for _, item := range items {
		if at := item.From.Unix() - h.Start; at >= 0 && at/h.Every < int64(len(h.Bars)) {
			h.Bars[at/h.Every].Events += item.Events
		}
		h.Total += item.Events
	}
	for _, b := range h.Bars {
		h.Most = max(h.Most, b.Events)
	}
	for i := range h.Bars {
		b := &h.Bars[i]
		if b.Events > 0 {
			b.Height = max(b.Events*100/h.Most, 3)
		}
		b.Label = fmt.Sprintf("%s to %s UTC: %s", h.clock(b.From, true), h.clock(b.To, true), events(b.Events))
	}
	h.Ticks = h.ticks()
}

// ticks are the times below the bars, as many as stand at the edges of bars.
func (h *histogram) ticks() []string {
	n, parts := int64(len(h.Bars)), int64(1)
	for _, p := range []int64{4, 3, 2} {
		if n%p == 0 && n >= p {
			parts = p
			break
		}
	}
	var out []string
	for i := range parts + 1 {
		out = append(out, h.clock(time.Unix(h.Start+i*n/parts*h.Every, 0).UTC(), false))
	}
	return out
}

// clock words a time as exactly as the bars need it.
func (h *histogram) clock(t time.Time, whole bool) string {
	length := h.Every * int64(len(h.Bars))
	switch {
	case whole && h.Every%60 == 0 && t.Second() == 0:
		return t.Format("2006-01-02 15:04")
	case whole:
		return t.Format("2006-01-02 15:04:05")
	case length <= 600 || h.Every < 10:
		return t.Format("15:04:05")
	case length <= 86400:
		return t.Format("15:04")
	case length <= 7*86400:
		return t.Format("Jan 2 15:04")
	}
	return t.Format("2006-01-02")
}

// Width words how long a bar is.
func (h histogram) Width() string {
	for _, unit := range []struct {
		length   int64
		one, all string
	}{{7 * 86400, "week", "weeks"}, {86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}} {
		switch {
		case h.Every == unit.length:
			return "a " + unit.one
		case h.Every%unit.length == 0 && h.Every > 0:
			return fmt.Sprint(h.Every/unit.length, " ", unit.all)
		}
	}
	if h.Every == 1 {
		return "a second"
	}
	return fmt.Sprint(h.Every, " seconds")
}

func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return count(n) + " events"
}
