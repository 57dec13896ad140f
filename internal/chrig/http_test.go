package chrig_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
)

// TestPlainHTTP talks to the rig as curl does.
func TestPlainHTTP(t *testing.T) {
	o := chrigtest.Options(t, clickhouse.HTTP, clickhouse.CompressionNone)
	if _, body := post(t, o, nil, "CREATE TABLE p (a UInt8, s String) ENGINE = MergeTree ORDER BY a"); body != "" {
		t.Fatal(body)
	}
	for _, row := range []struct {
		name   string
		url    url.Values
		body   string
		status int
		code   string
		want   string // how the answer begins
	}{
		{"text in the body", nil, "SELECT 1, 'x'", 200, "", "1\tx\n"},
		{"text in the URL", url.Values{"query": {"SELECT 1"}}, "", 200, "", "1\n"},
		{"in two halves", url.Values{"query": {"SELECT 1"}}, "+ 1", 200, "", "2\n"},
		{"a format in the text", nil, "SELECT 1 AS a FORMAT JSONEachRow", 200, "", `{"a":1}`},
		{"a format in the URL", url.Values{"default_format": {"JSONEachRow"}}, "SELECT 1 AS a", 200, "", `{"a":1}`},
		{"rows as CSV", url.Values{"query": {"INSERT INTO p FORMAT CSV"}}, "1,\"a;\nb\"\n2,c\n", 200, "", ""},
		{"rows as JSON", url.Values{"query": {"INSERT INTO p (s, a) FORMAT JSONEachRow;"}}, `{"a":3,"s":"it's"}`, 200, "", ""},
		{"rows after VALUES", url.Values{"query": {"INSERT INTO p VALUES"}}, "(4,'d')", 200, "", ""},
		{"rows in the text", nil, "INSERT INTO p VALUES (5,'e')", 200, "", ""},
		{"no rows", url.Values{"query": {"INSERT INTO p FORMAT CSV"}}, "", 200, "", ""},
		{"bad rows", url.Values{"query": {"INSERT INTO p FORMAT CSV"}}, "x,y\n", 500, "27", "Code: 27. DB::Exception: "},
		{"what became of them", nil, "SELECT sum(a), groupArray(s) FROM (SELECT * FROM p ORDER BY a)", 200, "", "15\t['a;\\nb','c','it\\'s','d','e']\n"},
		{"a parameter", url.Values{"param_x": {`a\tb`}}, "SELECT length({x:String})", 200, "", "3\n"},
		{"blocks of revision 0", url.Values{"default_format": {"Native"}}, "SELECT 1 AS a", 200, "", "\x01\x01\x01a\x05UInt8\x01"},
		{"blocks of an older revision", url.Values{"default_format": {"Native"}, "client_protocol_version": {"54000"}}, "SELECT 1", 500, "48", "Code: 48."},
		{"compressed, it says", url.Values{"decompress": {"1"}}, "SELECT 1", 500, "1002", "Code: 1002."},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer, body := post(t, o, row.url, row.body)
			if answer.StatusCode != row.status || answer.Header.Get("X-ClickHouse-Exception-Code") != row.code || !strings.HasPrefix(body, row.want) || row.want == "" && body != "" {
				t.Errorf("%s, code %q, %q; want %d, %q, %q", answer.Status, answer.Header.Get("X-ClickHouse-Exception-Code"), body, row.status, row.code, row.want)
			}
		})
	}
}

func TestZippedBody(t *testing.T) {
	o := chrigtest.Options(t, clickhouse.HTTP, clickhouse.CompressionNone)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte("SELECT 'zipped'")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, body, want string
	}{
		{"good", zipped.String(), "zipped\n"},
		{"cut off", zipped.String()[:zipped.Len()-9], "Code: 1002."},
		{"not zipped", "SELECT 1", "Code: 1002."},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, body := post(t, o, nil, row.body, "Content-Encoding", "gzip"); !strings.HasPrefix(body, row.want) {
				t.Errorf("answered %q, want %q", body, row.want)
			}
		})
	}
}

// post sends a statement and answers what came of it.
func post(t *testing.T, o *clickhouse.Options, options url.Values, body string, header ...string) (*http.Response, string) {
	t.Helper()
	query := url.Values{"database": {o.Auth.Database}}
	for name, values := range options {
		query[name] = values
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+o.Addr[0]+"/?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if o.Auth.Username != "" {
		r.SetBasicAuth(o.Auth.Username, o.Auth.Password)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer, string(all)
}
