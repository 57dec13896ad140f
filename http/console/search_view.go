package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clawoffice/ledger/http/api"
)

// step leads to another search: by an address, or where that would hold words by
// a button that sends them.
type step struct {
	Label, Title string
	URL, Go      string
	Current      bool
}

func (v *visit) step(a ask, label, title string) step {
	s := step{Label: label, Title: title, URL: v.askURL(a)}
	if s.URL == "" {
		s.Go = a.state()
	}
	return s
}

// searchView is the page of a search.
type searchView struct {
	ask     ask
	Query   string // as the input shows it
	From    string // as the field has it
	To      string
	Ago     string
	Order   string
	State   string // the whole search, for forms
	Problem *refusal
	Mark    *queryFault
	Asked   bool // there is an answer

	Saved    *chip // the saved search that it begins with
	Chips    []chip
	Ranges   []step
	Orders   []step
	Again    step
	Examples []step

	Result    api.SearchResult
	Opened    bool
	Uncounted *refusal
	Histogram histogram
	Facets    []facet
	Next      step
	First     step
	Tails     bool
	Searches  []savedItem
}

// chip is a condition that holds, and the search without it.
type chip struct {
	Text string
	Not  bool
	Drop step
}

// facet is a field with its most frequent values.
type facet struct {
	Field  string
	Values []facetValue
}

// facetValue is a value, and the searches that ask for it and for all but it.
type facetValue struct {
	Value, Term string
	Events      int64
	Add, Not    step
}

// savedItem is a search of the member's own.
type savedItem struct {
	api.SavedSearch
	URL, Share string
}

// Total words how many events there are.
func (s searchView) Total() string { return events(s.Histogram.Total) }

// Lag words how far the index is behind.
func (s searchView) Lag() string { return millis(s.Result.BehindMs) }

// Highest words how many events the highest bar has.
func (s searchView) Highest() string { return events(s.Histogram.Most) }

// Late reports whether that is more than anybody should have to bear.
func (s searchView) Late() bool { return s.Result.BehindMs >= 5000 }

// choices fills in everything that leads on from a.
func (s *searchView) choices(v *visit, a ask, f found, now time.Time) {
	s.Query, s.From, s.To, s.Ago, s.Order, s.State = queryOf(a.all()), fieldTime(a.from), fieldTime(a.to), a.ago, a.order, a.state()
	s.Asked, s.Result, s.Uncounted = s.Problem == nil, f.result, f.uncount
	if a.saved != "" {
		s.Saved = &chip{Text: a.name, Drop: v.step(ask{pieces: a.pieces, ago: a.ago, from: a.from, to: a.to, order: a.order}.settle(), "", "")}
	}
	for i, p := range a.all() {
		s.Chips = append(s.Chips, chip{p.Text, strings.HasPrefix(p.Text, "-"), v.step(a.without(i), "", "")})
	}
	s.Again = v.step(a, "Reload", "")
	s.ranges(v, a)
	for _, order := range []string{"newest", "oldest"} {
		o := v.step(a.ordered(order), words(order)+" first", "")
		o.Current = (order == "oldest") == a.oldest()
		s.Orders = append(s.Orders, o)
	}
	if f.result.Next != "" && !s.Opened {
		s.Next = v.step(a.page(f.result.Next), "Next page", "")
	}
	if f.result.Next != "" && s.Opened {
		s.Next = step{Go: a.page(f.result.Next).state()}
	}
	if a.cursor != "" {
		s.First = v.step(a.page(""), "First page", "")
	}
	s.Tails = s.Asked && !a.oldest() && a.cursor == "" && a.to.IsZero() && !s.Opened
	s.count(v, a, f, now)
	for _, saved := range f.saved {
		u := v.SearchURL("saved", saved.ID)
		s.Searches = append(s.Searches, savedItem{saved, u, v.origin() + u})
	}
}

func (s *searchView) ranges(v *visit, a ask) {
	for _, ago := range ranges {
		r := v.step(a.during(time.Time{}, time.Time{}, ago), ago, "The last "+ago)
		r.Current = a.ago == ago
		s.Ranges = append(s.Ranges, r)
	}
	all := v.step(a.during(time.Time{}, time.Time{}, ""), "All", "All the time there is")
	all.Current = a.ago == "" && a.from.IsZero() && a.to.IsZero()
	s.Ranges = append(s.Ranges, all)
}

