package crypto

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Both encodings are immutable. b64 refuses set trailing bits but still skips
// line breaks, so decode with [decodeB64].
var (
	b64      = base64.RawURLEncoding.Strict()
	base32ID = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// idLength is the length of 128 bits in base32.
const idLength = 26

// appendID appends the first 128 bits of tag as 26 characters of [a-z2-7].
func appendID(dst []byte, tag *[32]byte) []byte {
	return base32ID.AppendEncode(dst, tag[:16])
}

var errBase64 = errors.New("not canonical unpadded base64url")

// decodeB64 appends the decoded form of src to dst. Exactly one text stands for
// any bytes: padding, line breaks and set trailing bits are refused.
func decodeB64(dst, src []byte) ([]byte, error) {
	start := len(dst)
	dst, err := b64.AppendDecode(dst, src)
	// The decoder skips CR and LF; a text with them is longer than it needs be.
	if err != nil || b64.EncodedLen(len(dst)-start) != len(src) {
		return dst[:start], errBase64
	}
	return dst, nil
}

// appendPart appends s with its length before it, so that a sequence of parts
// can be read in one way only.
func appendPart(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// encodeParts is what gets authenticated when several texts are bound together.
func encodeParts(parts ...string) []byte {
	var dst []byte
	for _, p := range parts {
		dst = appendPart(dst, p)
	}
	return dst
}
