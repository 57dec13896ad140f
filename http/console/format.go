package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// when is a time in the three forms that the partial "time" shows.
type when struct{ ISO, Absolute, Relative string }

func newWhen(t, now time.Time) when {
	if t.IsZero() {
		return when{}
	}
	t = t.UTC()
	return when{t.Format(time.RFC3339Nano), t.Format("2006-01-02 15:04:05 UTC"), relative(t.Sub(now), t)}
}

// relative words how far a time lies from now; beyond a month it is a date.
func relative(d time.Duration, t time.Time) string {
	future := d > 0
	if d < 0 {
		d = -d
	}
	var text string
	switch {
	case d < 2*time.Second:
		return "now"
	case d < time.Minute:
		text = fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		text = fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		text = fmt.Sprintf("%d h", int(d.Hours()))
	case d < 31*24*time.Hour:
		text = fmt.Sprintf("%d d", int(d.Hours()/24))
	default:
		return t.Format("2006-01-02")
	}
	if future {
		return "in " + text
	}
	return text + " ago"
}

// millis words a length of time in milliseconds: 340 ms, 2.1 s, 4 min.
func millis(ms int64) string {
	switch {
	case ms < 1000:
		return strconv.FormatInt(ms, 10) + " ms"
	case ms < 60_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	case ms < 3_600_000:
		return strconv.FormatInt(ms/60_000, 10) + " min"
	}
	return strconv.FormatInt(ms/3_600_000, 10) + " h"
}

// amount words millionths: two decimals, and as many more as a small amount
// needs to show two digits.
func amount(micros int64) string {
	sign, rest := "", uint64(micros)
	if micros < 0 {
		sign, rest = "−", uint64(-micros)
	}
	units, fraction := rest/1_000_000, fmt.Sprintf("%06d", rest%1_000_000)
	keep := 2
	if units == 0 {
		if first := strings.IndexFunc(fraction, func(r rune) bool { return r != '0' }); first > 0 {
			keep = min(first+2, 6)
		}
	} else if rest%10_000 >= 5_000 { // rounded half up
		rest += 10_000 - rest%10_000
		units, fraction = rest/1_000_000, fmt.Sprintf("%06d", rest%1_000_000)
	}
	return sign + grouped(units) + "." + fraction[:keep]
}

// count words a whole number with its thousands apart.
func count[T int | int64](n T) string {
	if n < 0 {
		return "−" + grouped(uint64(-n))
	}
	return grouped(uint64(n))
}

func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short leaves out the middle of a long id.
func short(id string) string {
	r := []rune(id)
	if len(r) <= 16 {
		return id
	}
	return string(r[:9]) + "…" + string(r[len(r)-5:])
}
