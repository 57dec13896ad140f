package esdbface

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Values of the "exception" trailer, by which clients tell refusals apart.
const (
	exceptionAccessDenied    = "access-denied"
	exceptionStreamDeleted   = "stream-deleted"
	exceptionWrongVersion    = "wrong-expected-version"
	exceptionAppendSize      = "maximum-append-size-exceeded"
	exceptionMissingProperty = "missing-required-metadata-property"
)

var (
	errReadOnly        = errors.New("this server is read-only")
	errNeverDeleted    = errors.New("streams of this kind are never deleted")
	errMissingProperty = errors.New("an event's metadata must hold type and content-type")
)

// refuse makes a status and sets the trailers that go with it: the exception
// and pairs of names and values.
func refuse(ctx context.Context, code codes.Code, exception, message string, pairs ...string) error {
	md := metadata.Pairs(append([]string{"exception", exception}, pairs...)...)
	if err := grpc.SetTrailer(ctx, md); err != nil {
		return status.Errorf(codes.Internal, "%s (and the trailers could not be set: %v)", message, err)
	}
	return status.Error(code, message)
}

func refuseDeleted(ctx context.Context, stream string) error {
	return refuse(ctx, codes.FailedPrecondition, exceptionStreamDeleted,
		fmt.Sprintf("stream %q was deleted and its name can't be used again", stream), "stream-name", stream)
}

func refuseSize(ctx context.Context) error {
	return refuse(ctx, codes.InvalidArgument, exceptionAppendSize,
		fmt.Sprintf("an append may hold %d bytes (data, metadata and twice the type); split it", eventlog.MaxAppend),
		"maximum-append-size", strconv.Itoa(eventlog.MaxAppend))
}

// Signed revisions of conflict trailers.
const (
	anyRevision    int64 = -2
	existsRevision int64 = -4
)

// refuseConflict is how Delete and Tombstone answer a wrong revision; appends
// answer it in-band.
func refuseConflict(ctx context.Context, c *conflict) error {
	return refuse(ctx, codes.FailedPrecondition, exceptionWrongVersion, c.Error(), "stream-name", c.stream,
		"expected-version", strconv.FormatInt(c.want.signed(), 10), "actual-version", strconv.FormatInt(c.actual, 10))
}

// refusal turns an error of the log into what a real server would answer.
// Conflicts are the caller's to handle. Errors it does not know stay in the
// server's own log.
func (f *Face) refusal(ctx context.Context, stream string, err error) error {
	// A status of our own passes; one that the log's own client wrapped doesn't.
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return err
	}
	switch {
	case errors.Is(err, errReadOnly), errors.Is(err, errNeverDeleted):
		return refuse(ctx, codes.PermissionDenied, exceptionAccessDenied, err.Error())
	case errors.Is(err, errMissingProperty):
		return refuse(ctx, codes.InvalidArgument, exceptionMissingProperty, err.Error(),
			"required-metadata-properties", keyType+","+keyContentType)
	case errors.Is(err, eventlog.ErrDeleted):
		return refuseDeleted(ctx, stream)
	case errors.Is(err, eventlog.ErrTooLarge):
		return refuseSize(ctx)
	case errors.Is(err, eventlog.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case f.stopping.Err() != nil:
		return status.Error(codes.Unavailable, "Server Is Not Ready: it is shutting down")
	case errors.Is(err, eventlog.ErrUnknownOutcome):
		return status.Error(codes.Aborted, "Operation timed out: the outcome is unknown, append again with the same ids and revision")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, eventlog.ErrUnavailable), errors.Is(err, eventlog.ErrClosed):
		return status.Error(codes.Unavailable, "Server Is Not Ready: "+err.Error())
	case errors.Is(err, eventlog.ErrDamaged):
		f.logger.Error("esdbface: the log is damaged", "stream", stream, "error", err)
		return status.Error(codes.DataLoss, eventlog.ErrDamaged.Error())
	default:
		f.logger.Error("esdbface: unexpected error of the log", "stream", stream, "error", err)
		return status.Error(codes.Internal, "the server failed on this call; its log has the details")
	}
}
