package chrig

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// ServeHTTP is ClickHouse's HTTP interface. All failures have status 500, and the
// engine's code in a header.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ping" {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	h := w.Header()
	h.Set("X-ClickHouse-Query-Id", r.URL.Query().Get("query_id"))
	h.Set("X-ClickHouse-Timezone", e.zone)
	answer, summary, err := e.answer(r)
	if err != nil {
		ex := asException(err)
		h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(ex.Code))
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, "%v (version %s)\n", ex, e.version)
		return
	}
	h.Set("X-ClickHouse-Summary", summary)
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // a client that went away does not want it
}

// answer runs the statement of a request.
func (e *Engine) answer(r *http.Request) (body []byte, summary string, err error) {
	options := r.URL.Query()
	sent, err := requestBody(r, options)
	if err != nil {
		return nil, "", fmt.Errorf("reading the request's body: %w", err)
	}
	st := requested(options, sent)
	res, err := e.run(st)
	if err != nil {
		return nil, "", err
	}
	summary = fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d"}`, res.storageRows, res.storageBytes, res.rowsWritten)
	if st.format != "Native" {
		return res.data, summary, nil
	}
	body, err = e.native(res.data, options)
	return body, summary, err
}

// requestBody undoes the compressions that a client may have asked for.
func requestBody(r *http.Request, options url.Values) ([]byte, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	if options.Get("decompress") == "1" {
		return inflate(body)
	}
	return io.ReadAll(body)
}

// requested is the statement that a request's URL and body make: what the URL
// does not name otherwise is a setting of the engine.
func requested(options url.Values, body []byte) statement {
	ours := []string{"query", "database", "default_format", "client_protocol_version", "user", "password", "compress", "decompress",
		"query_id", "quota_key", "wait_end_of_query", "buffer_size", "session_id", "session_timeout", "session_check"}
	st := statement{database: options.Get("database"), format: options.Get("default_format"), text: options.Get("query"),
		settings: map[string]string{}, params: map[string]string{}}
	if st.format == "" {
		st.format = "TabSeparated"
	}
	for name := range options {
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			st.params[param] = options.Get(name)
		} else if !slices.Contains(ours, name) {
			st.settings[name] = options.Get(name)
		}
	}
	switch in, ok := parseInsert(st.text); {
	case st.text == "":
		st.text = string(body)
	case ok && in.format != "":
		st.rows = body
	case len(body) > 0:
		st.text += "\n" + string(body)
	}
	return st
}

// native rewrites the engine's blocks for the revision that the client speaks.
func (e *Engine) native(blocks []byte, options url.Values) ([]byte, error) {
	compressed := options.Get("compress") == "1"
	var out bytes.Buffer
	put := func(block []byte, _ int) error {
		return putBlock(&out, block, compressed)
	}
	spoken := options.Get("client_protocol_version")
	if spoken == "" { // curl, which gets revision 0
		err := put(blocks, 0)
		return out.Bytes(), err
	}
	if n, err := strconv.Atoi(spoken); err != nil || n < revision {
		return nil, refuse(codeNotImplemented, "the rig speaks to clients of revision %d and newer, as clickhouse-go v2.50 is; client_protocol_version is %q", revision, spoken)
	}
	err := reframe(blocks, toClient, &e.server, put)
	return out.Bytes(), err
}

// putBlock writes a block, as LZ4 if the client asked for it.
func putBlock(w io.Writer, block []byte, compressed bool) error {
	if compressed {
		c := compress.NewWriter(compress.LevelZero, compress.LZ4)
		if err := c.Compress(block); err != nil {
			return fmt.Errorf("compressing a block: %w", err)
		}
		block = c.Data
	}
	_, err := w.Write(block)
	return err
}

// inflate undoes the compression of blocks.
func inflate(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(compress.NewReader(r))
	if errors.Is(err, io.EOF) { // wrapped, so ReadAll does not take it for the end
		err = nil
	}
	return b, err
}
