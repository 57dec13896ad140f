// Package query is the language of the audit search, as a person types it:
//
//	actor:agent-7 action:payment.* outcome:denied,failed cost>5 text:"quarterly invoice" -model:gpt-4o after:2026-11-01
//
// A query is a list of terms, all of which hold. A term is
//
//	field:value          the field's text; value* is a beginning, a,b is one of several
//	measure>value        < <= = >= > (and : for =); cost in units of the currency, severity also by name
//	after:T before:T     from T on, before T; T is 2026-11-01, 2026-11-01T10:30, RFC 3339, or 7d ago (m, h, d, w); UTC
//	text:words           content with all these words; a word or "…" alone is the same
//
// and has a - before it where it must not hold. Values with spaces, commas or
// other signs stand in double quotes, in which \" and \\ are the signs
// themselves. Fields are those of package search; "actor" also takes an id
// without its kind.
//
// [Parse] reads it, [FromParams] reads the same from plain parameters,
// [Query.String] writes it, and [Query.Where] makes the index's conditions.
package query

import (
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/projections/search"
)

// Limits of a query.
const (
	MaxLength = 4096 // bytes
	MaxTerms  = 32
	MaxValues = 16  // of one term
	MaxValue  = 512 // bytes of one value
	MaxWords  = 32  // with tags, of all text together that must be there
)

// Query is what was asked for.
type Query struct{ Terms []Term }

// Term is one condition: Is one of [Match], [Number], [Bound] and [Text].
type Term struct {
	Not bool
	Is  Condition
}

// Condition is what a term says.
//
//sumtype:decl
type Condition interface{ condition() }

// Match is about a text: it matches one of the patterns.
type Match struct {
	Field search.Field
	Any   []search.Pattern
}

// Number is about a number, in the unit of package search.
type Number struct {
	Measure search.Measure
	Op      search.Op
	Value   int64
}

// Bound is about time: from it on, or before it.
type Bound struct {
	Before bool
	Moment Moment
}

// Moment is a time, or how long before now it is if Ago is not 0.
type Moment struct {
	At  time.Time
	Ago time.Duration // whole minutes
}

// Text is about content: it has all words of the phrase. Whether they stand
// together is not the index's to know.
type Text struct{ Phrase string }

func (Match) condition()  {}
func (Number) condition() {}
func (Bound) condition()  {}
func (Text) condition()   {}

// Tagger makes tags of the words of a phrase; of one without words, none.
type Tagger func(phrase string) []search.Tag

// ErrNoWords says that a text has no word that content is indexed by.
var ErrNoWords = fmt.Errorf("%w: a text in it has no words to look for; use longer ones", search.ErrQuery)

// Where makes the conditions for the index at a time.
func (q Query) Where(now time.Time, tags Tagger) (list []search.Condition, err error) {
	words := 0
	for _, term := range q.Terms {
		var c search.Condition
		switch is := term.Is.(type) {
		case Match:
			c = is.in()
		case Number:
			c = search.Compare(is)
		case Bound:
			c = is.during(now)
		case Text:
			all := tags(is.Phrase)
			switch words += len(all); {
			case len(all) == 0:
				return nil, ErrNoWords
			case words > MaxWords:
				return nil, fmt.Errorf("%w: its texts have more than %d words", search.ErrQuery, MaxWords)
			}
			c = search.Tagged{All: all}
		}
		if term.Not {
			c = search.Not{Condition: c}
		}
		list = append(list, c)
	}
	return list, nil
}

// Phrases are the texts that must be there, and those that must not, to be
// settled on what was opened.
func (q Query) Phrases() (with, without []string) {
	for _, term := range q.Terms {
		if text, ok := term.Is.(Text); ok {
			if term.Not {
				without = append(without, text.Phrase)
			} else {
				with = append(with, text.Phrase)
			}
		}
	}
	return with, without
}

func kinds() []domain.ActorKind {
	return []domain.ActorKind{domain.KindMember, domain.KindAgent, domain.KindOperator, domain.KindService}
}

// in spells out actors without their kind: they are of any.
func (m Match) in() search.In {
	in := search.In{Field: m.Field}
	for _, p := range m.Any {
		if m.Field != search.Actor || p.Text == "" || hasKind(p.Text) {
			in.Any = append(in.Any, p)
			continue
		}
		for _, kind := range kinds() {
			in.Any = append(in.Any, search.Pattern{Text: domain.Actor{Kind: kind, ID: p.Text}.String(), Prefix: p.Prefix})
		}
	}
	return in
}

func hasKind(actor string) bool {
	for _, kind := range kinds() {
		if domain.ParseActor(actor).Kind == kind {
			return true
		}
	}
	return false
}

func (b Bound) during(now time.Time) search.During {
	at := b.Moment.At
	if b.Moment.Ago != 0 {
		at = now.Add(-b.Moment.Ago)
	}
	if b.Before {
		return search.During{Until: at}
	}
	return search.During{From: at}
}
