package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// load folds w's stream from its newest snapshot, or from its start.
func (h *Handler[S, C, E]) load(ctx context.Context, w *writer[S, C, E]) error {
	if w.tail.Revision != eventlog.NoStream { // a load that ran out of time goes on where it was
		return h.finish(w, h.refresh(ctx, w))
	}
	w.forget()
	if h.options.Cache != nil {
		if data, tail, ok := h.options.Cache.Load(ctx, w.stream, h.schema()); ok {
			var k kept[S]
			if json.Unmarshal(data, &k) == nil {
				w.state, w.tail, w.seen = k.State, tail, seen{Entries: k.Seen}
				w.seen.reindex()
			}
		}
	}
	return h.finish(w, h.refresh(ctx, w))
}

// finish marks w as loaded if it is.
func (h *Handler[S, C, E]) finish(w *writer[S, C, E], err error) error {
	w.loaded = err == nil
	return err
}

// renew brings w's state to what the log holds now.
func (h *Handler[S, C, E]) renew(ctx context.Context, w *writer[S, C, E]) error {
	if w.tail.Revision == eventlog.NoStream {
		return h.load(ctx, w)
	}
	return h.refresh(ctx, w)
}

// refresh folds what the log holds after w's tail.
func (h *Handler[S, C, E]) refresh(ctx context.Context, w *writer[S, C, E]) error {
	for r, err := range h.log.ReadStream(ctx, w.stream, w.tail) {
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.stream, err)
		}
		if err := h.fold(w, &r); err != nil {
			return err
		}
	}
	return nil
}

// fold evolves w's state by one record.
func (h *Handler[S, C, E]) fold(w *writer[S, C, E], r *ledger.Record) error {
	w.tail, w.last = r.Tail(), r.Position
	w.since++
	if isContent(r.Type) {
		w.seen.add(r.Cause, "", r.Revision, r.Time)
		return nil
	}
	mac, e, err := h.open(r)
	if err != nil {
		return err
	}
	w.state = w.state.Evolve(e)
	w.seen.add(r.Cause, mac, r.Revision, r.Time)
	if !h.options.Forever && len(w.seen.Entries)%forgetEvery == 0 {
		w.seen.forget(r.Time)
	}
	return nil
}

// errUnreadable says that a fact can't be read although its seal is good.
var errUnreadable = errors.New("fact can't be read")

// open decodes a fact.
func (h *Handler[S, C, E]) open(r *ledger.Record) (mac string, e E, err error) {
	if r.Erased {
		return "", e, fmt.Errorf("%s@%d: %w: its workspace's key was destroyed", r.Stream, r.Revision, errUnreadable)
	}
	mac, data, err := ledger.UnwrapFact(r.Payload)
	if err == nil {
		e, err = h.decode(r.Type, data)
	}
	if err != nil {
		return "", e, fmt.Errorf("%s@%d: %w: %w", r.Stream, r.Revision, errUnreadable, err)
	}
	return mac, e, nil
}

func isContent(name string) bool { return strings.HasPrefix(name, "content.") }

// twin reports whether an ask before this one in the round is the same
// command; its repeat is then left for the next round, which replays it.
func twin[S, C, E any](before []*ask[S, C, E], a *ask[S, C, E]) bool {
	for _, b := range before {
		if b.first < b.last && b.call.ID == a.call.ID {
			return true
		}
	}
	return false
}

// replay answers an ask whose command was recorded before, with the events it
// made then. It reports whether it was.
func (h *Handler[S, C, E]) replay(ctx context.Context, w *writer[S, C, E], a *ask[S, C, E]) bool {
	entry, ok := w.seen.find(a.call.ID)
	if !ok {
		return false
	}
	if entry.MAC != a.call.MAC {
		a.err = keyReused()
		return true
	}
	a.result = Result[S, E]{Receipt: Receipt{At: entry.At, Replayed: true}, State: w.state}
	for revision := entry.First; revision <= entry.Last; revision++ {
		r, err := h.log.ReadRecord(ctx, w.stream, revision)
		if err != nil {
			a.err = translate(fmt.Errorf("reading %s@%d again: %w", w.stream, revision, err))
			return true
		}
		a.result.Position = r.Position
		if isContent(r.Type) {
			continue
		}
		_, e, err := h.open(&r)
		if err != nil {
			a.err = err
			return true
		}
		a.result.Events = append(a.result.Events, e)
	}
	return true
}

// kept is what a snapshot holds.
type kept[S any] struct {
	State S           `json:"state"`
	Seen  []seenEntry `json:"seen"`
}

func (h *Handler[S, C, E]) schema() string { return h.options.Name + "/" + strconv.Itoa(stateSchema) }

// snapshot keeps w's state now and then, beside the work.
func (h *Handler[S, C, E]) snapshot(w *writer[S, C, E]) {
	now := h.options.Now()
	if h.options.Cache == nil || w.since < snapshotFrom || now.Sub(w.saved) < snapshotWait {
		return
	}
	w.since, w.saved = 0, now
	k := kept[S]{State: w.state, Seen: append([]seenEntry(nil), w.seen.Entries...)}
	stream, tail := w.stream, w.tail
	go h.save(stream, tail, k)
}

// save writes a snapshot. Its failure costs time later and nothing else.
func (h *Handler[S, C, E]) save(stream string, tail ledger.Tail, k kept[S]) {
	data, err := json.Marshal(k)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), roundTime)
	defer cancel()
	_ = h.options.Cache.Save(ctx, stream, h.schema(), tail, data)
}
