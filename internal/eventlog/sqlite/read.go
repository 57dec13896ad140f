package sqlite

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Read implements [eventlog.Log].
func (l *Log) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		read := l.readWhole
		if q.Stream != "" {
			read = l.readStream
		}
		err := validateQuery(q)
		if err == nil {
			err = read(ctx, q, func(r eventlog.Recorded) bool { return yield(r, nil) })
		}
		if err != nil {
			yield(eventlog.Recorded{}, fmt.Errorf("reading %s: %w", what(q), err))
		}
	}
}

func what(q eventlog.Query) string {
	if q.Stream != "" {
		return "stream " + q.Stream
	}
	return "the event log"
}

func validateQuery(q eventlog.Query) error {
	switch {
	case q.Limit < 0:
		return fmt.Errorf("%w: the limit is %d; 0 means all", eventlog.ErrInvalid, q.Limit)
	case q.Stream != "" && q.From < 0 && !(q.Backwards && q.From == -1):
		return fmt.Errorf("%w: revision %d; revisions begin at 0, and only a backwards read takes -1, the newest", eventlog.ErrInvalid, q.From)
	}
	return nil
}

// deliver hands out a page's records and counts them off the limit. It answers
// false when the read is over.
func (p *page) deliver(left *int, yield func(eventlog.Recorded) bool) bool {
	for _, r := range p.records {
		if !yield(r) {
			return false
		}
		*left--
	}
	return !p.end && *left > 0
}

func unlimited(limit int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}

func (l *Log) readWhole(ctx context.Context, q eventlog.Query, yield func(eventlog.Recorded) bool) error {
	f, at, left := newFilter(q), q.After, unlimited(q.Limit)
	f.onMismatch = l.onMismatch
	for {
		p, err := l.wholePage(ctx, f, at, q.Backwards, left)
		if err != nil {
			return err
		}
		if !p.deliver(&left, yield) {
			return nil
		}
		at = eventlog.Position(p.scanned)
	}
}

func (l *Log) wholePage(ctx context.Context, f *filter, after eventlog.Position, backwards bool, limit int) (page, error) {
	r, err := l.readers.get(ctx)
	if err != nil {
		return page{}, err
	}
	defer l.readers.put(r)
	return r.whole(f, l.types, after, backwards, limit)
}

func (l *Log) readStream(ctx context.Context, q eventlog.Query, yield func(eventlog.Recorded) bool) error {
	at, left, id := q.From, unlimited(q.Limit), int64(0)
	f := newFilter(eventlog.Query{}) // filters are for the whole log
	if at == -1 {
		at = math.MaxInt64
	}
	for {
		p, err := l.streamPage(ctx, f, q, &id, at, left)
		if err != nil {
			return err
		}
		if !p.deliver(&left, yield) || len(p.records) == 0 {
			return nil // a stream that was deleted shows no records
		}
		at = p.records[len(p.records)-1].Revision + 1
		if q.Backwards {
			at -= 2
		}
		if at < 0 {
			return nil
		}
	}
}

// streamPage finds the stream, once for all pages, and reads one of them.
func (l *Log) streamPage(ctx context.Context, f *filter, q eventlog.Query, id *int64, at int64, limit int) (page, error) {
	r, err := l.readers.get(ctx)
	if err != nil {
		return page{}, err
	}
	defer l.readers.put(r)
	if *id == 0 {
		if err := l.followNames(r); err != nil {
			return page{}, err
		}
		if *id, _, err = l.names.find(r.lookup, q.Stream); err != nil || *id == 0 {
			return page{end: true}, err
		}
	}
	return r.stream(f, l.types, q.Stream, *id, at, q.Backwards, limit)
}
