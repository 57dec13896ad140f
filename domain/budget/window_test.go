package budget_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/domain/budget"
)

func TestWindowAt(t *testing.T) {
	tests := []struct {
		name           string
		window         budget.Window
		zone, at       string
		start, end     string
		hours, minutes int // of the window's length
	}{
		{"hour", budget.Hour, "UTC", "2026-03-04T09:59:59.999999Z", "2026-03-04T09:00:00Z", "2026-03-04T10:00:00Z", 1, 0},
		{"hour at its start", budget.Hour, "UTC", "2026-03-04T09:00:00Z", "2026-03-04T09:00:00Z", "2026-03-04T10:00:00Z", 1, 0},
		{"hour before 1970", budget.Hour, "UTC", "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z", 1, 0},
		{"hour of a clock that is half an hour off", budget.Hour, "Asia/Kolkata", "2026-03-04T09:45:00Z", "2026-03-04T09:30:00Z", "2026-03-04T10:30:00Z", 1, 0},
		{"the first of two hours between 2 and 3", budget.Hour, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", 1, 0},
		{"the second of two hours between 2 and 3", budget.Hour, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", 1, 0},
		{"the hour before one that is skipped", budget.Hour, "America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z", 1, 0},
		{"the hour after one that is skipped", budget.Hour, "America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z", 1, 0},
		{"the last hour of a year", budget.Hour, "Europe/Berlin", "2026-12-31T22:59:59Z", "2026-12-31T22:00:00Z", "2026-12-31T23:00:00Z", 1, 0},
		{"the hour before a shift of half an hour", budget.Hour, "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", 1, 0},
		{"the half hour after a shift of half an hour", budget.Hour, "Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", 0, 30},
		{"day", budget.Day, "UTC", "2026-03-04T23:59:59Z", "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z", 24, 0},
		{"day east of Greenwich", budget.Day, "Asia/Tokyo", "2026-03-04T15:00:00Z", "2026-03-04T15:00:00Z", "2026-03-05T15:00:00Z", 24, 0},
		{"day west of Greenwich", budget.Day, "America/Los_Angeles", "2026-03-04T07:59:59Z", "2026-03-03T08:00:00Z", "2026-03-04T08:00:00Z", 24, 0},
		{"day of 23 hours", budget.Day, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23, 0},
		{"day of 25 hours", budget.Day, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25, 0},
		{"day of 23 hours in America", budget.Day, "America/New_York", "2026-03-08T17:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", 23, 0},
		{"day of 25 hours in America", budget.Day, "America/New_York", "2026-11-01T17:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25, 0},
		{"the last instant of a day of 25 hours", budget.Day, "America/New_York", "2026-11-02T04:59:59.999999Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25, 0},
		{"day of half an hour more", budget.Day, "Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z", 24, 30},
		{"day of half an hour less", budget.Day, "Australia/Lord_Howe", "2026-10-04T00:00:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z", 23, 30},
		{"day whose midnight is skipped in America", budget.Day, "America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z", 23, 0},
		{"day at whose end the clock goes back to before midnight", budget.Day, "America/Santiago", "2026-04-05T03:30:00Z", "2026-04-04T03:00:00Z", "2026-04-05T04:00:00Z", 25, 0},
		{"leap day", budget.Day, "America/New_York", "2028-02-29T12:00:00Z", "2028-02-29T05:00:00Z", "2028-03-01T05:00:00Z", 24, 0},
		{"the day after February without a leap day", budget.Day, "UTC", "2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z", 24, 0},
		{"the last day of a year", budget.Day, "Europe/Berlin", "2026-12-31T22:59:59.999999Z", "2026-12-30T23:00:00Z", "2026-12-31T23:00:00Z", 24, 0},
		{"the first day of a year", budget.Day, "Europe/Berlin", "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2027-01-01T23:00:00Z", 24, 0},
		{"day whose midnight is skipped", budget.Day, "Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z", 23, 0},
		{"the last instant before a skipped midnight", budget.Day, "Africa/Cairo", "2026-04-23T21:59:59Z", "2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", 24, 0},
		{"day at whose end the clock goes back over midnight", budget.Day, "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", 25, 0},
		{"between two midnights", budget.Day, "America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z", 25, 0},
		{"before the first of two midnights", budget.Day, "America/St_Johns", "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z", "2010-11-07T02:30:00Z", 24, 0},
		{"the day before a date that was skipped", budget.Day, "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", 24, 0},
		{"the day after a date that was skipped", budget.Day, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", 24, 0},
		{"the last day of a leap year, far ahead", budget.Day, "Europe/Berlin", "2040-12-31T12:00:00Z", "2040-12-30T23:00:00Z", "2040-12-31T23:00:00Z", 24, 0},
		{"an hour of the last day of a leap year", budget.Hour, "Pacific/Chatham", "2040-12-31T00:00:00Z", "2040-12-30T23:15:00Z", "2040-12-31T00:15:00Z", 1, 0},
		{"week begins on Monday", budget.Week, "UTC", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", 168, 0},
		{"week ends on Sunday", budget.Week, "UTC", "2026-03-08T23:59:59Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", 168, 0},
		{"week over the end of a year", budget.Week, "UTC", "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z", 168, 0},
		{"week that loses an hour", budget.Week, "Europe/Berlin", "2026-03-25T00:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z", 167, 0},
		{"week that gains an hour", budget.Week, "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z", 169, 0},
		{"week that begins where a midnight is skipped", budget.Week, "America/Santiago", "2026-09-06T03:59:59Z", "2026-08-31T04:00:00Z", "2026-09-07T03:00:00Z", 167, 0},
		{"week with a leap day", budget.Week, "UTC", "2028-03-05T23:59:59Z", "2028-02-28T00:00:00Z", "2028-03-06T00:00:00Z", 168, 0},
		{"month", budget.Month, "UTC", "2026-01-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", 744, 0},
		{"month of 30 days", budget.Month, "UTC", "2026-04-30T23:59:59.999999Z", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", 720, 0},
		{"the month after one of 30 days", budget.Month, "UTC", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", 744, 0},
		{"January, from its last day", budget.Month, "America/New_York", "2026-02-01T04:59:59Z", "2026-01-01T05:00:00Z", "2026-02-01T05:00:00Z", 744, 0},
		{"month that gains half an hour", budget.Month, "Australia/Lord_Howe", "2026-04-10T00:00:00Z", "2026-03-31T13:00:00Z", "2026-04-30T13:30:00Z", 720, 30},
		{"month that gains an hour", budget.Month, "Europe/Berlin", "2026-10-31T22:59:59Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", 745, 0},
		{"February", budget.Month, "UTC", "2026-02-28T12:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", 672, 0},
		{"February with a leap day", budget.Month, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z", 696, 0},
		{"February of a year that does not leap", budget.Month, "UTC", "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z", 672, 0},
		{"December", budget.Month, "Europe/Berlin", "2026-12-31T22:59:59Z", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z", 744, 0},
		{"month that loses an hour", budget.Month, "Europe/Berlin", "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", 743, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end := budget.WindowAt(tt.window, zone(t, tt.zone), instant(t, tt.at))
			if !start.Equal(instant(t, tt.start)) || !end.Equal(instant(t, tt.end)) {
				t.Errorf("window %s to %s, want %s to %s", start.Format(time.RFC3339), end.Format(time.RFC3339), tt.start, tt.end)
			}
			if want := time.Duration(tt.hours)*time.Hour + time.Duration(tt.minutes)*time.Minute; end.Sub(start) != want {
				t.Errorf("the window is %s long, want %s", end.Sub(start), want)
			}
		})
	}
}

func TestTotalHasNoEnds(t *testing.T) {
	if start, end := budget.WindowAt(budget.Total, time.UTC, time.Unix(0, 0)); !start.IsZero() || !end.IsZero() {
		t.Errorf("total goes from %s to %s, want no ends", start, end)
	}
}

func TestZone(t *testing.T) {
	for _, name := range []string{"", "UTC", "Europe/Berlin", "America/Argentina/Ushuaia"} {
		if _, err := budget.Zone(name); err != nil {
			t.Errorf("Zone(%q): %v", name, err)
		}
	}
	for _, name := range []string{"Local", "local", "Mars/Olympus", "../etc/passwd", "/etc/localtime"} {
		if _, err := budget.Zone(name); err == nil {
			t.Errorf("Zone(%q) is accepted", name)
		}
	}
}

// TestWindowsFollowEachOther checks, over zones with odd clocks, that windows
// hold the instant asked for, have no gaps or overlaps, and are the same for
// every instant in them.
func TestWindowsFollowEachOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "America/St_Johns",
			"America/New_York", "America/Santiago",
			"Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Beirut", "Africa/Casablanca", "Antarctica/Troll", "Africa/Monrovia", "Pacific/Chatham"}).Draw(rt, "zone")
		window := rapid.SampledFrom([]budget.Window{budget.Hour, budget.Day, budget.Week, budget.Month}).Draw(rt, "window")
		loc := zone(t, name)
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(rt, "at"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns"))
		start, end := budget.WindowAt(window, loc, at)
		if at.Before(start) || !at.Before(end) {
			rt.Fatalf("%s is not in its window %s to %s", at, start, end)
		}
		inside := start.Add(time.Duration(rapid.Int64Range(0, int64(end.Sub(start))-1).Draw(rt, "inside")))
		if s, e := budget.WindowAt(window, loc, inside); !s.Equal(start) || !e.Equal(end) {
			rt.Fatalf("%s and %s are in one window, yet it is %s to %s for the one and %s to %s for the other", at, inside, start, end, s, e)
		}
		if s, _ := budget.WindowAt(window, loc, end); !s.Equal(end) {
			rt.Fatalf("the window after %s begins at %s", end, s)
		}
		if _, e := budget.WindowAt(window, loc, start.Add(-1)); !e.Equal(start) {
			rt.Fatalf("the window before %s ends at %s", start, e)
		}
	})
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := budget.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
