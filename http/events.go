package http

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/directory"
)

// recordHeader is what the events of the API show of a record's signed header.
type recordHeader struct {
	Time  time.Time `json:"time"`
	Actor string    `json:"actor"`
	Cred  string    `json:"cred"`
	Cor   string    `json:"cor"`
	Cau   string    `json:"cau"`
}

// errHeader says that a stored record's signature has no readable payload,
// although the record was checked when it was read.
var errHeader = errors.New("the payload of a record's signature can't be read")

func headerOf(jws string) (recordHeader, error) {
	var h recordHeader
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return h, errHeader
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &h)
	}
	if err != nil {
		return h, fmt.Errorf("%w: %w", errHeader, err)
	}
	return h, nil
}

func uuidText(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func uuidBytes(text string) (id [16]byte) {
	_, _ = hex.Decode(id[:], []byte(strings.ReplaceAll(text, "-", ""))) // its form was checked
	return id
}

// event shows a record's metadata; its header is read from the log.
func (h *handlers) event(ctx context.Context, ws domain.WorkspaceID, e directory.Event) (api.Event, error) {
	id := uuidText(e.ID)
	r, err := h.service.Record(ctx, ws, id)
	if err != nil {
		return api.Event{}, err
	}
	head, err := headerOf(r.JWS)
	return api.Event{ID: id, Position: strconv.FormatUint(uint64(e.Position), 10), Stream: within(ws, e.Stream), Revision: e.Revision, Type: e.Type,
		Time: head.Time.UTC(), Actor: head.Actor, Credential: head.Cred, Correlation: head.Cor, Causation: head.Cau}, err
}

// within is a stream's name without the workspace.
func within(ws domain.WorkspaceID, stream string) string {
	return strings.TrimPrefix(stream, string(ws)+"/")
}

// ListEvents answers records in the order of the log.
func (h *handlers) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	p := r.Params
	if err := h.reach(ctx, directory.Name, given(p.MinPosition)); err != nil {
		return nil, err
	}
	after, err := parsePosition("after", or(given(p.Cursor), given(p.After)))
	if err != nil {
		return nil, err
	}
	limit := pageSize(given(p.Limit))
	events, err := h.eventsAfter(ctx, domain.WorkspaceID(r.Ws), after, directory.EventFilter{Stream: given(p.Stream), Type: given(p.Type)}, limit)
	if err != nil {
		return nil, err
	}
	out := api.ListEvents200JSONResponse{Items: events}
	if len(events) == limit {
		out.Next = events[limit-1].Position
	}
	return out, nil
}

