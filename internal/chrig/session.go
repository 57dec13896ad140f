package chrig

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// session is one connection to the engine, with its own database and settings.
// It takes one statement at a time.
type session struct {
	lib  *library
	conn unsafe.Pointer
}

// result is what a statement answered.
type result struct {
	data         []byte // in the format that was asked for
	rowsWritten  uint64
	storageRows  uint64 // read
	storageBytes uint64 // read
	elapsed      time.Duration
}

// open connects to the engine on dir. All sessions of a process share one dir.
func (l *library) open(dir string) (*session, error) {
	args := []string{"clickhouse", "--path=" + dir}
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]*byte, len(args)+1) // C wants a nil at the end
	for i, arg := range args {
		argv[i] = unsafe.SliceData(append([]byte(arg), 0))
		pin.Pin(argv[i])
	}
	pin.Pin(&argv[0])
	conn := l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	if conn == nil || *(*unsafe.Pointer)(conn) == nil {
		return nil, fmt.Errorf("the ClickHouse engine does not open %s; another process may have it, or its files are of another version", dir)
	}
	return &session{lib: l, conn: conn}, nil
}

func (s *session) close() { s.lib.closeConn(s.conn) }

// query runs one statement. Values of parameters are escaped as in TSV.
func (s *session) query(text, format string, params map[string]string) (result, error) {
	conn := *(*unsafe.Pointer)(s.conn)
	t, f := unsafe.Pointer(unsafe.StringData(text)), unsafe.Pointer(unsafe.StringData(format))
	var r unsafe.Pointer
	if len(params) == 0 {
		r = s.lib.query(conn, t, uintptr(len(text)), f, uintptr(len(format)))
	} else {
		var pin runtime.Pinner
		defer pin.Unpin()
		names, values := newStrings(&pin, len(params)), newStrings(&pin, len(params))
		for name, value := range params {
			names.add(&pin, name)
			values.add(&pin, value)
		}
		r = s.lib.queryParams(conn, t, uintptr(len(text)), f, uintptr(len(format)),
			unsafe.Pointer(&names.starts[0]), unsafe.Pointer(&names.lengths[0]),
			unsafe.Pointer(&values.starts[0]), unsafe.Pointer(&values.lengths[0]), uintptr(len(params)))
	}
	runtime.KeepAlive(text)
	runtime.KeepAlive(format)
	if r == nil {
		return result{}, errors.New("the ClickHouse engine answered nothing")
	}
	defer s.lib.destroy(r)
	return s.take(r)
}

// take copies a result out of the library's memory.
func (s *session) take(r unsafe.Pointer) (result, error) {
	if text := s.lib.failure(r); text != nil {
		return result{}, errors.New(cString(text))
	}
	res := result{
		rowsWritten:  s.lib.rowsWritten(r),
		storageRows:  s.lib.storageRows(r),
		storageBytes: s.lib.storageBytes(r),
		elapsed:      time.Duration(s.lib.elapsed(r) * float64(time.Second)),
	}
	if n := s.lib.length(r); n > 0 {
		res.data = append(res.data, unsafe.Slice((*byte)(s.lib.buffer(r)), n)...)
	}
	return res, nil
}

// cStrings is an array of C strings with their lengths, pinned for one call.
type cStrings struct {
	starts  []*byte
	lengths []uintptr
}

func newStrings(pin *runtime.Pinner, n int) *cStrings {
	s := &cStrings{starts: make([]*byte, 0, n), lengths: make([]uintptr, 0, n)}
	pin.Pin(unsafe.SliceData(s.starts))
	pin.Pin(unsafe.SliceData(s.lengths))
	return s
}

// add keeps within the capacity, so that the pinned arrays stay where they are.
func (s *cStrings) add(pin *runtime.Pinner, text string) {
	start := unsafe.SliceData(append([]byte(text), 0))
	pin.Pin(start)
	s.starts, s.lengths = append(s.starts, start), append(s.lengths, uintptr(len(text)))
}

// cString copies a string that ends in a zero byte.
func cString(p unsafe.Pointer) string {
	var b strings.Builder
	for c := *(*byte)(p); c != 0; c = *(*byte)(p) {
		b.WriteByte(c)
		p = unsafe.Add(p, 1)
	}
	return b.String()
}
