package esdbface

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	defaultWindow = 32
	maxExpression = 4096 // bytes of a regular expression, and number of prefixes
)

// filter lets records of $all through by stream name or event type: by any of
// some prefixes, or by a regular expression found anywhere in the name. The
// expressions are Go's; .NET's look-arounds and back-references are refused.
type filter struct {
	byType   bool
	prefixes []string
	pattern  *regexp.Regexp // if set, prefixes don't count
	interval uint64         // records looked at from one checkpoint to the next
}

func parseFilter(in *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	out := &filter{}
	var expression *streams.ReadReq_Options_FilterOptions_Expression
	switch v := in.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_EventType:
		out.byType, expression = true, v.EventType
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		expression = v.StreamIdentifier
	default:
		return nil, status.Error(codes.InvalidArgument, "the filter has neither a stream nor an event type expression")
	}
	if len(expression.GetRegex()) > maxExpression || len(expression.GetPrefix()) > maxExpression {
		return nil, status.Errorf(codes.InvalidArgument, "the filter is too long: at most %d bytes or prefixes", maxExpression)
	}
	window := uint64(defaultWindow)
	if v, ok := in.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		window = uint64(v.Max)
	}
	// Two 32-bit factors can't overflow.
	if out.interval = window * uint64(in.GetCheckpointIntervalMultiplier()); out.interval == 0 {
		return nil, status.Error(codes.InvalidArgument, "search window and checkpoint interval must be at least 1")
	}
	if expression.GetRegex() == "" {
		out.prefixes = expression.GetPrefix()
		return out, nil
	}
	pattern, err := regexp.Compile(expression.GetRegex())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "the filter's regular expression is not understood: %v", err)
	}
	out.pattern = pattern
	return out, nil
}

// matches says whether r gets through. A nil filter lets everything through,
// one without pattern and prefixes nothing.
func (f *filter) matches(r *eventlog.Recorded) bool {
	if f == nil {
		return true
	}
	name := r.Stream
	if f.byType {
		name = r.Type
	}
	if f.pattern != nil {
		return f.pattern.MatchString(name)
	}
	return slices.ContainsFunc(f.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// narrow has the log itself apply prefixes, which spares reading what they
// hold back.
func (f *filter) narrow(q *eventlog.Query) {
	if f == nil || f.pattern != nil || len(f.prefixes) == 0 || slices.Contains(f.prefixes, "") {
		return
	}
	if f.byType {
		q.TypePrefixes = f.prefixes
	} else {
		q.StreamPrefixes = f.prefixes
	}
}

// every is how many records may be looked at between checkpoints.
func (f *filter) every() uint64 {
	if f == nil {
		return math.MaxUint64 // only filtered subscriptions have checkpoints
	}
	return f.interval
}
