package console

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// errMoney refuses an amount that can't be read.
var errMoney = refuse(http.StatusBadRequest, "amount_unreadable", "This is no amount", "Write it in units of the currency with a point, as 12.50, and at most six places after it.")

// parseMoney reads an amount in units of the currency as millionths.
func parseMoney(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(strings.TrimSpace(text), ".")
	if len(fraction) > 6 || whole == "" && fraction == "" {
		return 0, errMoney
	}
	if whole == "" {
		whole = "0"
	}
	units, err := strconv.ParseUint(whole, 10, 63)
	parts, err2 := strconv.ParseUint((fraction + "000000")[:6], 10, 63)
	if err != nil || err2 != nil || units > math.MaxInt64/1_000_000-1 {
		return 0, errMoney
	}
	return int64(units*1_000_000 + parts), nil
}

// plainMoney is an amount as parseMoney reads it, for forms.
func plainMoney(micros int64) string {
	text := strconv.FormatInt(micros/1_000_000, 10)
	if rest := micros % 1_000_000; rest != 0 {
		text += "." + strings.TrimRight(strconv.FormatInt(rest+1_000_000, 10)[1:], "0")
	}
	return text
}
