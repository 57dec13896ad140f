package esdbface

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Keys and values of an event's system metadata.
const (
	keyType        = "type"
	keyContentType = "content-type"
	keyCreated     = "created"

	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

// structured is the form of a UUID that Go clients send and ask for: the
// big-endian halves of its bytes.
func structured(id [16]byte) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

func textual(id [16]byte) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: uuid.UUID(id).String()}}
}

// parseUUID reads either form. A missing or malformed id is an error; the zero
// id is not, callers judge that.
func parseUUID(in *shared.UUID) (id [16]byte, err error) {
	switch v := in.GetValue().(type) {
	case *shared.UUID_Structured_:
		binary.BigEndian.PutUint64(id[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(id[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return id, nil
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(v.String_)
		if err != nil {
			return id, fmt.Errorf("id is no UUID: %w", err)
		}
		return parsed, nil
	default:
		return id, fmt.Errorf("id is missing")
	}
}

// contentType tells JSON from other data by the bytes alone. The ledger's own
// records are ciphertext and never look like JSON; the check stops at the
// first byte that can't be part of it.
func contentType(data []byte) string {
	if json.Valid(data) {
		return contentJSON
	}
	return contentBinary
}

// ticks is a time in the protocol's unit, 100 ns since the Unix epoch.
// Clients treat anything but a decimal integer as fatal.
func ticks(t time.Time) string { return strconv.FormatInt(t.UnixNano()/100, 10) }

func readEvent(r *eventlog.Recorded, encodeID func([16]byte) *shared.UUID) *streams.ReadResp {
	position := uint64(r.Position)
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               encodeID(r.ID),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.Stream)},
			StreamRevision:   uint64(r.Revision),
			PreparePosition:  position,
			CommitPosition:   position,
			Metadata: map[string]string{
				keyType: r.Type, keyContentType: contentType(r.Data), keyCreated: ticks(r.Created),
			},
			CustomMetadata: r.Meta,
			Data:           r.Data,
		},
	}}}
}

func confirmation() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}}
}

func checkpoint(p eventlog.Position) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: uint64(p), PreparePosition: uint64(p)},
	}}
}

func streamNotFound(stream string) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
	}}}
}

// Fields that newer protocols added to CaughtUp. Newer clients take a message
// without a timestamp for nothing at all; older ones skip what they don't know.
const (
	fieldTimestamp = 1 // google.protobuf.Timestamp
	fieldRevision  = 2 // int64, of stream subscriptions
	fieldPosition  = 3 // {commit, prepare}, of $all subscriptions
)

// caughtUp tells a client that it is live. revision is -1 and position 0 where
// they don't apply.
func caughtUp(now time.Time, revision int64, position eventlog.Position) *streams.ReadResp {
	var stamp, extra []byte
	stamp = protowire.AppendVarint(protowire.AppendTag(stamp, 1, protowire.VarintType), uint64(now.Unix()))
	stamp = protowire.AppendVarint(protowire.AppendTag(stamp, 2, protowire.VarintType), uint64(now.Nanosecond()))
	extra = protowire.AppendBytes(protowire.AppendTag(extra, fieldTimestamp, protowire.BytesType), stamp)
	if revision >= 0 {
		extra = protowire.AppendVarint(protowire.AppendTag(extra, fieldRevision, protowire.VarintType), uint64(revision))
	}
	if position > 0 {
		var at []byte
		at = protowire.AppendVarint(protowire.AppendTag(at, 1, protowire.VarintType), uint64(position))
		at = protowire.AppendVarint(protowire.AppendTag(at, 2, protowire.VarintType), uint64(position))
		extra = protowire.AppendBytes(protowire.AppendTag(extra, fieldPosition, protowire.BytesType), at)
	}
	message := &streams.ReadResp_CaughtUp{}
	message.ProtoReflect().SetUnknown(extra)
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: message}}
}
