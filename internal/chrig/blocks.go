package chrig

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

const (
	// revision of the protocol that the rig speaks: clickhouse-go v2.50's.
	revision = 54460
	// readerSize is what ch-go's reader wants of a bufio.Reader to use it as it
	// is, so that what was consumed can be told from what was read.
	readerSize = 128 << 10
)

// The library reads and writes blocks as of revision 0. Clients of the rig's
// revision want a prefix before each block, and after the type of each column a
// byte that says whether it is serialised in a way of its own.
var blockPrefix = []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0}

// direction is which way blocks are rewritten.
type direction int

const (
	toClient direction = iota // from revision 0 to the rig's
	toEngine                  // and back
)

// reframe rewrites the blocks of src and hands each to emit, with its number of
// rows. The data of columns is copied as it is: it is decoded only to find where
// it ends, because some types don't survive being encoded again.
func reframe(src []byte, to direction, server *column.ServerContext, emit func(block []byte, rows int) error) error {
	w := newWalker(src, to, server)
	for w.offset() < len(src) {
		rows, err := w.block()
		if err != nil {
			return fmt.Errorf("the Native block at byte %d of %d: %w", w.offset(), len(src), err)
		}
		if err := emit(w.out, rows); err != nil {
			return err
		}
	}
	return nil
}

// walker goes over blocks and writes each of them anew into out.
type walker struct {
	src    []byte
	rest   *bytes.Reader
	ahead  *bufio.Reader
	r      *chproto.Reader
	to     direction
	server *column.ServerContext
	out    []byte
}

func newWalker(src []byte, to direction, server *column.ServerContext) *walker {
	w := &walker{src: src, rest: bytes.NewReader(src), to: to, server: server}
	w.ahead = bufio.NewReaderSize(w.rest, readerSize)
	w.r = chproto.NewReader(w.ahead)
	return w
}

// offset is how much of src was consumed.
func (w *walker) offset() int { return len(w.src) - w.rest.Len() - w.ahead.Buffered() }

// block rewrites one block and says how many rows it has.
func (w *walker) block() (int, error) {
	w.out = nil
	if w.to == toClient {
		w.out = append(w.out, blockPrefix...)
	} else if _, err := io.CopyN(io.Discard, w.r, int64(len(blockPrefix))); err != nil {
		return 0, err
	}
	columns, err := w.r.UVarInt()
	if err != nil {
		return 0, err
	}
	rows, err := w.r.UVarInt()
	if err != nil {
		return 0, err
	}
	w.out = binary.AppendUvarint(binary.AppendUvarint(w.out, columns), rows)
	for range columns {
		if err := w.column(int(rows)); err != nil {
			return 0, err
		}
	}
	return int(rows), nil
}

func (w *walker) column(rows int) error {
	name, err := w.r.Str()
	if err != nil {
		return err
	}
	kind, err := w.r.Str()
	if err != nil {
		return err
	}
	w.out = appendString(appendString(w.out, name), kind)
	if w.to == toClient {
		w.out = append(w.out, 0)
	} else if custom, err := w.r.Bool(); err != nil || custom {
		return errors.Join(err, fmt.Errorf("column %s of type %s: serialisations of a client's own are not supported", name, kind))
	}
	if rows == 0 {
		return nil
	}
	start := w.offset()
	if err := w.decode(name, kind, rows); err != nil {
		return fmt.Errorf("column %s of type %s: %w", name, kind, err)
	}
	w.out = append(w.out, w.src[start:w.offset()]...)
	return nil
}

// decode consumes the data of one column.
func (w *walker) decode(name, kind string, rows int) error {
	c, err := column.Type(kind).Column(name, w.server)
	if err != nil {
		return err
	}
	if prefixed, ok := c.(column.CustomSerialization); ok {
		if err := prefixed.ReadStatePrefix(w.r); err != nil {
			return err
		}
	}
	return c.Decode(w.r, rows)
}

// header is a block without rows, for clients: it tells what columns there are.
func header(columns []described) []byte {
	out := append([]byte(nil), blockPrefix...)
	out = append(binary.AppendUvarint(out, uint64(len(columns))), 0)
	for _, c := range columns {
		out = append(appendString(appendString(out, c.Name), c.Type), 0)
	}
	return out
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