// count fills in the histogram and the facets.
func (s *searchView) count(v *visit, a ask, f found, now time.Time) {
	from, to := a.span(now)
	if to.After(now) || to.IsZero() && !from.IsZero() {
		to = now
	}
	s.Histogram = newHistogram(f.counts, from, to)
	for i := range s.Histogram.Bars {
		b := &s.Histogram.Bars[i]
		if b.Events > 0 && len(s.Histogram.Bars) > 1 {
			b.Step = v.step(a.during(b.From, b.To, ""), "", "")
		}
	}
	for _, item := range f.facets.Items {
		if len(item.Values) == 0 {
			continue
		}
		out := facet{Field: string(item.Field)}
		for _, value := range item.Values {
			p := term(string(item.Field), value.Value)
			fv := facetValue{Value: value.Value, Term: p.Text, Events: value.Events, Add: v.step(a.with(p), "", ""), Not: v.step(a.with(p.not()), "", "")}
			fv.Add.Current = slices.ContainsFunc(a.all(), func(q piece) bool { return q.Text == p.Text })
			out.Values = append(out.Values, fv)
		}
		s.Facets = append(s.Facets, out)
	}
}

// Clock is a time to the second in UTC, with its year where that is another.
func (f *frame) Clock(t time.Time) string {
	if t.UTC().Year() == f.now.UTC().Year() {
		return t.UTC().Format("01-02 15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// ActorID is ActorRef without the kind in its words, for where that stands beside.
func (f *frame) ActorID(actor string) ref {
	r := f.ActorRef(actor)
	if _, id, ok := strings.Cut(actor, ":"); ok {
		r.Text = short(id)
	}
	return r
}

// ActorKind is the word before the id.
func (f *frame) ActorKind(actor string) string {
	kind, _, _ := strings.Cut(actor, ":")
	return kind
}

// Parts are the pieces of a name between which a line may break.
func (f *frame) Parts(name string) []string {
	var out []string
	for part := range strings.SplitAfterSeq(name, ".") {
		out = append(out, strings.SplitAfter(part, "_")...)
	}
	return out
}

// fieldTime is a time as a field of the type datetime-local has it.
func fieldTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// queryFault is where a query can't be read.
type queryFault struct{ Before, Wrong, After, Detail string }

var atByte = regexp.MustCompile(`^at byte ([0-9]{1,6}): (.+)$`)

// refused notes why the API did not answer a.
func (s *searchView) refused(r *refusal, a ask) {
	s.ask, s.Problem = a, r
	text := strings.TrimSpace(queryOf(a.within) + " " + a.query())
	for _, detail := range r.At("/q") {
		found := atByte.FindStringSubmatch(detail)
		if found == nil {
			s.Mark = &queryFault{Detail: detail}
			continue
		}
		at, err := strconv.Atoi(found[1])
		if err == nil && at <= len(text) {
			s.Mark = newFault(text, at, found[2])
			return
		}
	}
}

// newFault marks what stands at a byte, up to the next space.
func newFault(text string, at int, detail string) *queryFault {
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	end := len(text)
	if i := strings.IndexFunc(text[at:], unicode.IsSpace); i >= 0 {
		end = at + i
	}
	return &queryFault{text[:at], text[at:end], text[end:], detail}
}

// searchPage answers the page.
func (v *visit) searchPage(status int, view searchView) error {
	if view.State == "" && !view.Asked && view.Ranges == nil { // there is no search to go on from
		view.ranges(v, ask{})
	}
	for _, example := range searchExamples {
		view.Examples = append(view.Examples, v.step(ask{pieces: split(example[0])}.settle(), example[0], example[1]))
	}
	return v.pageStatus(status, "search.html", "search", "Search", view)
}

// searchExamples are queries to learn from, and what they find.
var searchExamples = [][2]string{
	{"outcome:denied", "What was denied"},
	{"outcome:denied,failed after:24h", "What was denied or failed in the last day"},
	{"action:payment.* -outcome:completed", "Actions of a family, but for those that went through"},
	{"cost>0.005 model:gpt-large", "Calls of a model that cost more than so much"},
	{"severity>=high", "What weighs high or more"},
	{"kind:member type:approval.*", "What people decided"},
	{"actor:operator after:2026-01-01 before:2027-01-01", "What the operator did in a year"},
	{"tokens>500 workflow:support", "Long calls of a workflow"},
	{"type:access.*", "Who looked at the trail, and who was turned away"},
	{"invoice", "Content with a word"},
	{`text:"quarterly invoice" outcome:completed`, "Content with words that stand together"},
	{`parcel -text:refund kind:agent`, "Content with one word and without another"},
}
