package query

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/projections/search"
)

// severities are the names of the numbers from 1, as in OCSF.
func severities() []string {
	return []string{"informational", "low", "medium", "high", "critical", "fatal"}
}

// SeverityName names a severity; a number without a name is "".
func SeverityName(n uint8) string {
	if n == 0 || int(n) > len(severities()) {
		return ""
	}
	return severities()[n-1]
}

func numberWanted(m search.Measure) string {
	switch m {
	case search.Cost:
		return "an amount of the currency such as 5 or 0.25, with at most 6 decimals"
	case search.Severity:
		return "a number from 0 to 255, or one of " + strings.Join(severities(), ", ")
	}
	return "a whole number"
}

func readNumber(m search.Measure, text string) (n int64, ok bool) {
	switch m {
	case search.Cost:
		return readMicros(text)
	case search.Severity:
		if i := slices.Index(severities(), text); i >= 0 {
			return int64(i) + 1, true
		}
		n, err := strconv.ParseUint(text, 10, 8)
		return int64(n), err == nil
	}
	if !wholePattern.MatchString(text) {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

var (
	wholePattern  = regexp.MustCompile(`^-?[0-9]{1,19}$`)
	amountPattern = regexp.MustCompile(`^(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?$`)
	agoPattern    = regexp.MustCompile(`^([1-9][0-9]{0,7})([mhdw])$`)
)

// readMicros reads an amount of the currency in millionths, exactly.
func readMicros(text string) (int64, bool) {
	parts := amountPattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(parts[1]+parts[2]+(parts[3] + "000000")[:6], 10, 64)
	return n, err == nil
}

func formatMicros(n int64) string {
	sign, rest := "", uint64(n)
	if n < 0 {
		sign, rest = "-", -rest
	}
	text := sign + strconv.FormatUint(rest/1e6, 10)
	if part := rest % 1e6; part != 0 {
		text += "." + strings.TrimRight(strconv.FormatUint(1e6+part, 10)[1:], "0")
	}
	return text
}

// units of time ago, the longest first.
func units() []struct {
	letter string
	length time.Duration
} {
	return []struct {
		letter string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}}
}

// maxAgo is a hundred years, which is before everything.
const maxAgo = 100 * 365 * 24 * time.Hour

func readMoment(text string) (m Moment, ok bool) {
	if parts := agoPattern.FindStringSubmatch(text); parts != nil {
		n, err := strconv.ParseInt(parts[1], 10, 64)
		for _, unit := range units() {
			if unit.letter == parts[2] && err == nil && n <= int64(maxAgo/unit.length) {
				return Moment{Ago: time.Duration(n) * unit.length}, true
			}
		}
		return Moment{}, false
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339Nano} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC()
			return Moment{At: at}, at.Year() >= 1970 && at.Year() <= 9999
		}
	}
	return Moment{}, false
}

func (m Moment) String() string {
	for _, unit := range units() {
		if m.Ago != 0 && m.Ago%unit.length == 0 {
			return strconv.FormatInt(int64(m.Ago/unit.length), 10) + unit.letter
		}
	}
	if at := m.At.UTC(); at.Equal(at.Truncate(24 * time.Hour)) {
		return at.Format(time.DateOnly)
	}
	return m.At.UTC().Format(time.RFC3339Nano)
}

// String writes the query so that [Parse] reads the same again.
func (q Query) String() string {
	var b strings.Builder
	for i, term := range q.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		if term.Not {
			b.WriteByte('-')
		}
		switch is := term.Is.(type) {
		case Match:
			b.WriteString(string(is.Field) + ":")
			for i, p := range is.Any {
				if i > 0 {
					b.WriteByte(',')
				}
				writePattern(&b, p)
			}
		case Number:
			b.WriteString(string(is.Measure) + string(is.Op) + formatNumber(is))
		case Bound:
			name := "after:"
			if is.Before {
				name = "before:"
			}
			b.WriteString(name + is.Moment.String())
		case Text:
			b.WriteString("text:")
			writeQuoted(&b, is.Phrase)
		}
	}
	return b.String()
}

func formatNumber(n Number) string {
	if n.Measure == search.Cost {
		return formatMicros(n.Value)
	}
	return strconv.FormatInt(n.Value, 10)
}

var plainPattern = regexp.MustCompile(`^[\pL\pN][\pL\pN._:/@+-]*$`)

func writePattern(b *strings.Builder, p search.Pattern) {
	switch {
	case plainPattern.MatchString(p.Text):
		b.WriteString(p.Text)
	case p.Text != "" || !p.Prefix:
		writeQuoted(b, p.Text)
	}
	if p.Prefix {
		b.WriteByte('*')
	}
}

func writeQuoted(b *strings.Builder, text string) {
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
}
