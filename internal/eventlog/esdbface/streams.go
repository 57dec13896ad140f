package esdbface

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// streamsService answers the Streams calls.
type streamsService struct {
	streams.UnimplementedStreamsServer
	face *Face
}

// Append collects one batch from the client and stores it.
func (s *streamsService) Append(ss streams.Streams_AppendServer) error {
	ctx := ss.Context()
	first, err := ss.Recv()
	if err != nil {
		return err
	}
	if first.GetOptions() == nil {
		return status.Error(codes.InvalidArgument, "the first message of an append must hold its options")
	}
	stream := string(first.GetOptions().GetStreamIdentifier().GetStreamName())
	if err := s.face.writable(stream); err != nil {
		return s.face.refusal(ctx, stream, err)
	}
	want, err := appendExpectation(first.GetOptions())
	if err != nil {
		return err
	}
	events, err := collect(ss)
	if err != nil {
		return s.face.refusal(ctx, stream, err)
	}
	at, err := s.face.append(ctx, stream, want, events)
	var c *conflict
	switch {
	case errors.As(err, &c):
		return ss.SendAndClose(wrongVersion(c))
	case err != nil:
		return s.face.refusal(ctx, stream, err)
	default:
		return ss.SendAndClose(success(at))
	}
}

// collect receives proposed events until the client has sent all, and never
// holds more than one append may have.
func collect(ss streams.Streams_AppendServer) (events []eventlog.Event, err error) {
	total := 0
	for {
		req, err := ss.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		p := req.GetProposedMessage()
		if p == nil {
			return nil, status.Error(codes.InvalidArgument, "after its options an append takes proposed messages only")
		}
		ev, size, err := proposed(p)
		if err != nil {
			return nil, err
		}
		if total += size; total > eventlog.MaxAppend {
			return nil, eventlog.ErrTooLarge
		}
		events = append(events, ev)
	}
}

func success(at eventlog.Appended) *streams.AppendResp {
	out := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}
	if at.Revision >= 0 {
		out.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(at.Revision)}
	}
	if at.Position > 0 {
		out.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: uint64(at.Position), PreparePosition: uint64(at.Position),
		}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: out}}
}

// wrongVersion fills the fields of today and those of 20.6, which old clients
// still read.
func wrongVersion(c *conflict) *streams.AppendResp {
	empty, out := &shared.Empty{}, &streams.AppendResp_WrongExpectedVersion{}
	if c.actual >= 0 {
		out.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(c.actual)}
		out.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(c.actual)}
	} else {
		out.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty}
		out.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty}
	}
	switch {
	case c.want.kind == whatever:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: empty}
	case c.want.kind == existing:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: empty}
	default:
		// For no_stream the old field holds -1 as an unsigned number.
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(c.want.revision)}
		if c.want.revision >= 0 {
			out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(c.want.revision)}
		} else {
			out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
		}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: out}}
}

// Delete would be a soft delete, which the log has not.
func (s *streamsService) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	stream := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	if err := s.face.writable(stream); err != nil {
		return nil, s.face.refusal(ctx, stream, err)
	}
	return nil, status.Error(codes.Unimplemented, "this server has no soft delete; Tombstone removes a stream for good")
}

// Tombstone removes a stream for good. The expected revision is checked first,
// but not in one step with the removal: the log's own has no such check.
func (s *streamsService) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	f, stream := s.face, string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	if err := f.writable(stream); err != nil {
		return nil, f.refusal(ctx, stream, err)
	}
	want, err := tombstoneExpectation(req.GetOptions())
	if err != nil {
		return nil, err
	}
	if f.opts.MayTombstone != nil && !f.opts.MayTombstone(stream) {
		return nil, f.refusal(ctx, stream, errNeverDeleted)
	}
	tip, _, err := f.tip(ctx, stream)
	switch {
	case err != nil:
		return nil, f.refusal(ctx, stream, err)
	case tip == eventlog.NoStream && f.deleted(ctx, stream):
		return nil, refuseDeleted(ctx, stream)
	case !want.holds(tip):
		return nil, refuseConflict(ctx, &conflict{stream, want, tip})
	}
	if err := f.log.Delete(ctx, stream); err != nil {
		return nil, f.refusal(ctx, stream, err)
	}
	_, end, err := f.tip(ctx, "")
	if err != nil {
		return nil, f.refusal(ctx, stream, err)
	}
	at := max(uint64(end), 1) // clients expect a position above 0
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: at, PreparePosition: at},
	}}, nil
}
