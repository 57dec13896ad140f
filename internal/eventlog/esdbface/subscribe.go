package esdbface

import (
	"time"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// subscribeAll follows the whole log from behind the given position.
func (r *reading) subscribeAll() error {
	q := eventlog.Query{}
	switch r.start {
	case startAt:
		q.After = eventlog.Position(min(r.at, beyond))
	case startEnd:
		_, end, err := r.face.tip(r.ctx, "")
		if err != nil {
			return err
		}
		q.After = end
	}
	r.filter.narrow(&q)
	if err := r.send(confirmation()); err != nil {
		return err
	}
	return r.followAll(q)
}

// followAll sends records, after each interval of them a checkpoint, and a
// checkpoint whenever the log says how far it got without a record.
func (r *reading) followAll(q eventlog.Query) error {
	considered, told := uint64(0), q.After
	mark := func(p eventlog.Position) error {
		if r.filter == nil || p <= told {
			return nil
		}
		told, considered = p, 0
		return r.send(checkpoint(p))
	}
	for d, err := range r.face.log.Subscribe(r.ctx, q) {
		if err != nil {
			return err
		}
		if d.Record == nil {
			if err := mark(d.Position); err != nil {
				return err
			}
			if d.CaughtUp {
				if err := r.send(caughtUp(time.Now(), eventlog.NoStream, d.Position)); err != nil {
					return err
				}
			}
			continue
		}
		if r.filter.matches(d.Record) {
			if err := r.event(d.Record); err != nil {
				return err
			}
		}
		if considered++; considered >= r.filter.every() {
			if err := mark(d.Position); err != nil {
				return err
			}
		}
	}
	return nil
}

// subscribeStream follows one stream from behind the given revision. The log
// subscribes to all streams only, so this reads what is there and then takes
// the stream's records out of the whole from where the reading ended: no
// record can fall between, since the end was noted before the reading began.
func (r *reading) subscribeStream() error {
	_, after, err := r.face.tip(r.ctx, "")
	if err != nil {
		return err
	}
	last, at, err := r.face.tip(r.ctx, r.stream)
	if err != nil {
		return err
	}
	if last == eventlog.NoStream && r.face.deleted(r.ctx, r.stream) {
		return refuseDeleted(r.ctx, r.stream)
	}
	if err := r.send(confirmation()); err != nil {
		return err
	}
	sent := eventlog.NoStream
	switch r.start {
	case startAt:
		sent = int64(min(r.at, beyond))
	case startEnd:
		sent, after = last, max(after, at)
	}
	if sent < last {
		for record, err := range r.face.log.Read(r.ctx, eventlog.Query{Stream: r.stream, From: sent + 1}) {
			if err != nil {
				return err
			}
			if err := r.event(&record); err != nil {
				return err
			}
			sent, after = record.Revision, max(after, record.Position)
		}
	}
	return r.followStream(after, sent)
}

// followStream sends the stream's records after a position whose revision is
// above sent.
func (r *reading) followStream(after eventlog.Position, sent int64) error {
	q := eventlog.Query{After: after, StreamPrefixes: []string{r.stream}}
	for d, err := range r.face.log.Subscribe(r.ctx, q) {
		switch {
		case err != nil:
			return err
		case d.Record == nil && d.CaughtUp:
			err = r.send(caughtUp(time.Now(), sent, 0))
		case d.Record != nil && d.Record.Stream == r.stream && d.Record.Revision > sent:
			sent = d.Record.Revision
			err = r.event(d.Record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
