package sqlite

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// columns is what readRow expects, in this order.
const columns = "position, revision, type, created, live, name, id, sum, data, meta"

const (
	colPosition = iota
	colRevision
	colType
	colCreated
	colLive
	colName
	colID
	colSum
	colData
	colMeta
)

// castagnoli has hardware support wherever we run; the table is never changed.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers everything a record says, each part with its length, so that
// bytes rotting on the disk are noticed when read and not handed out. It is no
// protection against people; signatures above this package are.
func checksum(r *eventlog.Recorded) uint32 {
	var head [56]byte
	b := append(head[:0], r.ID[:]...)
	for _, n := range []uint64{uint64(r.Position), uint64(r.Revision), uint64(r.Created.UnixMicro())} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, n := range []int{len(r.Stream), len(r.Type), len(r.Data), len(r.Meta)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	sum := crc32.Update(0, castagnoli, b)
	var text [256]byte
	sum = crc32.Update(sum, castagnoli, append(append(text[:0], r.Stream...), r.Type...))
	sum = crc32.Update(sum, castagnoli, r.Data)
	return crc32.Update(sum, castagnoli, r.Meta)
}

// mismatch says that a row was read and is not what was written.
type mismatch struct{ error }

func (m mismatch) Unwrap() error { return m.error }

// readRow takes the record out of a row whose type is known and checks it. With
// a mismatch it answers the record too, for who only wants to name it.
func readRow(s *zs.Stmt, kind string) (eventlog.Recorded, error) {
	r := eventlog.Recorded{
		Stream:   s.ColumnText(colName),
		Revision: s.ColumnInt64(colRevision),
		Position: eventlog.Position(s.ColumnInt64(colPosition)),
		Created:  time.UnixMicro(s.ColumnInt64(colCreated)).UTC(),
	}
	r.Type = kind
	dataLen, metaLen := s.ColumnLen(colData), s.ColumnLen(colMeta)
	if s.ColumnLen(colID) != len(r.ID) || dataLen+metaLen > eventlog.MaxAppend {
		return eventlog.Recorded{}, damaged("the row at position %d has columns of impossible sizes", r.Position)
	}
	s.ColumnBytes(colID, r.ID[:])
	bytes := make([]byte, dataLen+metaLen)
	r.Data, r.Meta = bytes[:dataLen:dataLen], bytes[dataLen:]
	s.ColumnBytes(colData, r.Data)
	s.ColumnBytes(colMeta, r.Meta)
	if sum := s.ColumnInt64(colSum); sum != int64(checksum(&r)) {
		return r, mismatch{damaged("the record at position %d does not match its checksum", r.Position)}
	}
	return r, nil
}
