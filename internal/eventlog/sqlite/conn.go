package sqlite

import (
	"fmt"
	"net/url"
	"os"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// busyTimeout is how long a connection waits for a lock that another process
// holds, such as that of recovery.
const busyTimeout = 10 * time.Second

// uri names a file to SQLite. A path may hold any byte, so it is escaped.
func (o Options) uri(path, query string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query}
	if o.vfs != "" {
		q := u.Query()
		q.Set("vfs", o.vfs)
		u.RawQuery = q.Encode()
	}
	return u.String()
}

func openConn(uri string, flags zs.OpenFlags, pragmas ...string) (*zs.Conn, error) {
	conn, err := zs.OpenConn(uri, flags|zs.OpenURI)
	if err != nil {
		return nil, translate(err)
	}
	conn.SetBusyTimeout(busyTimeout)
	for _, p := range pragmas {
		if err := execute(conn, "PRAGMA "+p); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("setting %s: %w", p, err)
		}
	}
	return conn, nil
}

// openWriter opens a connection that may write. Checkpoints are run by hand,
// see checkpoint.go.
func openWriter(path string, o Options) (*zs.Conn, error) {
	synchronous := "synchronous=FULL"
	if o.unsafeNoSync {
		synchronous = "synchronous=OFF"
	}
	return openConn(o.uri(path, ""), zs.OpenReadWrite,
		"journal_mode=WAL", synchronous, "secure_delete=ON", "cache_size=-8192", "temp_store=MEMORY",
		"wal_autocheckpoint=0", fmt.Sprintf("journal_size_limit=%d", walTruncate))
}

func execute(conn *zs.Conn, query string) error {
	return translate(sqlitex.ExecuteTransient(conn, query, nil))
}

// step runs a statement that yields no rows and readies it for the next time.
func step(s *zs.Stmt) error {
	if _, err := s.Step(); err != nil {
		return err
	}
	return s.Reset()
}

// queryInt answers the first column of the first row, 0 if there is none or
// it is NULL.
func queryInt(conn *zs.Conn, query string, args ...int64) (int64, error) {
	s, err := conn.Prepare(query)
	if err != nil {
		return 0, translate(err)
	}
	n, _, err := stepInt(s, args...)
	return n, translate(err)
}

// stepInt binds args, takes one row's first column, and resets the statement.
func stepInt(s *zs.Stmt, args ...int64) (n int64, found bool, err error) {
	for i, arg := range args {
		s.BindInt64(i+1, arg)
	}
	found, err = s.Step()
	if err != nil {
		return 0, false, err
	}
	if found {
		n = s.ColumnInt64(0)
	}
	return n, found, s.Reset()
}

// prepare makes several statements, which live as long as the connection.
func prepare(conn *zs.Conn, into map[**zs.Stmt]string) error {
	for s, query := range into {
		var err error
		if *s, err = conn.Prepare(query); err != nil {
			return translate(err)
		}
	}
	return nil
}

// syncPath makes a file's bytes, or a directory's entries, durable. It must
// not be used on a database file that is open: closing any descriptor of it
// drops the locks this process holds on it.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}
