package esdbface

import (
	"context"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// readPlan is a checked read or subscription.
type readPlan struct {
	stream    string // "" is $all
	backwards bool
	start     startKind
	at        uint64 // of startAt: a revision, or for $all a position
	count     uint64
	filter    *filter
	encodeID  func([16]byte) *shared.UUID
}

type startKind int

const (
	startAt startKind = iota
	startBeginning
	startEnd
)

// beyond is a position or revision no log reaches; anything above it would not
// fit the log's signed numbers.
const beyond = math.MaxInt64

// reading is one Read call under way.
type reading struct {
	readPlan
	face *Face
	ctx  context.Context
	send func(*streams.ReadResp) error
}

// Read serves reads and subscriptions, of one stream and of $all. It holds one
// record at a time: a client that does not read on makes Send wait, and the
// log's own reader with it.
func (s *streamsService) Read(req *streams.ReadReq, ss streams.Streams_ReadServer) error {
	plan, subscribe, err := parseRead(req.GetOptions())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	defer context.AfterFunc(s.face.stopping, cancel)()
	r := &reading{readPlan: plan, face: s.face, ctx: ctx, send: ss.Send}
	switch {
	case subscribe && plan.stream != "":
		err = r.subscribeStream()
	case subscribe:
		err = r.subscribeAll()
	case plan.stream != "":
		err = r.readStream()
	default:
		err = r.readAll()
	}
	if err != nil {
		return s.face.refusal(ctx, plan.stream, err)
	}
	return nil
}

func (r *reading) event(record *eventlog.Recorded) error {
	return r.send(readEvent(record, r.encodeID))
}

// pass sends what q selects.
func (r *reading) pass(q eventlog.Query) (sent int, err error) {
	for record, err := range r.face.log.Read(r.ctx, q) {
		if err != nil {
			return sent, err
		}
		if err := r.event(&record); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

func (r *reading) limit() int { return int(min(r.count, math.MaxInt)) }

func (r *reading) readStream() error {
	q := eventlog.Query{Stream: r.stream, Backwards: r.backwards, Limit: r.limit()}
	nothing := r.count == 0
	switch {
	case r.start == startEnd && r.backwards:
		q.From = -1
	case r.start == startEnd, r.at > beyond && !r.backwards:
		nothing = true // behind the last record
	case r.start == startAt:
		q.From = int64(min(r.at, beyond))
	}
	if !nothing {
		if sent, err := r.pass(q); err != nil || sent > 0 {
			return err
		}
	}
	return r.whyNothing()
}

// whyNothing tells a stream that has nothing to show here from one that is
// missing and one that was deleted.
func (r *reading) whyNothing() error {
	tip, _, err := r.face.tip(r.ctx, r.stream)
	switch {
	case err != nil || tip != eventlog.NoStream:
		return err
	case r.face.deleted(r.ctx, r.stream):
		return refuseDeleted(r.ctx, r.stream)
	default:
		return r.send(streamNotFound(r.stream))
	}
}

// readAll includes the given position forwards and leaves it out backwards, as
// clients expect; the log leaves it out both ways.
func (r *reading) readAll() error {
	q := eventlog.Query{Backwards: r.backwards}
	switch {
	case r.count == 0:
		return nil
	case r.start == startEnd && !r.backwards, r.start == startBeginning && r.backwards:
		return nil
	case r.start == startAt && r.backwards:
		if r.at == 0 {
			return nil
		}
		if r.at < beyond {
			q.After = eventlog.Position(r.at)
		}
	case r.start == startAt:
		if r.at > beyond {
			return nil
		}
		q.After = eventlog.Position(max(r.at, 1) - 1)
	}
	r.filter.narrow(&q)
	sent := uint64(0)
	for record, err := range r.face.log.Read(r.ctx, q) {
		if err != nil {
			return err
		}
		if !r.filter.matches(&record) {
			continue
		}
		if err := r.event(&record); err != nil {
			return err
		}
		if sent++; sent == r.count {
			break
		}
	}
	return nil
}

func parseRead(o *streams.ReadReq_Options) (plan readPlan, subscribe bool, err error) {
	plan.backwards = o.GetReadDirection() == streams.ReadReq_Options_Backwards
	// The kind of id is chosen by which member is set; its value may be nil.
	switch {
	case o.GetUuidOption() == nil:
		return plan, false, status.Error(codes.InvalidArgument, "the request does not say how to write ids (uuid_option)")
	default:
		plan.encodeID = structured
		if _, ok := o.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_); ok {
			plan.encodeID = textual
		}
	}
	switch v := o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		plan.count = v.Count
	case *streams.ReadReq_Options_Subscription:
		if subscribe = true; plan.backwards {
			return plan, false, status.Error(codes.InvalidArgument, "subscriptions go forwards only")
		}
	default:
		return plan, false, status.Error(codes.InvalidArgument, "the request is neither a read (count) nor a subscription")
	}
	filterOptions := o.GetFilter()
	switch v := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		if filterOptions != nil {
			return plan, false, status.Error(codes.InvalidArgument, "filters are for $all only")
		}
		err = plan.fromStream(v.Stream)
	case *streams.ReadReq_Options_All:
		if err = plan.fromAll(v.All); err == nil && filterOptions != nil {
			plan.filter, err = parseFilter(filterOptions)
		}
	default:
		err = status.Error(codes.InvalidArgument, "the request names neither a stream nor $all")
	}
	return plan, subscribe, err
}

func (p *readPlan) fromStream(in *streams.ReadReq_Options_StreamOptions) error {
	if p.stream = string(in.GetStreamIdentifier().GetStreamName()); p.stream == "" {
		return status.Error(codes.InvalidArgument, "the request's stream name is empty")
	}
	switch v := in.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		p.start, p.at = startAt, v.Revision
	case *streams.ReadReq_Options_StreamOptions_Start:
		p.start = startBeginning
	case *streams.ReadReq_Options_StreamOptions_End:
		p.start = startEnd
	default:
		return status.Error(codes.InvalidArgument, "the request does not say where in the stream to begin")
	}
	return nil
}

func (p *readPlan) fromAll(in *streams.ReadReq_Options_AllOptions) error {
	switch v := in.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		p.start, p.at = startAt, v.Position.GetCommitPosition()
		if v.Position.GetPreparePosition() > p.at {
			return status.Error(codes.InvalidArgument, "a position's prepare part must not exceed its commit part")
		}
	case *streams.ReadReq_Options_AllOptions_Start:
		p.start = startBeginning
	case *streams.ReadReq_Options_AllOptions_End:
		p.start = startEnd
	default:
		return status.Error(codes.InvalidArgument, "the request does not say where in $all to begin")
	}
	return nil
}
