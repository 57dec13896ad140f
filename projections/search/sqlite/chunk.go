package sqlite

import (
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/search"
)

// chunkRows is the most rows of a chunk. More are compressed better and scanned
// faster; fewer cost less where a page takes a row here and there, and when a
// few rows are added.
const chunkRows = 1024

// chunk is a run of rows of one workspace.
type chunk struct {
	id, ws      int64
	first, last int64 // positions
	rows        int
	early, late int64 // microseconds since 1970
}

// column is the number of a column in a chunk. The numbers are durable as long
// as the file's version is the same.
type column int64

const (
	columnPosition column = iota
	columnTime
	columnID
	columnSeverity
	columnPrompt
	columnOutput
	columnCost
	columnClass
	columnSubject
	columnActor
	columnType
	columnStream
	columnExecution
	columnWorkflow
	columnAction
	columnOutcome
	columnModel
	columnPolicy
	columnRule
	columnApproval
	columnCredential
	columnCorrelation
	columns // how many there are, at most 64
)

func (c chunk) part(of column) int64 { return c.id<<6 | int64(of) }

// fieldColumn is where a field is; the kind is read off the actor.
func fieldColumn(f search.Field) column {
	switch f {
	case search.Actor, search.Kind:
		return columnActor
	case search.Type:
		return columnType
	case search.Stream:
		return columnStream
	case search.Execution:
		return columnExecution
	case search.Workflow:
		return columnWorkflow
	case search.Action:
		return columnAction
	case search.Outcome:
		return columnOutcome
	case search.Model:
		return columnModel
	case search.Policy:
		return columnPolicy
	case search.Rule:
		return columnRule
	case search.Approval:
		return columnApproval
	case search.Credential:
		return columnCredential
	}
	return columnCorrelation
}

// view reads columns of a chunk when they are first asked for.
type view struct {
	chunk
	codec   *codec
	conn    *sqlite.Conn
	texts   [columns]*texts
	numbers [columns][]int64
	ids     []byte
}