func (h *handlers) eventsAfter(ctx context.Context, ws domain.WorkspaceID, after uint64, f directory.EventFilter, limit int) ([]api.Event, error) {
	found, err := h.directory.Events(ctx, ws, like(commands.Receipt{}.Position, after), f, limit)
	if err != nil {
		return nil, listError(err)
	}
	out := make([]api.Event, len(found))
	for i, e := range found {
		if out[i], err = h.event(ctx, ws, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// GetEvent answers one record's metadata.
func (h *handlers) GetEvent(ctx context.Context, r api.GetEventRequestObject) (api.GetEventResponseObject, error) {
	if err := h.reach(ctx, directory.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	ws := domain.WorkspaceID(r.Ws)
	found, err := h.directory.Event(ctx, ws, uuidBytes(r.Eid))
	if err != nil {
		return nil, listError(err)
	}
	e, err := h.event(ctx, ws, found)
	return api.GetEvent200JSONResponse(e), err
}

// GetEventRecord answers a record as it is stored.
func (h *handlers) GetEventRecord(ctx context.Context, r api.GetEventRecordRequestObject) (api.GetEventRecordResponseObject, error) {
	if err := h.reach(ctx, directory.Name, given(r.Params.MinPosition)); err != nil {
		return nil, err
	}
	ws := domain.WorkspaceID(r.Ws)
	found, err := h.directory.Event(ctx, ws, uuidBytes(r.Eid))
	if err != nil {
		return nil, listError(err)
	}
	rec, err := h.service.Record(ctx, ws, r.Eid)
	return api.GetEventRecord200JSONResponse{ID: r.Eid, Position: strconv.FormatUint(uint64(rec.Position), 10), Stream: within(ws, rec.Stream),
		Revision: rec.Revision, Type: found.Type, Jws: rec.JWS, Ciphertext: rec.Ciphertext}, err
}

// OpenEvents answers what records say, after who reads it and why was recorded.
func (h *handlers) OpenEvents(ctx context.Context, r api.OpenEventsRequestObject) (api.OpenEventsResponseObject, error) {
	opened, receipt, err := h.service.OpenEvents(ctx, h.call(ctx), r.Body.Ids, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := api.OpenedEvents{Items: []api.OpenedEvent{}}
	for _, o := range opened {
		status := api.OpenedEventStatusOpened
		if o.Erased {
			status = api.OpenedEventStatusErased
		}
		out.Items = append(out.Items, api.OpenedEvent{ID: o.ID, Status: status, Type: o.Type, Payload: o.Payload})
	}
	return api.OpenEvents200JSONResponse{Body: out, Headers: api.OpenEvents200ResponseHeaders{LedgerPosition: positionOf(receipt)}}, nil
}

// StreamEvents follows the workspace's records.
func (h *handlers) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	after, err := parsePosition("after", given(r.Params.After))
	if err == nil && given(r.Params.LastEventID) != "" {
		after, err = parsePosition("Last-Event-ID", given(r.Params.LastEventID))
	}
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	return follower{h: h, call: c, ws: c.caller.Workspace, after: after,
		filter: directory.EventFilter{Stream: given(r.Params.Stream), Type: given(r.Params.Type)}}, nil
}

// follower is the answer of a stream of events.
type follower struct {
	h      *handlers
	call   *call
	ws     domain.WorkspaceID
	after  uint64
	filter directory.EventFilter
}

const (
	streamBatch = 100
	streamPoll  = 50 * time.Millisecond // how late a record may come; nothing is read while the log stands still
)

// VisitStreamEventsResponse writes events until the client goes or may not read
// any more. The context is the connection's: the request's ends with its time.
func (f follower) VisitStreamEventsResponse(w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(callContext{f.call.base, f.call})
	defer cancel()
	batches := make(chan []message)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		failed <- f.produce(ctx, batches)
	}()
	err := f.h.server.follow(ctx, w, batches, func() bool { return f.h.still(ctx, f.call, domain.AuditSearch) })
	cancel()
	return errors.Join(err, <-failed)
}

// still asks whether the token of a long answer is good and the right is there,
// as at its start.
func (h *handlers) still(ctx context.Context, c *call, p domain.Permission) bool {
	gate := h.server.gate
	caller, err := gate.Identify(ctx, c.token)
	if err != nil || caller != c.caller {
		return false
	}
	held, err := gate.Holds(ctx, caller, p)
	return err == nil && held
}

// produce reads the workspace's index whenever it has grown.
func (f follower) produce(ctx context.Context, batches chan<- []message) error {
	tick := time.NewTicker(streamPoll)
	defer tick.Stop()
	seen := uint64(0)
	for {
		at := uint64(f.h.models.Position(directory.Name))
		for at > seen {
			events, err := f.h.eventsAfter(ctx, f.ws, f.after, f.filter, streamBatch)
			if err != nil {
				return ignoreEnd(ctx, err)
			}
			if len(events) > 0 && !f.pass(ctx, batches, events) {
				return nil
			}
			if len(events) < streamBatch {
				seen = at
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// pass hands a batch over and moves on past it.
func (f *follower) pass(ctx context.Context, batches chan<- []message, events []api.Event) bool {
	batch := make([]message, len(events))
	for i, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return false
		}
		batch[i] = message{id: e.Position, event: e.Type, data: data}
	}
	select {
	case batches <- batch:
	case <-ctx.Done():
		return false
	}
	n, err := strconv.ParseUint(events[len(events)-1].Position, 10, 64)
	f.after = n
	return err == nil
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
