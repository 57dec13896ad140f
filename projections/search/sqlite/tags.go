package sqlite

import (
	"encoding/binary"
	"strings"

	"github.com/clawoffice/ledger/projections/search"
)

// appendTerm spells a workspace's tag as the table knows it: base-128 digits of
// the workspace's number, as many as it needs, and ten of the tag, all of them
// bytes above 127, which FTS5 takes for letters and leaves as they are. That is
// the shortest spelling it allows, and terms of one workspace lie together.
func appendTerm(b []byte, ws int64, tag search.Tag) []byte {
	if ws >= 128 {
		b = appendDigits(b, uint64(ws)>>7)
	}
	b = append(b, 0x80|byte(ws&0x7f))
	bits := binary.BigEndian.Uint64(tag[:])
	for shift := 63; shift >= 0; shift -= 7 {
		b = append(b, 0x80|byte(bits>>shift&0x7f))
	}
	return b
}

func appendDigits(b []byte, n uint64) []byte {
	if n >= 128 {
		b = appendDigits(b, n>>7)
	}
	return append(b, 0x80|byte(n&0x7f))
}

// match is the expression for rows that have all these tags.
func match(ws int64, tags []search.Tag) string {
	var b strings.Builder
	for i, tag := range tags {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteByte('"')
		b.Write(appendTerm(nil, ws, tag))
		b.WriteByte('"')
	}
	return b.String()
}
