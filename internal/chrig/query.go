package chrig

import (
	"fmt"
	"slices"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
)

// query reads one query and puts its answer, or the exception, into the answer
// at hand. An error ends the connection.
func (p *peer) query() error {
	var q chproto.Query
	if err := q.DecodeAware(p.r, revision); err != nil {
		return fmt.Errorf("reading a query: %w", err)
	}
	p.lz4 = q.Compression == chproto.CompressionEnabled
	external, err := p.receive()
	if err != nil {
		return err
	}
	if external != nil {
		p.refuse(refuse(codeNotImplemented, "the rig takes no external tables"))
		return nil
	}
	st := asked(q, p.database)
	if in, ok := parseInsert(q.Body); ok {
		return p.insert(in, st)
	}
	return p.read(st)
}

// asked is the statement that a query packet makes.
func asked(q chproto.Query, database string) statement {
	st := statement{database: database, text: q.Body, format: "Native", settings: map[string]string{}, params: map[string]string{}}
	for _, s := range q.Settings {
		st.settings[s.Key] = s.Value
	}
	for _, s := range q.Parameters {
		st.params[s.Key] = undump(s.Value)
	}
	return st
}

// undump turns a parameter, which travels as a quoted literal of a TSV-escaped
// value, into that value.
func undump(literal string) string {
	if len(literal) < 2 || literal[0] != '\'' || literal[len(literal)-1] != '\'' {
		return literal
	}
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\n`, "\n", `\r`, "\r", `\t`, "\t", `\0`, "\x00").Replace(literal[1 : len(literal)-1])
}

// insert tells the client what columns to send, and takes the rows.
func (p *peer) insert(in insertion, st statement) error {
	columns, err := p.wanted(in, st)
	if err != nil {
		p.refuse(err)
		return nil
	}
	if err := p.send(header(columns)); err != nil {
		return err
	}
	rows, err := p.receive()
	if err != nil {
		return err
	}
	if rows == nil {
		chproto.ServerCodeEndOfStream.Encode(&p.out)
		return nil
	}
	st.text, st.rows = in.into+" FORMAT Native", rows
	res, err := p.engine.run(st)
	if err != nil {
		p.refuse(err)
		return nil
	}
	p.finish(res, 0, 0)
	return nil
}

// wanted is the columns that an INSERT takes, in its order.
func (p *peer) wanted(in insertion, st statement) ([]described, error) {
	all, err := p.engine.describe(in.table, statement{database: st.database})
	if err != nil {
		return nil, err
	}
	if in.columns == nil {
		return slices.DeleteFunc(all, func(c described) bool { return c.Kind == "MATERIALIZED" || c.Kind == "ALIAS" }), nil
	}
	var columns []described
	for _, name := range in.columns {
		i := slices.IndexFunc(all, func(c described) bool { return c.Name == name })
		if i < 0 {
			return nil, refuse(codeNoSuchColumn, "No such column %s in table %s. (NO_SUCH_COLUMN_IN_TABLE)", name, in.table)
		}
		columns = append(columns, all[i])
	}
	return columns, nil
}

// read runs any other statement and sends the rows that it answers.
func (p *peer) read(st statement) error {
	res, err := p.engine.run(st)
	if err != nil {
		p.refuse(err)
		return nil
	}
	if len(res.data) == 0 {
		if err := p.sendColumns(st); err != nil {
			return err
		}
	}
	blocks, rows := 0, 0
	err = reframe(res.data, toClient, &p.engine.server, func(block []byte, n int) error {
		blocks++
		rows += n
		return p.send(block)
	})
	if err != nil {
		return err
	}
	p.finish(res, blocks, rows)
	return nil
}

// sendColumns sends the columns of a SELECT that has no rows, which the library
// leaves out.
func (p *peer) sendColumns(st statement) error {
	text := strings.TrimRight(st.text, "; \t\r\n")
	s := scanner{text: text}
	if first := strings.ToUpper(s.bare()); first != "SELECT" && first != "WITH" {
		return nil
	}
	columns, err := p.engine.describe("("+text+")", st)
	if err != nil {
		return nil // some, as EXPLAIN-like ones, can't be described
	}
	return p.send(header(columns))
}

// finish ends the answer with what the statement has cost.
func (p *peer) finish(res result, blocks, rows int) {
	chproto.ServerCodeProgress.Encode(&p.out)
	chproto.Progress{Rows: res.storageRows, Bytes: res.storageBytes, WroteRows: res.rowsWritten,
		ElapsedNs: uint64(res.elapsed.Nanoseconds())}.EncodeAware(&p.out, revision)
	chproto.Profile{Rows: uint64(rows), Blocks: uint64(blocks), Bytes: uint64(len(res.data))}.EncodeAware(&p.out, revision)
	chproto.ServerCodeEndOfStream.Encode(&p.out)
}
