package budget

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a budget's days must not depend on the machine's packages

	"github.com/clawoffice/ledger/domain"
)

// Zone loads a time zone by its IANA name. "" is UTC. "Local" is refused,
// because it would mean another zone on each machine.
func Zone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("time zone %q depends on the machine", name)
	}
	return time.LoadLocation(name)
}

// WindowAt answers the window that holds an instant: from start, up to but
// without end. Total has neither.
//
// The windows of a kind follow each other without gap or overlap. An hour
// begins at the full hour of the zone's clock and is an hour of real time,
// so that the hour a clock repeats makes two windows; only at a shift by part
// of an hour is there a shorter one. A day begins
// at the first instant whose local date is that day's or a later one: at 01:00
// where the clock skips midnight, at the first of two midnights where it
// repeats one. So days have 23 to 25 hours, and a date that a zone skipped
// has none.
func WindowAt(window Window, zone *time.Location, at time.Time) (start, end time.Time) {
	if window == Total {
		return time.Time{}, time.Time{}
	}
	if window == Hour {
		return hourAt(zone, at)
	}
	first, next := calendar(window, dateAt(zone, at))
	return dayStart(zone, first), dayStart(zone, next)
}

// calendar answers the first date of a window and that of the one after it.
func calendar(window Window, date time.Time) (first, next time.Time) {
	switch window {
	case Week:
		first = date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
		return first, first.AddDate(0, 0, 7)
	case Month:
		first = date.AddDate(0, 0, 1-date.Day())
		return first, first.AddDate(0, 1, 0)
	}
	return date, date.AddDate(0, 0, 1)
}

// hourAt answers the hour, cut where the zone's clock shifts within it.
func hourAt(zone *time.Location, at time.Time) (start, end time.Time) {
	into := (at.Unix() + offsetAt(zone, at)) % 3600
	if into < 0 {
		into += 3600
	}
	start = time.Unix(at.Unix()-into, 0).UTC()
	end = start.Add(time.Hour)
	if cut, ok := shift(zone, start, at); ok {
		start = cut
	}
	if cut, ok := shift(zone, at, end); ok {
		end = cut
	}
	return start, end
}

// offsetAt is how many seconds the zone's clock is ahead of UTC.
func offsetAt(zone *time.Location, at time.Time) int64 {
	_, offset := at.In(zone).Zone()
	return int64(offset)
}

// shift answers when the zone's clock shifts after from and up to to, if it
// does. They are so near that it shifts there once at most. It looks at
// offsets alone because time.Time.ZoneBounds answers ends that are not after
// their beginning for the last day of some years.
func shift(zone *time.Location, from, to time.Time) (time.Time, bool) {
	offset := offsetAt(zone, from)
	if offsetAt(zone, to) == offset {
		return time.Time{}, false
	}
	before, after := from.Unix(), to.Unix()
	for after-before > 1 {
		mid := before + (after-before)/2
		if offsetAt(zone, time.Unix(mid, 0)) == offset {
			before = mid
		} else {
			after = mid
		}
	}
	return time.Unix(after, 0).UTC(), true
}

// dateAt answers the date of the day that holds an instant, as midnight UTC of
// it. That is the local date, but for the time between two midnights of which
// the clock repeats one: it belongs to the day that has begun.
func dateAt(zone *time.Location, at time.Time) time.Time {
	y, m, d := at.In(zone).Date()
	date := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if next := date.AddDate(0, 0, 1); !at.Before(dayStart(zone, next)) {
		return next
	}
	return date
}

// dayStart answers the first instant whose local date is the date's or later.
// It goes through the periods of constant offset around it, since time.Date
// does not say which of two instants it answers.
func dayStart(zone *time.Location, date time.Time) time.Time {
	const (
		reach = 27 * time.Hour // more than any offset from UTC
		step  = 6 * time.Hour  // no clock shifts twice within it
	)
	for t := date.Add(-reach); ; {
		next := t.Add(step)
		if at, ok := shift(zone, t, next); ok {
			next = at
		}
		midnight := date.Add(-time.Duration(offsetAt(zone, t)) * time.Second)
		if midnight.Before(t) {
			midnight = t
		}
		if midnight.Before(next) {
			return midnight
		}
		t = next
	}
}

// windowFor answers the window of a budget that a reservation made now counts
// in: the current one while it lasts, as it was first recorded, so that the
// time zone is looked up once for each window. Windows never go backwards.
func (c *Count) windowFor(spec *Spec, at time.Time) (start, end time.Time, err error) {
	if spec.Window == Total {
		return start, end, nil
	}
	if c.Span != nil && at.Before(c.Span.End) && !at.Before(c.Span.Start) {
		return c.Span.Start, c.Span.End, nil
	}
	zone, err := Zone(spec.Timezone)
	if err != nil {
		return start, end, domain.Refuse(domain.Unavailable, "timezone_unavailable",
			"The time zone of a budget can't be loaded here. Set the budget's time zone to another one.")
	}
	start, end = WindowAt(spec.Window, zone, at)
	if start.Before(c.start()) {
		start = c.start()
	}
	return start, end, nil
}