// data answers a column as it is stored.
func (v *view) data(of column) (data []byte, err error) {
	s, err := v.conn.Prepare(`SELECT data FROM part WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	s.BindInt64(1, v.part(of))
	found, err := s.Step()
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%w: a column of it is missing", search.ErrDamaged)
	}
	data = make([]byte, s.ColumnLen(0))
	s.ColumnBytes(0, data)
	return data, s.Reset()
}

func (v *view) textsOf(of column) (*texts, error) {
	if v.texts[of] == nil {
		data, err := v.data(of)
		if err != nil {
			return nil, err
		}
		t, err := v.codec.unpackTexts(data, v.rows)
		if err != nil {
			return nil, err
		}
		v.texts[of] = &t
	}
	return v.texts[of], nil
}

// field answers a field's column.
func (v *view) field(f search.Field) (texts, error) {
	t, err := v.textsOf(fieldColumn(f))
	if err != nil {
		return texts{}, err
	}
	if f != search.Kind {
		return *t, nil
	}
	kinds := texts{words: make([]string, len(t.words)), index: t.index}
	for i, actor := range t.words {
		kinds.words[i] = string(domain.ParseActor(actor).Kind)
	}
	return kinds, nil
}

func (v *view) numbersOf(of column) (_ []int64, err error) {
	if v.numbers[of] == nil {
		data, err := v.data(of)
		if err != nil {
			return nil, err
		}
		if v.numbers[of], err = v.codec.unpackNumbers(data, v.rows); err != nil {
			return nil, err
		}
	}
	return v.numbers[of], nil
}

// load reads all columns.
func (v *view) load() (err error) {
	for of := range columns {
		switch {
		case of == columnID:
			var data []byte
			if data, err = v.data(of); err == nil {
				v.ids, err = v.codec.unpack(data)
			}
			if err == nil && len(v.ids) != 16*v.rows {
				err = errColumn
			}
		case of < columnClass:
			_, err = v.numbersOf(of)
		default:
			_, err = v.textsOf(of)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// row makes row i. All columns must be loaded.
func (v *view) row(ws domain.WorkspaceID, i int) search.Row {
	text := func(of column) string { return strings.Clone(v.texts[of].words[v.texts[of].index[i]]) } // not to hold on to the whole column
	number := func(of column) int64 { return v.numbers[of][i] }
	return search.Row{
		Workspace: ws, Position: eventlog.Position(number(columnPosition)), ID: [16]byte(v.ids[16*i : 16*i+16]),
		Time: time.UnixMicro(number(columnTime)).UTC(), Severity: uint8(number(columnSeverity)),
		PromptTokens: domain.Tokens(number(columnPrompt)), OutputTokens: domain.Tokens(number(columnOutput)), Cost: domain.Micros(number(columnCost)),
		Class: search.Class(text(columnClass)), Subject: domain.SubjectTag(text(columnSubject)), Actor: domain.ParseActor(text(columnActor)),
		Type: text(columnType), Stream: text(columnStream), Execution: domain.ExecutionID(text(columnExecution)),
		Workflow: domain.Workflow(text(columnWorkflow)), Action: domain.ActionKind(text(columnAction)), Outcome: text(columnOutcome),
		Model: domain.Model(text(columnModel)), Policy: domain.PolicyID(text(columnPolicy)), Rule: domain.RuleID(text(columnRule)),
		Approval: domain.ApprovalID(text(columnApproval)), Credential: domain.CredentialID(text(columnCredential)), Correlation: text(columnCorrelation),
	}
}

// allRows makes every row of the chunk.
func (v *view) allRows(ws domain.WorkspaceID) ([]search.Row, error) {
	if err := v.load(); err != nil {
		return nil, err
	}
	rows := make([]search.Row, v.rows)
	for i := range rows {
		rows[i] = v.row(ws, i)
	}
	return rows, nil
}

// write stores the chunk with these rows, over what it was before.
func (c *chunk) write(conn *sqlite.Conn, codec *codec, rows []search.Row) error {
	c.measure(rows)
	err := sqlitex.Execute(conn, `INSERT OR REPLACE INTO chunk (id, ws, first, last, rows, early, late) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		&sqlitex.ExecOptions{Args: []any{c.id, c.ws, c.first, c.last, c.rows, c.early, c.late}})
	if err != nil {
		return err
	}
	s, err := conn.Prepare(`INSERT OR REPLACE INTO part (id, data) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for of := range columns {
		s.BindInt64(1, c.part(of))
		s.BindBytes(2, packColumn(codec, rows, of))
		if _, err := s.Step(); err != nil {
			return err
		}
		if err := s.Reset(); err != nil {
			return err
		}
	}
	return nil
}

// measure takes the chunk's bounds from its rows.
func (c *chunk) measure(rows []search.Row) {
	c.rows = len(rows)
	c.first, c.last = int64(rows[0].Position), int64(rows[len(rows)-1].Position)
	c.early, c.late = rows[0].Time.UnixMicro(), rows[0].Time.UnixMicro()
	for i := range rows {
		at := rows[i].Time.UnixMicro()
		c.early, c.late = min(c.early, at), max(c.late, at)
	}
}

func packColumn(codec *codec, rows []search.Row, of column) []byte {
	numbers := func(number func(*search.Row) int64) []byte {
		return codec.packNumbers(len(rows), func(i int) int64 { return number(&rows[i]) })
	}
	texts := func(text func(*search.Row) string) []byte {
		return codec.packTexts(len(rows), func(i int) string { return text(&rows[i]) })
	}
	switch of {
	case columnPosition:
		return numbers(func(r *search.Row) int64 { return int64(r.Position) })
	case columnTime:
		return numbers(func(r *search.Row) int64 { return r.Time.UnixMicro() })
	case columnSeverity:
		return numbers(func(r *search.Row) int64 { return int64(r.Severity) })
	case columnPrompt:
		return numbers(func(r *search.Row) int64 { return int64(r.PromptTokens) })
	case columnOutput:
		return numbers(func(r *search.Row) int64 { return int64(r.OutputTokens) })
	case columnCost:
		return numbers(func(r *search.Row) int64 { return int64(r.Cost) })
	case columnID:
		b := make([]byte, 1, 1+16*len(rows))
		for i := range rows {
			b = append(b, rows[i].ID[:]...)
		}
		return codec.pack(b)
	case columnClass:
		return texts(func(r *search.Row) string { return string(r.Class) })
	case columnSubject:
		return texts(func(r *search.Row) string { return string(r.Subject) })
	}
	for _, f := range search.Fields() {
		if f != search.Kind && fieldColumn(f) == of {
			return texts(func(r *search.Row) string { t, _ := r.Text(f); return t })
		}
	}
	return codec.pack(make([]byte, 1)) // no such column
}
