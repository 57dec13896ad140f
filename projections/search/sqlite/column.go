package sqlite

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/clawoffice/ledger/projections/search"
)

// texts is a column of texts: row i has the text words[index[i]].
type texts struct {
	words []string
	index []uint16
}

// Each column begins with how the rest is stored.
const (
	plain      = 0
	compressed = 1
)

// maxColumn bounds what a damaged column can make of memory.
const maxColumn = 16 << 20

// codec writes and reads columns. It is safe for concurrent use.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newCodec() (*codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(128<<10), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("preparing to compress: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxColumn))
	if err != nil {
		return nil, fmt.Errorf("preparing to decompress: %w", err)
	}
	return &codec{encoder, decoder}, nil
}

// worth is the least number of bytes that compression is tried on.
const worth = 96

// pack finishes a column whose first byte is left free.
func (c *codec) pack(b []byte) []byte {
	b[0] = plain
	if len(b) < worth {
		return b
	}
	small := c.encoder.EncodeAll(b[1:], append(make([]byte, 0, len(b)), compressed))
	if len(small) > len(b)-len(b)/8 {
		return b
	}
	return small
}

func (c *codec) unpack(b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] == plain:
		return b[1:], nil
	case len(b) > 0 && b[0] == compressed:
		if raw, err := c.decoder.DecodeAll(b[1:], nil); err == nil {
			return raw, nil
		}
	}
	return nil, errColumn
}

var errColumn = fmt.Errorf("%w: a column of it can't be read", search.ErrDamaged)

// packTexts stores the column of n texts. Those that differ come first, in
// order of appearance, then their numbers: none if all are the same, a byte
// each up to 256, else two.
func (c *codec) packTexts(n int, text func(int) string) []byte {
	seen := make(map[string]uint16, 16)
	index := make([]uint16, n)
	words := make([]byte, 1, 64+2*n)
	for i := range n {
		t := text(i)
		number, ok := seen[t]
		if !ok {
			number = uint16(len(seen))
			seen[t] = number
			words = append(binary.AppendUvarint(words, uint64(len(t))), t...)
		}
		index[i] = number
	}
	b := append(binary.AppendUvarint(make([]byte, 1, len(words)+2*n+4), uint64(len(seen))), words[1:]...)
	for _, number := range index {
		switch {
		case len(seen) > 256:
			b = binary.LittleEndian.AppendUint16(b, number)
		case len(seen) > 1:
			b = append(b, byte(number))
		}
	}
	return c.pack(b)
}

func (c *codec) unpackTexts(b []byte, n int) (t texts, err error) {
	b, err = c.unpack(b)
	if err != nil {
		return t, err
	}
	count, size := binary.Uvarint(b)
	if size <= 0 || count > uint64(n) || count > math.MaxUint16 || n > 0 && count == 0 {
		return t, errColumn
	}
	all := string(b[size:]) // the words share it
	t.words = make([]string, count)
	for i := range t.words {
		length, size := binary.Uvarint([]byte(all[:min(len(all), binary.MaxVarintLen64)]))
		if size <= 0 || length > uint64(len(all)-size) {
			return t, errColumn
		}
		t.words[i], all = all[size:size+int(length)], all[size+int(length):]
	}
	t.index = make([]uint16, n)
	width := 0
	switch {
	case count > 256:
		width = 2
	case count > 1:
		width = 1
	}
	if len(all) != n*width {
		return t, errColumn
	}
	for i := range t.index {
		switch width {
		case 2:
			t.index[i] = uint16(all[2*i]) | uint16(all[2*i+1])<<8
		case 1:
			t.index[i] = uint16(all[i])
		}
		if int(t.index[i]) >= len(t.words) {
			return t, errColumn
		}
	}
	return t, nil
}

// packNumbers stores n numbers as the differences between neighbours.
func (c *codec) packNumbers(n int, number func(int) int64) []byte {
	b := make([]byte, 1, 1+3*n)
	last := int64(0)
	for i := range n {
		v := number(i)
		b = binary.AppendVarint(b, v-last) // may overflow, and back when it is read
		last = v
	}
	return c.pack(b)
}

func (c *codec) unpackNumbers(b []byte, n int) ([]int64, error) {
	b, err := c.unpack(b)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, n)
	last := int64(0)
	for i := range numbers {
		d, size := binary.Varint(b)
		if size <= 0 {
			return nil, errColumn
		}
		last, b = last+d, b[size:]
		numbers[i] = last
	}
	if len(b) != 0 {
		return nil, errColumn
	}
	return numbers, nil
}
