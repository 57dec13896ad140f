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
	local := at.In(zone)
	_, offset := local.Zone()
	into := (at.Unix() + int64(offset)) % 3600
	if into < 0 {
		into += 3600
	}
	start = time.Unix(at.Unix()-into, 0).UTC()
	end = start.Add(time.Hour)
	from, to := local.ZoneBounds()
	if !from.IsZero() && from.After(start) {
		start = from.UTC()
	}
	if !to.IsZero() && to.Before(end) {
		end = to.UTC()
	}
	return start, end
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
	const reach = 27 * time.Hour // more than any offset from UTC
	for t := date.Add(-reach); ; {
		local := t.In(zone)
		_, offset := local.Zone()
		from, to := local.ZoneBounds()
		midnight := date.Add(-time.Duration(offset) * time.Second)
		if !from.IsZero() && midnight.Before(from) {
			midnight = from
		}
		if to.IsZero() || midnight.Before(to) {
			return midnight.UTC()
		}
		t = to
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
