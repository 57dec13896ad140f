package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// A page is held in memory and its call is over before the caller sees the
	// first record, so that a slow caller holds no connection.
	pageRecords = 512
	pageBytes   = 4 << 20
	// readTries is how often in a row a page may fail.
	readTries = 6
)

// Read implements [eventlog.Log], page by page. A page that fails for reasons
// of transport is asked for again a few times; then the read ends with
// [eventlog.ErrUnavailable]. Filters are applied here: the server filters
// subscriptions only.
func (l *Log) Read(ctx context.Context, q eventlog.Query) iter.Seq2[eventlog.Recorded, error] {
	return func(yield func(eventlog.Recorded, error) bool) {
		if q.Limit < 0 {
			yield(eventlog.Recorded{}, fmt.Errorf("%w: read with limit %d", eventlog.ErrInvalid, q.Limit))
			return
		}
		r := reader{log: l, q: q, doing: "reading the log", left: q.Limit}
		if q.Stream != "" {
			r.doing = "reading " + q.Stream
			r.next = max(q.From, 0)
			r.fromEnd = q.Backwards && q.From < 0
		}
		if err := r.run(ctx, yield); err != nil {
			yield(eventlog.Recorded{}, err)
		}
	}
}

// reader is where one Read stands.
type reader struct {
	log   *Log
	q     eventlog.Query // of the whole log, After moves along
	doing string
	left  int // records still wanted, if the query has a limit

	next    int64 // stream reads: the revision to go on with
	fromEnd bool  // stream reads: begin at the newest instead
}

// page is what one call got.
type page struct {
	events []*esdb.RecordedEvent
	end    bool // there is nothing after it
}

func (r *reader) run(ctx context.Context, yield func(eventlog.Recorded, error) bool) error {
	for failures := 0; ; {
		if ctx.Err() != nil || r.log.closing.Err() != nil {
			return fmt.Errorf("%s: %w", r.doing, r.log.endOf(ctx))
		}
		got, err := r.page(ctx)
		if len(got.events) > 0 {
			failures = 0
		}
		for _, ev := range got.events {
			more, err := r.pass(ev, yield)
			if err != nil || !more {
				return err
			}
		}
		if err == nil && (got.end || r.atBeginning()) {
			return nil
		}
		if err == nil {
			continue
		}
		if failures++; failures >= readTries || !transient(err) || ctx.Err() != nil {
			return r.log.failed(ctx, r.doing, err, nil)
		}
		pause(ctx, failures, lastPause)
	}
}

// transient says whether another try may do better.
func transient(err error) bool {
	v := classify(err)
	return v == unclear || v == notDone
}

// pass hands one event on, and says whether more are wanted.
func (r *reader) pass(ev *esdb.RecordedEvent, yield func(eventlog.Recorded, error) bool) (bool, error) {
	record, err := recorded(ev)
	if err != nil {
		return false, fmt.Errorf("%s: %w", r.doing, err)
	}
	if r.q.Stream != "" {
		r.fromEnd = false
		if r.next = record.Revision + 1; r.q.Backwards {
			r.next = record.Revision - 1
		}
	} else {
		if !r.q.Backwards && record.Position <= r.q.After {
			return true, nil // the server includes where it begins
		}
		r.q.After = record.Position
		if system(&record) || !selected(&record, &r.q) {
			return true, nil
		}
	}
	if !yield(record, nil) {
		return false, nil
	}
	r.left--
	return r.q.Limit == 0 || r.left > 0, nil
}

// atBeginning says whether a backwards read of a stream has come to its end.
func (r *reader) atBeginning() bool {
	return r.q.Stream != "" && r.q.Backwards && !r.fromEnd && r.next < 0
}

// size is how many events to ask for. Where filters may hold some back it is
// a full page. The one more is for the record at After, which comes again.
func (r *reader) size() uint64 {
	if r.q.Limit == 0 || len(r.q.StreamPrefixes)+len(r.q.TypePrefixes) > 0 {
		return pageRecords
	}
	return uint64(min(r.left, pageRecords)) + 1
}

// page makes one call. What came before an error is good.
func (r *reader) page(ctx context.Context) (page, error) {
	ctx, cancel := r.log.bound(ctx)
	defer cancel()
	size, open := r.size(), r.opener()
	got, err := call(ctx, r.log.reads, func(ctx context.Context, es *esdb.Client) (page, error) {
		stream, err := open(ctx, es, size)
		if err != nil {
			return page{}, err
		}
		defer stream.Close()
		return collect(stream, size)
	})
	if err != nil {
		if v := classify(err); v == missing || v == deleted {
			return page{end: true}, nil
		}
	}
	return got, err
}

// opener begins the call for what r's query still wants. It copies what it
// needs, because it may run after r has gone on without it.
func (r *reader) opener() func(context.Context, *esdb.Client, uint64) (*esdb.ReadStream, error) {
	direction := esdb.Forwards
	if r.q.Backwards {
		direction = esdb.Backwards
	}
	if stream := r.q.Stream; stream != "" {
		var from esdb.StreamPosition = esdb.Revision(uint64(max(r.next, 0)))
		if r.fromEnd {
			from = esdb.End{}
		}
		return func(ctx context.Context, es *esdb.Client, size uint64) (*esdb.ReadStream, error) {
			return es.ReadStream(ctx, stream, esdb.ReadStreamOptions{Direction: direction, From: from}, size)
		}
	}
	var from esdb.AllPosition = esdb.Start{}
	switch {
	case r.q.After > 0:
		from = position(r.q.After)
	case r.q.Backwards:
		from = esdb.End{}
	}
	return func(ctx context.Context, es *esdb.Client, size uint64) (*esdb.ReadStream, error) {
		return es.ReadAll(ctx, esdb.ReadAllOptions{Direction: direction, From: from}, size)
	}
}

// collect receives until the stream's end or a full page.
func collect(stream *esdb.ReadStream, size uint64) (out page, err error) {
	bytes := 0
	for uint64(len(out.events)) < size && bytes < pageBytes {
		resolved, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			out.end = true
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if ev := resolved.OriginalEvent(); ev != nil {
			out.events = append(out.events, ev)
			bytes += len(ev.Data) + len(ev.UserMetadata)
		}
	}
	return out, nil
}

func position(p eventlog.Position) esdb.Position {
	return esdb.Position{Commit: uint64(p), Prepare: uint64(p)}
}

// recorded makes the port's record of the client's.
func recorded(ev *esdb.RecordedEvent) (eventlog.Recorded, error) {
	if ev.Position.Commit == 0 || ev.Position.Commit > math.MaxInt64 {
		return eventlog.Recorded{}, fmt.Errorf("%w: the server gives events no usable position (%d); run 24.10.5 or newer",
			eventlog.ErrUnavailable, ev.Position.Commit)
	}
	return eventlog.Recorded{
		Event:    eventlog.Event{ID: ev.EventID, Type: ev.EventType, Data: ev.Data, Meta: ev.UserMetadata},
		Stream:   ev.StreamID,
		Revision: int64(ev.EventNumber),
		Position: eventlog.Position(ev.Position.Commit),
		Created:  ev.CreatedDate,
	}, nil
}

// system says whether a record is the server's own.
func system(r *eventlog.Recorded) bool {
	return strings.HasPrefix(r.Stream, "$") || strings.HasPrefix(r.Type, "$")
}

// selected says whether a query's filters let a record through.
func selected(r *eventlog.Recorded, q *eventlog.Query) bool {
	return anyPrefix(r.Stream, q.StreamPrefixes) && anyPrefix(r.Type, q.TypePrefixes)
}

func anyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return len(prefixes) == 0
}
