package esdbface

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// FuzzUUID: whatever is accepted is the same id in both forms.
func FuzzUUID(f *testing.F) {
	f.Add("f1020304-0506-0708-f90a-0b0c0d0e0f10", int64(-1), int64(1))
	f.Add("urn:uuid:f1020304-0506-0708-f90a-0b0c0d0e0f10", int64(0), int64(math.MinInt64))
	f.Add("", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, text string, most, least int64) {
		fromHalves, err := parseUUID(&shared.UUID{Value: &shared.UUID_Structured_{
			Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}})
		if err != nil {
			t.Fatalf("halves %d, %d: %v", most, least, err)
		}
		if again, err := parseUUID(textual(fromHalves)); err != nil || again != fromHalves {
			t.Errorf("%x as text came back as %x, %v", fromHalves, again, err)
		}
		fromText, err := parseUUID(&shared.UUID{Value: &shared.UUID_String_{String_: text}})
		if want, bad := uuid.Parse(text); (bad == nil) != (err == nil) || err == nil && want != uuid.UUID(fromText) {
			t.Errorf("%q: %x, %v", text, fromText, err)
		}
		if again, err2 := parseUUID(structured(fromText)); err == nil && (err2 != nil || again != fromText) {
			t.Errorf("%x as halves came back as %x, %v", fromText, again, err2)
		}
	})
}

// FuzzFilter: no filter panics, and what a filter has the log hold back, it
// would have held back itself.
func FuzzFilter(f *testing.F) {
	f.Add(true, "", "a", "b", "a.v1", uint32(32), uint32(1))
	f.Add(false, `^[^\$].*`, "", "", "$x", uint32(0), uint32(1))
	f.Add(false, `(`, "x", "", "x", uint32(math.MaxUint32), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, byType bool, regex, first, second, name string, window, multiplier uint32) {
		in := &streams.ReadReq_Options_FilterOptions{
			Window: &streams.ReadReq_Options_FilterOptions_Max{Max: window}, CheckpointIntervalMultiplier: multiplier}
		expression := &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex, Prefix: []string{first, second}}
		if in.Filter = (&streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: expression}); byType {
			in.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: expression}
		}
		got, err := parseFilter(in)
		if err != nil {
			return
		}
		if got.interval == 0 || got.interval != uint64(window)*uint64(multiplier) {
			t.Errorf("interval of %d times %d is %d", window, multiplier, got.interval)
		}
		record := &eventlog.Recorded{Stream: name}
		if byType {
			record = &eventlog.Recorded{Event: eventlog.Event{Type: name}, Stream: "s"}
		}
		q := eventlog.Query{}
		got.narrow(&q)
		through := len(q.StreamPrefixes)+len(q.TypePrefixes) == 0
		for _, p := range append(q.StreamPrefixes, q.TypePrefixes...) {
			through = through || len(name) >= len(p) && name[:len(p)] == p
		}
		if got.matches(record) && !through {
			t.Errorf("the log would hold back %q, the filter lets it through", name)
		}
	})
}

// FuzzRead: no request makes the parser panic or accept what can't be served.
func FuzzRead(f *testing.F) {
	good, err := proto.Marshal(&streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}},
		CountOption:  &streams.ReadReq_Options_Count{Count: math.MaxUint64},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := &streams.ReadReq_Options{}
		if proto.Unmarshal(raw, o) != nil {
			return
		}
		plan, subscribe, err := parseRead(o)
		if err == nil && (plan.encodeID == nil || subscribe && plan.backwards || plan.filter != nil && plan.stream != "") {
			t.Errorf("accepted %v", o)
		}
	})
}

// FuzzContentType: a type is JSON exactly when the data is.
func FuzzContentType(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, "5", "", "\x01\x02", "nul", `"x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var v json.RawMessage
		if got := contentType(data); (got == contentJSON) != (json.Unmarshal(data, &v) == nil) || !bytes.Equal(before, data) {
			t.Errorf("%q: %s", data, got)
		}
	})
}
