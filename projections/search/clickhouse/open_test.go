package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/internal/chrig/chrigtest"
	"github.com/clawoffice/ledger/projections/search"
)

const canary = "canary%7Epass/word@#&"

// TestPasswordStaysSecret holds that no error tells the password, however wrong
// the connection string is.
func TestPasswordStaysSecret(t *testing.T) {
	user := "someone:" + url.QueryEscape(canary) + "@"
	closed := closedPort(t)
	for _, dsn := range []string{
		"clickhouse://someone:" + canary + "@db:9000/ledger", // not escaped
		"clickhouse://" + user + closed + "/ledger",
		"http://" + user + closed + "/ledger",
		"https://" + user + closed + "/ledger?secure=true",
		"clickhouse://" + user + "db:port/ledger",
		"http://" + user + closed + "/ledger?dial_timeout=soon",
		"clickhouse://" + closed + "/ledger?username=someone&password=" + url.QueryEscape(canary),
		"http://" + closed + "/ledger?username=someone&password=" + url.QueryEscape(canary),
		"://" + user,
	} {
		e, err := Open(t.Context(), dsn, Options{})
		if err == nil {
			_ = e.Close()
			t.Errorf("%q is opened", dsn)
			continue
		}
		for text := fmt.Sprintf("%+v %#v", err, err); err != nil; err = errors.Unwrap(err) {
			text += err.Error()
			if strings.Contains(text, "canary") {
				t.Errorf("%q: the error %s tells the password", dsn, text)
			}
		}
	}
}

// closedPort is where nobody answers.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestServerThatIsNotThere(t *testing.T) {
	for _, scheme := range []string{"clickhouse", "http"} {
		if _, err := Open(t.Context(), scheme+"://"+closedPort(t)+"/ledger", Options{}); !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("%s: got %v, want that it is unavailable", scheme, err)
		}
	}
}

func TestServerVersions(t *testing.T) {
	for version, good := range map[string]bool{"26.7.2.1": true, "26.2.1.1": true, "27.1.1.1": true, "26.1.9.9": false, "18.16.1": false, "PostgreSQL": false} {
		if err := checkVersion(version); (err == nil) != good {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// TestOtherVersion holds that tables of another version are refused, and left
// alone.
func TestOtherVersion(t *testing.T) {
	dsn := chrigtest.DSN(t, clickhouse.Native)
	e := openTest(t, dsn)
	if err := e.conn.Exec(t.Context(), "ALTER TABLE "+rowTable+" MODIFY COMMENT 'another'"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dsn, Options{}); !errors.Is(err, search.ErrDamaged) || !strings.Contains(fmt.Sprint(err), "drop the tables") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
}

// TestTablesThatAreGone holds that a call says so, and that the next Open makes
// what is missing.
func TestTablesThatAreGone(t *testing.T) {
	for _, protocol := range protocols() {
		dsn := chrigtest.DSN(t, protocol)
		e := openTest(t, dsn)
		if err := e.conn.Exec(t.Context(), "DROP TABLE "+rowTable+" SYNC"); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Find(t.Context(), search.Query{Workspace: "acme"}); !errors.Is(err, search.ErrDamaged) {
			t.Errorf("%s: got %v, want that the index is damaged", protocol, err)
		}
		if _, err := openTest(t, dsn).Find(t.Context(), search.Query{Workspace: "acme"}); err != nil {
			t.Errorf("%s: opened anew: %v", protocol, err)
		}
	}
}

func TestClosed(t *testing.T) {
	e := openTest(t, chrigtest.DSN(t, clickhouse.Native))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, q := t.Context(), search.Query{Workspace: "acme"}
	_, position := e.Position(ctx)
	_, find := e.Find(ctx, q)
	_, count := e.Count(ctx, q, search.Grouping{})
	for name, err := range map[string]error{"Position": position, "Find": find, "Count": count, "Insert": e.Insert(ctx, search.Batch{}), "Sweep": e.Sweep(ctx),
		"Remove": e.Remove(ctx, search.Erasure{Workspace: "acme", Subject: "s"})} {
		if !errors.Is(err, search.ErrClosed) {
			t.Errorf("%s: got %v, want that the index is closed", name, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestExplain(t *testing.T) {
	e := &Engine{closed: make(chan struct{})}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	other := errors.New("something else")
	for _, row := range []struct {
		name string
		ctx  context.Context
		err  error
		want error
	}{
		{"nothing", t.Context(), nil, nil},
		{"too many parts", t.Context(), &clickhouse.Exception{Code: 252}, search.ErrUnavailable},
		{"memory", t.Context(), fmt.Errorf("x: %w", &clickhouse.Exception{Code: 241}), search.ErrUnavailable},
		{"a proxy", t.Context(), &clickhouse.HTTPError{StatusCode: 502, Err: other}, search.ErrUnavailable},
		{"network", t.Context(), &net.OpError{Op: "read", Err: other}, search.ErrUnavailable},
		{"our own limit", t.Context(), context.DeadlineExceeded, search.ErrUnavailable},
		{"corrupted", t.Context(), &clickhouse.Exception{Code: 246}, search.ErrDamaged},
		{"cancelled", cancelled, &net.OpError{Op: "read", Err: other}, context.Canceled},
		{"ours", t.Context(), fmt.Errorf("%w: x", search.ErrGap), search.ErrGap},
		{"unknown", t.Context(), other, other},
	} {
		got := e.explain(row.ctx, row.err)
		if !errors.Is(got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
		if row.want == other && errors.Is(got, search.ErrUnavailable) {
			t.Errorf("%s may pass: %v", row.name, got)
		}
	}
}
