package esdbface

import (
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// answer sends the outcome of one batch. A send that fails means the client
// is gone; then the call ends by itself.
func (b *batcher) answer(c *batch, at eventlog.Appended, err error) {
	resp := &streams.BatchAppendResp{
		CorrelationId:    structured(c.correlation),
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(c.stream)},
	}
	switch v := c.options.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: v.StreamPosition}
	case *streams.BatchAppendReq_Options_NoStream:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: &emptypb.Empty{}}
	case *streams.BatchAppendReq_Options_Any:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: &emptypb.Empty{}}
	case *streams.BatchAppendReq_Options_StreamExists:
		resp.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: &emptypb.Empty{}}
	}
	if err == nil {
		resp.Result = &streams.BatchAppendResp_Success_{Success: batchSuccess(at)}
	} else {
		resp.Result = &streams.BatchAppendResp_Error{Error: b.batchError(c, err)}
	}
	b.sending.Lock()
	defer b.sending.Unlock()
	if err := b.ss.Send(resp); err != nil {
		b.face.logger.Debug("esdbface: a batch's answer could not be sent", "error", err)
	}
}

func batchSuccess(at eventlog.Appended) *streams.BatchAppendResp_Success {
	out := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
		PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	if at.Revision >= 0 {
		out.CurrentRevisionOption = &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(at.Revision)}
	}
	if at.Position > 0 {
		out.PositionOption = &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: uint64(at.Position), PreparePosition: uint64(at.Position),
		}}
	}
	return out
}

// batchError is the in-band form of a refusal: a status whose detail says what
// kind it is. The codes are those a real server uses. Nothing here may set
// trailers: one call carries many batches.
func (b *batcher) batchError(c *batch, err error) *rpc.Status {
	var wrong *conflict
	switch {
	case errors.As(err, &wrong):
		return detailed(codes.AlreadyExists, wrong.Error(), batchConflict(wrong))
	case errors.Is(err, eventlog.ErrDeleted):
		return detailed(codes.NotFound, "stream was deleted", &shared.StreamDeleted{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(c.stream)}})
	case errors.Is(err, eventlog.ErrTooLarge):
		return detailed(codes.InvalidArgument, err.Error(), &shared.MaximumAppendSizeExceeded{MaxAppendSize: eventlog.MaxAppend})
	case errors.Is(err, errReadOnly):
		return detailed(codes.PermissionDenied, err.Error(), &shared.AccessDenied{})
	case errors.Is(err, errMissingProperty):
		return detailed(codes.InvalidArgument, err.Error(), &shared.BadRequest{Message: err.Error()})
	}
	st := status.Convert(b.face.refusal(b.ctx, c.stream, err))
	switch st.Code() {
	case codes.Aborted, codes.DeadlineExceeded:
		return detailed(codes.DeadlineExceeded, st.Message(), &shared.Timeout{})
	case codes.InvalidArgument, codes.Unimplemented:
		return detailed(st.Code(), st.Message(), &shared.BadRequest{Message: st.Message()})
	default:
		return detailed(st.Code(), st.Message(), &shared.Unknown{})
	}
}

func detailed(code codes.Code, message string, detail proto.Message) *rpc.Status {
	out := &rpc.Status{Code: int32(code), Message: message}
	if packed, err := anypb.New(detail); err == nil { // fails only for a nil message
		out.Details = append(out.Details, packed)
	}
	return out
}

func batchConflict(c *conflict) *shared.WrongExpectedVersion {
	empty, out := &emptypb.Empty{}, &shared.WrongExpectedVersion{}
	if c.actual >= 0 {
		out.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(c.actual)}
	} else {
		out.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty}
	}
	switch {
	case c.want.kind == whatever:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
	case c.want.kind == existing:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
	case c.want.revision < 0:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
	default:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(c.want.revision)}
	}
	return out
}
