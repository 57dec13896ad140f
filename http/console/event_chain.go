package console

import (
	"slices"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// The neighbours of a record. The API lists a stream from its beginning or after
// a position, and has no way back; so the record before is looked up in the index,
// by time, or read from the beginning of a short stream.

const (
	shortStream = 20  // records that are read rather than looked up
	longStream  = 200 // records that are read when the index doesn't have them
	sameTime    = 100 // hits among which the record before must be
)

// tick is the exactness of the log's times.
const tick = time.Microsecond

// streamTerm is a stream as searches name it.
func (v *visit) streamTerm(stream string) string { return v.ws + "/" + stream }

// indexed is what the index knows of a record, or nil.
func (v *visit) indexed(e api.Event) (*api.SearchHit, error) {
	hits, err := v.hits(e, &e.Time)
	for _, hit := range hits {
		if hit.ID == e.ID {
			return &hit, err
		}
	}
	return nil, err
}

// hits finds the events of e's stream up to its time, the newest first.
func (v *visit) hits(e api.Event, from *time.Time) ([]api.SearchHit, error) {
	params := &api.FilterEventsParams{Stream: given(v.streamTerm(e.Stream)), From: from, To: given(e.Time.Add(tick)), Limit: given(sameTime), MinPosition: v.after()}
	found, err := read[api.SearchResult](v.api.FilterEvents(v.ctx(), v.ws, params))
	if r := asRefusal(err); r != nil && r.Code == "index_unavailable" {
		return nil, nil // the page is about the log
	}
	return found.Items, err
}

// previous is the record before e in its stream; nil if there is none or it is
// not found.
func (v *visit) previous(e api.Event) (*api.Event, error) {
	if e.Revision == 0 {
		return nil, nil
	}
	if e.Revision <= shortStream {
		return v.fromBeginning(e)
	}
	hits, err := v.hits(e, nil)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(hits, func(h api.SearchHit) bool { return before(h.Position, e.Position) })
	if i >= 0 {
		found, err := read[api.Event](v.api.GetEvent(v.ctx(), v.ws, hits[i].ID, nil))
		if err != nil || found.Revision == e.Revision-1 {
			return &found, err
		}
	}
	if e.Revision <= longStream {
		return v.fromBeginning(e)
	}
	return nil, nil
}

func (v *visit) fromBeginning(e api.Event) (*api.Event, error) {
	list, err := read[api.EventList](v.api.ListEvents(v.ctx(), v.ws, &api.ListEventsParams{Stream: &e.Stream, Limit: given(int(e.Revision))}))
	if i := slices.IndexFunc(list.Items, func(f api.Event) bool { return f.Revision == e.Revision-1 && f.Stream == e.Stream }); i >= 0 {
		return &list.Items[i], err
	}
	return nil, err
}

// before reports whether a position of the log stands before another. Positions
// are numbers of any length.
func before(a, b api.Position) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// followers is how many records after one are looked at.
const followers = 25

// following are the records after e in its stream.
func (v *visit) following(e api.Event) ([]api.Event, error) {
	list, err := read[api.EventList](v.api.ListEvents(v.ctx(), v.ws, &api.ListEventsParams{Stream: &e.Stream, After: &e.Position, Limit: given(followers)}))
	return list.Items, err
}

// contentsOf are the contents that belong to a fact: they stand right after it,
// and the same command made them.
func contentsOf(fact api.Event, after []api.Event) []api.Event {
	if isContent(fact.Type) {
		return nil
	}
	n := 0
	for n < len(after) && isContent(after[n].Type) && after[n].Causation == fact.Causation && after[n].Revision == fact.Revision+int64(n)+1 {
		n++
	}
	return after[:n]
}
