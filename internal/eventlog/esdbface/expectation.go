package esdbface

import (
	"fmt"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// expectation is what a writer expects of its stream.
type expectation struct {
	kind     expectationKind
	revision int64 // of exactly; [eventlog.NoStream] for a stream without records
}

type expectationKind int

const (
	exactly expectationKind = iota
	whatever
	existing
)

func (e expectation) String() string {
	switch {
	case e.kind == whatever:
		return "any"
	case e.kind == existing:
		return "stream_exists"
	case e.revision == eventlog.NoStream:
		return "no_stream"
	default:
		return fmt.Sprint(e.revision)
	}
}

// signed is the expectation as trailers carry it.
func (e expectation) signed() int64 {
	switch e.kind {
	case whatever:
		return anyRevision
	case existing:
		return existsRevision
	default:
		return e.revision
	}
}

// holds says whether a stream whose last record is at tip is as expected.
func (e expectation) holds(tip int64) bool {
	switch e.kind {
	case whatever:
		return true
	case existing:
		return tip != eventlog.NoStream
	default:
		return tip == e.revision
	}
}

// conflict is a stream that is not as its writer expected.
type conflict struct {
	stream string
	want   expectation
	actual int64
}

func (c *conflict) Error() string {
	return fmt.Sprintf("stream %q is at revision %d, expected %v", c.stream, c.actual, c.want)
}

func exactRevision(v uint64) (expectation, error) {
	if v > math.MaxInt64-1 {
		return expectation{}, status.Errorf(codes.InvalidArgument, "expected revision %d is beyond any stream", v)
	}
	return expectation{revision: int64(v)}, nil
}

func missingExpectation() (expectation, error) {
	return expectation{}, status.Error(codes.InvalidArgument, "the request has no expected revision")
}

func appendExpectation(o *streams.AppendReq_Options) (expectation, error) {
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return exactRevision(v.Revision)
	case *streams.AppendReq_Options_NoStream:
		return expectation{revision: eventlog.NoStream}, nil
	case *streams.AppendReq_Options_Any:
		return expectation{kind: whatever}, nil
	case *streams.AppendReq_Options_StreamExists:
		return expectation{kind: existing}, nil
	default:
		return missingExpectation()
	}
}

func batchExpectation(o *streams.BatchAppendReq_Options) (expectation, error) {
	switch v := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		return exactRevision(v.StreamPosition)
	case *streams.BatchAppendReq_Options_NoStream:
		return expectation{revision: eventlog.NoStream}, nil
	case *streams.BatchAppendReq_Options_Any:
		return expectation{kind: whatever}, nil
	case *streams.BatchAppendReq_Options_StreamExists:
		return expectation{kind: existing}, nil
	default:
		return missingExpectation()
	}
}

func tombstoneExpectation(o *streams.TombstoneReq_Options) (expectation, error) {
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		return exactRevision(v.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		return expectation{revision: eventlog.NoStream}, nil
	case *streams.TombstoneReq_Options_Any:
		return expectation{kind: whatever}, nil
	case *streams.TombstoneReq_Options_StreamExists:
		return expectation{kind: existing}, nil
	default:
		return missingExpectation()
	}
}
