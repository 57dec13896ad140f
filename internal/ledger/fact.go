package ledger

import (
	"bytes"
	"fmt"
)

// A fact's payload is {"mac":"…","event":{…}}: the event, and a keyed digest
// of the request body that caused it, by which a repeated command is told from
// another one under the same idempotency key.

// WrapFact makes a fact's payload. mac is base64url text.
func WrapFact(mac string, event []byte) []byte {
	payload := make([]byte, 0, len(event)+len(mac)+20)
	payload = append(payload, `{"mac":"`...)
	payload = append(payload, mac...)
	payload = append(payload, `","event":`...)
	payload = append(payload, event...)
	return append(payload, '}')
}

// UnwrapFact reads what [WrapFact] wrote. event is a part of payload.
func UnwrapFact(payload []byte) (mac string, event []byte, err error) {
	rest, ok := bytes.CutPrefix(payload, []byte(`{"mac":"`))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return "", nil, fmt.Errorf("%w: its payload is not a fact", ErrMalformed)
	}
	mac = string(rest[:end])
	event, ok = bytes.CutPrefix(rest[end:], []byte(`","event":`))
	if !ok || len(event) < 2 || event[len(event)-1] != '}' || !plain(mac) {
		return "", nil, fmt.Errorf("%w: its payload is not a fact", ErrMalformed)
	}
	return mac, event[:len(event)-1], nil
}
