package eventstoredb

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"
)

// leaderTries is how often one append goes where the last server said that the
// leader is.
const leaderTries = 3

// toLeader has every server but the leader refuse a call. The client means to
// do so itself, but puts the header where it is never sent; without it a
// follower answers reads with what it has, which may be less than was written.
func toLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// appendToLeader appends, and follows servers that name another as the leader.
// By the time the client says so it is about to connect there.
func appendToLeader(ctx context.Context, es *esdb.Client, stream string, opts esdb.AppendToStreamOptions, data []esdb.EventData) (result *esdb.WriteResult, err error) {
	for range leaderTries {
		result, err = es.AppendToStream(ctx, stream, opts, data...)
		if err != nil && unsent(err) && errors.Is(err, io.EOF) {
			err = whyUnsent(ctx, es, stream, err)
		}
		if !fromFollower(err) || ctx.Err() != nil {
			break
		}
	}
	return result, err
}

// fromFollower says whether a server refused because it is not the leader, and
// named the one that is.
func fromFollower(err error) bool {
	var e *esdb.Error
	return errors.As(err, &e) && e.Code() == esdb.ErrorCodeNotLeader
}

// unsent says whether an append failed before its end was sent.
func unsent(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "could not construct append operation") ||
		strings.HasPrefix(text, "could not send append request")
}

// whyUnsent asks with a read what a server said to an append that it ended
// before all was sent: the client loses the answer then, and with it the word
// of where the leader is. The result is err if the read does not tell.
func whyUnsent(ctx context.Context, es *esdb.Client, stream string, err error) error {
	read, failure := es.ReadStream(ctx, stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if failure == nil {
		_, failure = read.Recv()
		read.Close()
	}
	if failure == nil || errors.Is(failure, io.EOF) {
		return err
	}
	if fromFollower(failure) || classify(failure) == deleted {
		return failure
	}
	return err
}
