package chrigtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// serverVariable names servers to use instead of the rig.
const serverVariable = "CLAWLEDGER_TEST_CLICKHOUSE"

// shared starts the process of this test binary when a test first wants it.
var shared = sync.OnceValues(func() (*Process, error) {
	library, err := findLibrary()
	if err != nil {
		return nil, err
	}
	return start(library, "")
})

// Options says how to reach a new database, which only this test has and which
// is dropped at its end.
func Options(t testing.TB, protocol clickhouse.Protocol, compression clickhouse.CompressionMethod) *clickhouse.Options {
	t.Helper()
	o := reach(t, protocol)
	o.DialTimeout = 30 * time.Second // the machine may be busy
	o.ReadTimeout = 5 * time.Minute
	o.MaxOpenConns = 32
	if compression != clickhouse.CompressionNone {
		o.Compression = &clickhouse.Compression{Method: compression, Level: 3}
	}
	admin := open(t, o)
	name := "test_" + strings.ToLower(rand.Text())
	if err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" ENGINE = Atomic"); err != nil {
		t.Fatalf("creating a database for the test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := admin.Exec(ctx, "DROP DATABASE "+name+" SYNC"); err != nil {
			t.Errorf("dropping the database of the test: %v", err)
		}
	})
	own := *o
	own.Auth.Database = name
	return &own
}

// Open connects to a new database; see Options.
func Open(t testing.TB, protocol clickhouse.Protocol, compression clickhouse.CompressionMethod) driver.Conn {
	t.Helper()
	return open(t, Options(t, protocol, compression))
}

// DSN is the connection string of a new database; see Options.
func DSN(t testing.TB, protocol clickhouse.Protocol) string {
	t.Helper()
	return dsn(Options(t, protocol, clickhouse.CompressionNone))
}

// DSN is the connection string of a database that stays in the process's
// directory, for a process to be started on it again.
func (p *Process) DSN(t testing.TB, protocol clickhouse.Protocol) string {
	t.Helper()
	o := p.options(protocol)
	if err := open(t, o).Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS kept ENGINE = Atomic"); err != nil {
		t.Fatalf("creating the database that is kept: %v", err)
	}
	o.Auth.Database = "kept"
	return dsn(o)
}

func dsn(o *clickhouse.Options) string {
	u := url.URL{Scheme: "clickhouse", Host: strings.Join(o.Addr, ","), User: url.UserPassword(o.Auth.Username, o.Auth.Password), Path: o.Auth.Database}
	if o.Protocol == clickhouse.HTTP {
		u.Scheme = "http"
	}
	if o.TLS != nil {
		u.Scheme = strings.Replace(u.Scheme, "http", "https", 1)
		u.RawQuery = url.Values{"secure": {"true"}, "skip_verify": {strconv.FormatBool(o.TLS.InsecureSkipVerify)}}.Encode()
	}
	return u.String()
}

// Mode is one of the ways that clients talk to ClickHouse.
type Mode struct {
	Protocol    clickhouse.Protocol
	Compression clickhouse.CompressionMethod
}

// String is the name of the mode's subtest.
func (m Mode) String() string { return fmt.Sprintf("%s/%s", m.Protocol, m.Compression) }

// Modes are both protocols, plain and as LZ4, and zipped HTTP: clients take
// different paths for each.
func Modes() []Mode {
	return []Mode{
		{clickhouse.Native, clickhouse.CompressionNone}, {clickhouse.Native, clickhouse.CompressionLZ4},
		{clickhouse.HTTP, clickhouse.CompressionNone}, {clickhouse.HTTP, clickhouse.CompressionLZ4}, {clickhouse.HTTP, clickhouse.CompressionGZIP},
	}
}

// Each runs a subtest in each mode, with a database of its own.
func Each(t *testing.T, run func(t *testing.T, conn driver.Conn)) {
	t.Helper()
	for _, m := range Modes() {
		t.Run(m.String(), func(t *testing.T) { run(t, Open(t, m.Protocol, m.Compression)) })
	}
}

// reach says where a server answers the protocol.
func reach(t testing.TB, protocol clickhouse.Protocol) *clickhouse.Options {
	t.Helper()
	if named := os.Getenv(serverVariable); named != "" {
		return reachNamed(t, named, protocol)
	}
	p, err := shared()
	if err != nil {
		missing(t, err)
	}
	return p.options(protocol)
}

func reachNamed(t testing.TB, named string, protocol clickhouse.Protocol) *clickhouse.Options {
	t.Helper()
	for dsn := range strings.FieldsSeq(named) {
		o, err := clickhouse.ParseDSN(dsn)
		if err != nil {
			t.Fatalf("%s has a connection string that clickhouse-go does not take: %v", serverVariable, err)
		}
		if o.Protocol == protocol {
			return o
		}
	}
	t.Skipf("%s names no server for %s", serverVariable, protocol)
	return nil
}

func open(t testing.TB, o *clickhouse.Options) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(o)
	if err != nil {
		t.Fatalf("opening ClickHouse: %v", err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("closing ClickHouse: %v", err)
		}
	})
	return conn
}
