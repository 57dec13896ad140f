package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// ask is what somebody searches for. One without words has an address; one with
// words travels in the bodies of forms, and never anywhere else.
type ask struct {
	saved  string  // a saved search, whose terms come first
	within []piece // its terms
	pieces []piece
	ago    string // one of ranges: from so long ago on
	from   time.Time
	to     time.Time
	order  string // newest or oldest; "" for what the saved search says
	cursor string

	savedOrder string
	name       string // of the saved search
}

// ranges are the times to choose from with one click. They stay relative in an
// address, so that a link to the last day is one tomorrow too.
var ranges = []string{"1h", "24h", "7d", "30d"}

// settle takes a bound that is one of ranges out of the terms, where the page
// offers it.
func (a ask) settle() ask {
	a.pieces = slices.DeleteFunc(slices.Clone(a.pieces), func(p piece) bool {
		if p.param != "after" || !slices.Contains(ranges, p.value) || a.ago != "" && a.ago != p.value || !a.from.IsZero() || !a.to.IsZero() {
			return false
		}
		a.ago = p.value
		return true
	})
	return a
}

// errAddress refuses an address with something in it that is no plain term.
var errAddress = refuse(http.StatusBadRequest, "address_unreadable", "This address is no search",
	"An address may name fields of the metadata and a time. Words to look for never stand in one: type them below, and save the search to share it.")

// askOf reads the parameters of an address, in their order.
func askOf(rawQuery string) (ask, error) {
	var a ask
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return ask{}, errAddress
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return ask{}, errAddress
		}
		if value == "" {
			continue
		}
		known, err := a.set(name, value)
		if err != nil {
			return ask{}, err
		}
		if known {
			continue
		}
		p := parameter(name, value)
		if !p.plain {
			return ask{}, errAddress
		}
		a.pieces = append(a.pieces, p)
	}
	return a.settle(), nil
}

// set takes what is no term of the query.
func (a *ask) set(name, value string) (known bool, err error) {
	switch name {
	case "saved":
		a.saved = value
	case "from":
		a.from, err = formTime(value)
	case "to":
		a.to, err = formTime(value)
	case "order":
		a.order = value
		if value != "newest" && value != "oldest" {
			return true, errAddress
		}
	case "cursor":
		a.cursor = value
	default:
		return false, nil
	}
	return true, err
}

// askIn reads the fields of a form: the state that a button carries, or what was
// typed.
func askIn(form url.Values) (ask, error) {
	if form.Has("go") {
		var err error
		if form, err = url.ParseQuery(form.Get("go")); err != nil {
			return ask{}, errForm
		}
	}
	a := ask{pieces: split(form.Get("q"))}
	for _, name := range []string{"saved", "from", "to", "order", "cursor"} {
		if value := form.Get(name); value != "" {
			if _, err := a.set(name, value); err != nil {
				return a, err
			}
		}
	}
	if ago := form.Get("ago"); slices.Contains(ranges, ago) && a.from.IsZero() && a.to.IsZero() {
		a.ago = ago
	}
	return a.settle(), nil
}

// state is the ask for the value of a button.
func (a ask) state() string {
	q := url.Values{}
	for name, value := range map[string]string{"q": queryOf(a.pieces), "saved": a.saved, "ago": a.ago, "from": addressTime(a.from), "to": addressTime(a.to), "order": a.order, "cursor": a.cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// askURL is the address of an ask, "" if it holds words.
func (l links) askURL(a ask) string {
	if !allPlain(a.pieces) {
		return ""
	}
	var out strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		out.WriteByte("?&"[min(out.Len(), 1)])
		out.WriteString(name)
		out.WriteByte('=')
		out.WriteString(strings.NewReplacer("<", "%3C", ">", "%3E", "+", "%2B").Replace(value))
	}
	add("saved", url.QueryEscape(a.saved))
	for _, p := range a.pieces {
		add(p.param, p.value)
	}
	add("after", a.ago)
	add("from", addressTime(a.from))
	add("to", addressTime(a.to))
	add("order", a.order)
	add("cursor", url.QueryEscape(a.cursor))
	return l.path("/search") + out.String()
}

// addressTime is a time for an address and for forms that carry one on.
func addressTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// all is every term, those of the saved search first.
func (a ask) all() []piece { return slices.Concat(a.within, a.pieces) }

// query is what is asked of the API beside saved, from and to.
func (a ask) query() string {
	if a.ago == "" {
		return queryOf(a.pieces)
	}
	return queryOf(append(slices.Clone(a.pieces), newPiece("after:"+a.ago)))
}

// oldest reports whether the oldest events come first.
func (a ask) oldest() bool {
	return a.order == "oldest" || a.order == "" && a.savedOrder == "oldest"
}

func (a ask) apiOrder() api.SearchOrder {
	if a.oldest() {
		return api.SearchOrderOldest
	}
	return api.SearchOrderNewest
}

// The ways on from an ask. Each begins at the first page.

// with asks for what also meets p, once; what asks for the opposite gives way.
func (a ask) with(p piece) ask {
	a.cursor = ""
	if slices.ContainsFunc(a.all(), func(q piece) bool { return q.Text == p.Text }) {
		return a
	}
	a.pieces = append(slices.DeleteFunc(slices.Clone(a.pieces), func(q piece) bool { return q.Text == p.not().Text }), p)
	return a.settle()
}

// without leaves out term i of all. Without a term of its own a saved search is
// another search.
func (a ask) without(i int) ask {
	a.cursor = ""
	if i >= len(a.within) {
		a.pieces = slices.Delete(slices.Clone(a.pieces), i-len(a.within), i-len(a.within)+1)
		return a
	}
	a.pieces = slices.Delete(a.all(), i, i+1)
	if a.order == "" {
		a.order = a.savedOrder
	}
	a.saved, a.within, a.savedOrder = "", nil, ""
	return a
}

// during asks for a span of time, or for one of ranges.
func (a ask) during(from, to time.Time, ago string) ask {
	a.cursor, a.from, a.to, a.ago = "", from, to, ago
	return a
}

// ordered asks for the other end first.
func (a ask) ordered(order string) ask {
	a.cursor, a.order = "", order
	return a
}

// page asks for another page.
func (a ask) page(cursor string) ask {
	a.cursor = cursor
	return a
}

// span is the time that is asked for, as far as it has an end and a beginning.
func (a ask) span(now time.Time) (from, to time.Time) {
	from, to = a.from, a.to
	if a.ago != "" {
		from = now.Add(-rangeLength(a.ago))
	}
	return from, to
}

func rangeLength(ago string) time.Duration {
	switch ago {
	case "1h":
		return time.Hour
	case "24h":
		return 24 * time.Hour
	case "7d":
		return 7 * 24 * time.Hour
	}
	return 30 * 24 * time.Hour
}
