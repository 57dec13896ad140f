package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Format is the version of the record format that this code writes.
const Format = 1

// timeLayout is RFC 3339 in UTC with exactly microseconds.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// ErrMalformed says that a record is not in the format of this package.
var ErrMalformed = errors.New("record is malformed")

// Header is what is public about a record: the members of its JWS payload.
type Header struct {
	Workspace   domain.WorkspaceID
	Stream      string
	Revision    int64
	Type        string
	ID          [16]byte
	Time        time.Time // UTC, microseconds
	Actor       string    // "kind:id"
	Credential  domain.CredentialID
	Correlation string
	Cause       domain.CommandID
	Key         string // data key that sealed the ciphertext
	Data        string // base64url SHA-256 of the ciphertext
	Prev        string // base64url SHA-256 of the previous signing input; "" for the first
}

// appendPublic appends the payload from its start through the key member. These
// bytes are the ciphertext's associated data.
func (h *Header) appendPublic(dst []byte) ([]byte, error) {
	for _, s := range [...]string{string(h.Workspace), h.Stream, h.Type, h.Actor, string(h.Credential),
		h.Correlation, string(h.Cause), h.Key} {
		if !plain(s) {
			return nil, fmt.Errorf("%w: %q needs escaping, which the format does not have", ErrMalformed, s)
		}
	}
	dst = append(dst, `{"v":1,"ws":"`...)
	dst = append(dst, h.Workspace...)
	dst = append(dst, `","stream":"`...)
	dst = append(dst, h.Stream...)
	dst = append(dst, `","rev":`...)
	dst = strconv.AppendInt(dst, h.Revision, 10)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, h.Type...)
	dst = append(dst, `","id":"`...)
	dst = appendUUID(dst, h.ID)
	dst = append(dst, `","time":"`...)
	dst = h.Time.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","actor":"`...)
	dst = append(dst, h.Actor...)
	dst = append(dst, `","cred":"`...)
	dst = append(dst, h.Credential...)
	dst = append(dst, `","cor":"`...)
	dst = append(dst, h.Correlation...)
	dst = append(dst, `","cau":"`...)
	dst = append(dst, h.Cause...)
	dst = append(dst, `","key":"`...)
	dst = append(dst, h.Key...)
	return append(dst, '"'), nil
}

// appendRest appends what follows the associated data.
func appendRest(dst []byte, data, prev string) []byte {
	dst = append(dst, `,"data":"`...)
	dst = append(dst, data...)
	dst = append(dst, `","prev":"`...)
	dst = append(dst, prev...)
	return append(dst, `"}`...)
}

// plain reports whether s stands in JSON as it is: printable ASCII without
// quotes and backslashes.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ParseHeader reads a JWS payload. It takes exactly what this package writes:
// these members, in this order, spelled this way. associated is the part of
// payload that the ciphertext is bound to.
func ParseHeader(payload []byte) (h Header, associated []byte, err error) {
	p := parser{rest: payload}
	p.literal(`{"v":1,"ws":`)
	h.Workspace = domain.WorkspaceID(p.text())
	p.literal(`,"stream":`)
	h.Stream = p.text()
	p.literal(`,"rev":`)
	h.Revision = p.integer()
	p.literal(`,"type":`)
	h.Type = p.text()
	p.literal(`,"id":`)
	h.ID = p.uuid()
	p.literal(`,"time":`)
	h.Time = p.time()
	p.literal(`,"actor":`)
	h.Actor = p.text()
	p.literal(`,"cred":`)
	h.Credential = domain.CredentialID(p.text())
	p.literal(`,"cor":`)
	h.Correlation = p.text()
	p.literal(`,"cau":`)
	h.Cause = domain.CommandID(p.text())
	p.literal(`,"key":`)
	h.Key = p.text()
	associated = payload[:len(payload)-len(p.rest)]
	p.literal(`,"data":`)
	h.Data = p.text()
	p.literal(`,"prev":`)
	h.Prev = p.text()
	p.literal(`}`)
	if p.bad || len(p.rest) != 0 {
		return Header{}, nil, fmt.Errorf("%w: its signed payload is not of format %d", ErrMalformed, Format)
	}
	return h, associated, nil
}

// parser reads the payload from the left; after a mismatch it is bad and
// answers zero values.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) literal(s string) {
	if p.bad || !bytes.HasPrefix(p.rest, []byte(s)) {
		p.bad = true
		return
	}
	p.rest = p.rest[len(s):]
}

func (p *parser) text() string {
	p.literal(`"`)
	if p.bad {
		return ""
	}
	end := bytes.IndexByte(p.rest, '"')
	if end < 0 {
		p.bad = true
		return ""
	}
	s := string(p.rest[:end])
	p.rest = p.rest[end+1:]
	p.bad = p.bad || !plain(s)
	return s
}

func (p *parser) integer() int64 {
	end := bytes.IndexByte(p.rest, ',')
	if p.bad || end < 0 {
		p.bad = true
		return 0
	}
	s := string(p.rest[:end])
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		p.bad = true
		return 0
	}
	p.rest = p.rest[end:]
	return n
}

func (p *parser) time() time.Time {
	s := p.text()
	t, err := time.Parse(timeLayout, s)
	if err != nil || len(s) != len(timeLayout) || t.Format(timeLayout) != s {
		p.bad = true
		return time.Time{}
	}
	return t
}

func (p *parser) uuid() [16]byte {
	id, err := ParseEventID(p.text())
	p.bad = p.bad || err != nil
	return id
}

// EventID is the text of an event's id: a lower-case UUID.
func EventID(id [16]byte) string { return string(appendUUID(make([]byte, 0, 36), id)) }

// ParseEventID reads what [EventID] writes, and nothing else.
func ParseEventID(s string) ([16]byte, error) {
	var id [16]byte
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("%w: an event id is a UUID", ErrMalformed)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil || EventID(id) != s {
		return id, fmt.Errorf("%w: an event id is a lower-case UUID", ErrMalformed)
	}
	return id, nil
}

func appendUUID(dst []byte, id [16]byte) []byte {
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[:n])
		copy(id[:], id[n:])
	}
	return dst
}

// A record's user metadata is its compact JWS between these.
const (
	metaOpening = `{"jws":"`
	metaEnd     = `"}`
)

// unwrapMeta answers the compact JWS inside user metadata.
func unwrapMeta(meta []byte) ([]byte, error) {
	jws, ok := bytes.CutPrefix(meta, []byte(metaOpening))
	if ok {
		jws, ok = bytes.CutSuffix(jws, []byte(metaEnd))
	}
	if !ok {
		return nil, fmt.Errorf("%w: its metadata does not hold a signature", ErrMalformed)
	}
	return jws, nil
}

func digest64(sum [32]byte) string { return base64.RawURLEncoding.EncodeToString(sum[:]) }

// microTime is the time so many microseconds after the epoch; 0 is none.
func microTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
