package sqlite

import (
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	zs "zombiezen.com/go/sqlite"
)

// op is something SQLite did to a file, or a note of the test's.
type op struct {
	kind string // "write", "sync" or "note"
	wal  bool   // of the write-ahead log, otherwise of the database
}

// spy is a file system for SQLite that passes everything on to the usual one,
// notes writes and syncs in order, and fails them on demand.
type spy struct {
	name string
	orig uintptr

	mu      sync.Mutex
	ops     []op
	fail    func(op) zs.ResultCode // ResultOK lets it through
	wals    map[uintptr]bool       // open files: is it a write-ahead log?
	methods map[uintptr]uintptr    // ours, by the original table
	keep    []any                  // functions SQLite holds the only other pointer to
}

// at makes a pointer of an address in SQLite's memory, which does not move.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function makes a Go function of a pointer as SQLite's translation stores it.
func function[F any](pointer uintptr) F {
	return *(*F)(unsafe.Pointer(&struct{ p uintptr }{pointer}))
}

func address[F any](s *spy, f F) uintptr {
	s.keep = append(s.keep, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}

func newSpy(t *testing.T, name string) *spy {
	t.Helper()
	warm, err := zs.OpenConn(":memory:", zs.OpenReadWrite) // initialises the library
	if err != nil {
		t.Fatal(err)
	}
	if err := warm.Close(); err != nil {
		t.Fatal(err)
	}
	tls := libc.NewTLS()
	s := &spy{name: name, wals: map[uintptr]bool{}, methods: map[uintptr]uintptr{}, orig: lib.Xsqlite3_vfs_find(tls, 0)}
	size := unsafe.Sizeof(lib.Tsqlite3_vfs{})
	shim := libc.Xmalloc(tls, lib.Tsize_t(size))
	*at[lib.Tsqlite3_vfs](shim) = *at[lib.Tsqlite3_vfs](s.orig)
	zname, err := libc.CString(name)
	if err != nil {
		t.Fatal(err)
	}
	at[lib.Tsqlite3_vfs](shim).FzName = zname
	at[lib.Tsqlite3_vfs](shim).FxOpen = address(s, s.open)
	if rc := lib.Xsqlite3_vfs_register(tls, shim, 0); rc != lib.SQLITE_OK {
		t.Fatalf("registering the file system: %d", rc)
	}
	t.Cleanup(func() {
		lib.Xsqlite3_vfs_unregister(tls, shim)
		runtime.KeepAlive(s)
	})
	return s
}

func (s *spy) open(tls *libc.TLS, _, zName, file uintptr, flags int32, out uintptr) int32 {
	orig := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[lib.Tsqlite3_vfs](s.orig).FxOpen)
	rc := orig(tls, s.orig, zName, file, flags, out)
	f := at[lib.Tsqlite3_file](file)
	if f.FpMethods == 0 || flags&(lib.SQLITE_OPEN_MAIN_DB|lib.SQLITE_OPEN_WAL) == 0 {
		return rc
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wals[file] = flags&lib.SQLITE_OPEN_WAL != 0
	f.FpMethods = s.patched(tls, f.FpMethods)
	return rc
}

func (s *spy) patched(tls *libc.TLS, table uintptr) uintptr {
	if ours, ok := s.methods[table]; ok {
		return ours
	}
	orig := at[lib.Tsqlite3_io_methods](table)
	ours := libc.Xmalloc(tls, lib.Tsize_t(unsafe.Sizeof(*orig)))
	m := at[lib.Tsqlite3_io_methods](ours)
	*m = *orig
	write := function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](orig.FxWrite)
	sync := function[func(*libc.TLS, uintptr, int32) int32](orig.FxSync)
	m.FxWrite = address(s, func(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
		if rc := s.did("write", file); rc != zs.ResultOK {
			return int32(rc)
		}
		return write(tls, file, data, n, offset)
	})
	m.FxSync = address(s, func(tls *libc.TLS, file uintptr, flags int32) int32 {
		if rc := s.did("sync", file); rc != zs.ResultOK {
			return int32(rc)
		}
		return sync(tls, file, flags)
	})
	s.methods[table] = ours
	return ours
}

func (s *spy) did(kind string, file uintptr) zs.ResultCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := op{kind: kind, wal: s.wals[file]}
	if s.fail != nil {
		if rc := s.fail(o); rc != zs.ResultOK {
			return rc
		}
	}
	s.ops = append(s.ops, o)
	return zs.ResultOK
}

func (s *spy) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, op{kind: "note"})
}

func (s *spy) breakWith(fail func(op) zs.ResultCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *spy) seen() []op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]op(nil), s.ops...)
}
