package chrig

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is what this package calls of libchdb; chdb.h has the contracts.
// Connections are pointers to pointers, and results are the library's memory
// until they are destroyed.
type library struct {
	connect     func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn   func(conn unsafe.Pointer)
	query       func(conn, text unsafe.Pointer, textLen uintptr, format unsafe.Pointer, formatLen uintptr) unsafe.Pointer
	queryParams func(conn, text unsafe.Pointer, textLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	destroy      func(result unsafe.Pointer)
	buffer       func(result unsafe.Pointer) unsafe.Pointer
	length       func(result unsafe.Pointer) uintptr
	failure      func(result unsafe.Pointer) unsafe.Pointer
	rowsWritten  func(result unsafe.Pointer) uint64
	storageRows  func(result unsafe.Pointer) uint64
	storageBytes func(result unsafe.Pointer) uint64
	elapsed      func(result unsafe.Pointer) float64
	signals      func(on int32)
}

// load links the library at path. The engine's own signal handlers stay off,
// because the Go runtime needs its own.
func load(path string) (*library, error) {
	runtime.LockOSThread() // the linker keeps the text of an error for the thread that met it
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("loading the ClickHouse engine %s: %w; npm ci in internal/chrig/testdata/npm installs it", path, err)
	}
	l := new(library)
	for _, f := range []struct {
		name string
		into any
	}{
		{"chdb_connect", &l.connect},
		{"chdb_close_conn", &l.closeConn},
		{"chdb_query_n", &l.query},
		{"chdb_query_with_params_n", &l.queryParams},
		{"chdb_destroy_query_result", &l.destroy},
		{"chdb_result_buffer", &l.buffer},
		{"chdb_result_length", &l.length},
		{"chdb_result_error", &l.failure},
		{"chdb_result_rows_written", &l.rowsWritten},
		{"chdb_result_storage_rows_read", &l.storageRows},
		{"chdb_result_storage_bytes_read", &l.storageBytes},
		{"chdb_result_elapsed", &l.elapsed},
		{"chdb_set_signal_handlers_enabled", &l.signals},
	} {
		symbol, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return nil, fmt.Errorf("the ClickHouse engine %s: %w; the version pinned in internal/chrig/testdata/npm has it", path, err)
		}
		purego.RegisterFunc(f.into, symbol)
	}
	l.signals(0)
	return l, nil
}
