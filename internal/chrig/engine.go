package chrig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// Engine is the ClickHouse engine on one directory. A process opens one at most.
type Engine struct {
	lib     *library
	dir     string
	root    *session // keeps the engine up between requests
	version string
	zone    string // the server's time zone
	server  column.ServerContext

	running sync.RWMutex // held for reading by each statement
	closed  bool
}

// Open starts the engine of the shared library on dir, which is made if it is
// not there.
func Open(library, dir string) (*Engine, error) {
	lib, err := load(library)
	if err != nil {
		return nil, err
	}
	root, err := lib.open(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{lib: lib, dir: dir, root: root}
	if err := e.greet(); err != nil {
		root.close()
		return nil, fmt.Errorf("the ClickHouse engine on %s does not say who it is: %w", dir, err)
	}
	return e, nil
}

// greet asks the engine for what clients want to know about a server.
func (e *Engine) greet() error {
	r, err := e.root.query("SELECT version(), timezone()", "TSVRaw", nil)
	if err != nil {
		return err
	}
	var ok bool
	if e.version, e.zone, ok = strings.Cut(strings.TrimSuffix(string(r.data), "\n"), "\t"); !ok {
		return fmt.Errorf("it answered %q", r.data)
	}
	if e.zone == "" {
		e.zone = "UTC"
	}
	e.server.Revision = revision
	_, err = fmt.Sscanf(e.version, "%d.%d.%d", &e.server.VersionMajor, &e.server.VersionMinor, &e.server.VersionPatch)
	return err
}

// Close waits for running statements and stops the engine.
func (e *Engine) Close() {
	e.running.Lock()
	defer e.running.Unlock()
	if !e.closed {
		e.closed = true
		e.root.close()
	}
}

// statement is one request of a client.
type statement struct {
	database string // "" for the engine's default
	text     string
	format   string // of the answer, where the text names none
	settings map[string]string
	params   map[string]string // values as in TSV
	rows     []byte            // of an INSERT, in the format that the text ends with
}

// run gives the statement a session of its own.
func (e *Engine) run(st statement) (result, error) {
	e.running.RLock()
	defer e.running.RUnlock()
	if e.closed {
		return result{}, errors.New("the ClickHouse engine is closed")
	}
	s, err := e.lib.open(e.dir)
	if err != nil {
		return result{}, err
	}
	defer s.close()
	before, err := st.preamble()
	if err != nil {
		return result{}, err
	}
	for _, text := range before {
		if _, err := s.query(text, "Null", nil); err != nil {
			return result{}, err
		}
	}
	if in, ok := parseInsert(st.text); ok && in.format != "" && st.rows != nil {
		return s.insert(in, st)
	}
	return s.query(st.text, st.format, st.params)
}

// preamble is the statements that make the session what the client asked for.
func (st statement) preamble() ([]string, error) {
	var list []string
	if st.database != "" {
		list = append(list, "USE "+quoteName(st.database))
	}
	identifier := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	var set []string
	for _, name := range slices.Sorted(maps.Keys(st.settings)) {
		if !identifier.MatchString(name) {
			return nil, refuse(codeUnknownSetting, "%q can't be the name of a setting", name)
		}
		set = append(set, name+" = "+quoteText(st.settings[name]))
	}
	if len(set) > 0 { // together, as each statement costs half a millisecond
		list = append(list, "SET "+strings.Join(set, ", "))
	}
	return list, nil
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// insert has the engine read the rows from a pipe. It would cut rows that follow
// the text at the first byte that looks like the end of a statement.
func (s *session) insert(in insertion, st statement) (result, error) {
	out, into, err := os.Pipe()
	if err != nil {
		return result{}, fmt.Errorf("making a pipe for the rows of an INSERT: %w", err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := into.Write(st.rows)
		written <- errors.Join(err, into.Close())
	}()
	text := fmt.Sprintf("%s FROM INFILE '/proc/self/fd/%d' COMPRESSION 'none' FORMAT %s", in.into, out.Fd(), in.format)
	r, err := s.query(text, st.format, st.params)
	_ = out.Close() // the writer fails now, if the engine did not read everything
	if failed := <-written; err == nil && failed != nil {
		err = fmt.Errorf("the ClickHouse engine did not read all rows of an INSERT: %w", failed)
	}
	return r, err
}

// described is a column of a table or of a result.
type described struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Kind string `json:"default_type"` // MATERIALIZED, ALIAS and so on; "" for most
}

// describe asks for the columns of what may stand behind DESCRIBE TABLE.
func (e *Engine) describe(what string, st statement) ([]described, error) {
	st.text, st.format, st.rows = "DESCRIBE TABLE "+what, "JSONEachRow", nil
	r, err := e.run(st)
	if err != nil {
		return nil, err
	}
	var columns []described
	for lines := json.NewDecoder(bytes.NewReader(r.data)); ; {
		var c described
		if err := lines.Decode(&c); errors.Is(err, io.EOF) {
			return columns, nil
		} else if err != nil {
			return nil, fmt.Errorf("what the ClickHouse engine says of the columns of %s: %w", what, err)
		}
		columns = append(columns, c)
	}
}
