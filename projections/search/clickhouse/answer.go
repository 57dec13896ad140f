package clickhouse

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// The column "answer" holds all that Find answers of a row, so that a row that
// stands alone is one read instead of one for each column. The others are there
// to be asked for.

// members are the texts and numbers of an answer, in the order in which they are
// written. It is part of the tables' version.
func members(r *search.Row) (texts []*string, numbers []*int64) {
	return []*string{(*string)(&r.Actor.Kind), &r.Actor.ID, &r.Type, &r.Stream, (*string)(&r.Execution), (*string)(&r.Workflow), (*string)(&r.Action),
			&r.Outcome, (*string)(&r.Model), (*string)(&r.Policy), (*string)(&r.Rule), (*string)(&r.Approval), (*string)(&r.Credential), &r.Correlation,
			(*string)(&r.Class), (*string)(&r.Subject)},
		[]*int64{(*int64)(&r.PromptTokens), (*int64)(&r.OutputTokens), (*int64)(&r.Cost)}
}

func encode(r *search.Row) string {
	b := make([]byte, 0, 512)
	texts, numbers := members(r)
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(*text))), *text...)
	}
	for _, n := range numbers {
		b = binary.AppendVarint(b, *n)
	}
	b = binary.AppendVarint(b, r.Time.UnixMicro())
	b = append(b, r.Severity)
	return string(append(b, r.ID[:]...))
}

// decode fills all of a row but its workspace and position.
func decode(answer string, r *search.Row) error {
	d := decoder{left: []byte(answer)}
	texts, numbers := members(r)
	for _, text := range texts {
		*text = string(d.take(d.length()))
	}
	for _, n := range numbers {
		*n = d.number()
	}
	r.Time = time.UnixMicro(d.number()).UTC()
	if severity := d.take(1); !d.bad {
		r.Severity = severity[0]
	}
	copy(r.ID[:], d.take(len(r.ID)))
	if d.bad || len(d.left) > 0 {
		return fmt.Errorf("%w: a row of %d bytes can't be read; make the index again from the log", search.ErrDamaged, len(answer))
	}
	return nil
}

// decoder reads from front to back. Once it is bad it stays so.
type decoder struct {
	left []byte
	bad  bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.left) {
		d.bad = true
		return nil
	}
	taken := d.left[:n]
	d.left = d.left[n:]
	return taken
}

func (d *decoder) length() int {
	n, size := binary.Uvarint(d.left)
	if d.take(size); size <= 0 || n > uint64(len(d.left)) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.left)
	if d.take(size); size <= 0 {
		d.bad = true
	}
	return n
}

// scanHit reads a version of a row: its position, stamp and answer.
func scanHit(scan func(...any) error, ws domain.WorkspaceID) (h hit, err error) {
	var position int64
	var answer string
	if err := scan(&position, &h.stamp, &answer); err != nil {
		return hit{}, err
	}
	h.row.Workspace = ws
	h.row.Position = eventlog.Position(position)
	return h, decode(answer, &h.row)
}
