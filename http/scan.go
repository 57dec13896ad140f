package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxFieldErrors = 16
	maxDepth       = 64
)

// fieldError says where a request is wrong. Its detail names what was
// expected and never repeats what was sent.
type fieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// scan is one pass over one body. Checks consume values from it and note what
// is wrong; a syntax error stops everything.
type scan struct {
	d      *jsontext.Decoder
	source bytes.Buffer
	errs   []fieldError
	syntax error
	text   []byte // scratch for unquoting
}

// newScanPool makes scans with their decoder's buffers kept for the next body.
func newScanPool() *sync.Pool {
	return &sync.Pool{New: func() any { return &scan{d: jsontext.NewDecoder(bytes.NewReader(nil))} }}
}

// checkBody runs check over the whole of body.
func checkBody(pool *sync.Pool, body []byte, check check) []fieldError {
	s := pool.Get().(*scan)
	defer func() {
		s.source, s.errs, s.syntax = bytes.Buffer{}, nil, nil
		pool.Put(s)
	}()
	s.source = *bytes.NewBuffer(body)
	s.d.Reset(&s.source)
	check(s)
	if s.syntax == nil {
		if _, err := s.d.ReadToken(); !errors.Is(err, io.EOF) {
			s.syntax = errTrailing
		}
	}
	if s.syntax != nil {
		return []fieldError{s.syntaxProblem(body)}
	}
	return s.errs
}

var (
	errTrailing = errors.New("something follows the JSON value")
	errTooDeep  = errors.New("nested too deeply")
)

// syntaxProblem words s.syntax without repeating anything of the body.
func (s *scan) syntaxProblem(body []byte) fieldError {
	var syntactic *jsontext.SyntacticError
	pointer := ""
	if errors.As(s.syntax, &syntactic) {
		pointer = string(syntactic.JSONPointer)
	}
	switch {
	case errors.Is(s.syntax, errTrailing):
		return fieldError{"", "Something follows the JSON value. Send exactly one value."}
	case errors.Is(s.syntax, errTooDeep):
		return fieldError{"", fmt.Sprintf("The body is nested more than %d levels deep.", maxDepth)}
	case errors.Is(s.syntax, jsontext.ErrDuplicateName):
		return fieldError{cut(pointer), "This field occurs twice in its object."}
	case !utf8.Valid(body):
		return fieldError{cut(pointer), "The body is not valid UTF-8."}
	case len(bytes.TrimSpace(body)) == 0:
		return fieldError{"", "The body is empty; this call needs a JSON object."}
	case syntactic != nil:
		return fieldError{cut(pointer), fmt.Sprintf("The body is not valid JSON at byte %d.", syntactic.ByteOffset)}
	}
	return fieldError{"", "The body ends too early to be JSON."}
}

// cut keeps a pointer, which may hold names the caller made up, short.
func cut(pointer string) string {
	if len(pointer) > 200 {
		return pointer[:200] + "…"
	}
	return pointer
}

// fail notes what is wrong with the value just read.
func (s *scan) fail(format string, args ...any) {
	s.failAt(string(s.d.StackPointer()), format, args...)
}

func (s *scan) failAt(pointer, format string, args ...any) {
	if len(s.errs) < maxFieldErrors {
		s.errs = append(s.errs, fieldError{cut(pointer), fmt.Sprintf(format, args...)})
	}
}

// value reads one scalar as it stands; the bytes are good until the next read.
func (s *scan) value() (jsontext.Value, bool) {
	v, err := s.d.ReadValue()
	if err != nil {
		s.syntax = err
		return nil, false
	}
	return v, true
}

// token reads a brace, a bracket or another single token.
func (s *scan) token() bool {
	if _, err := s.d.ReadToken(); err != nil {
		s.syntax = err
		return false
	}
	return true
}

// more reports whether the object or array that ends with end goes on; at the
// end it consumes it.
func (s *scan) more(end jsontext.Kind) bool {
	if s.syntax != nil {
		return false
	}
	if s.d.PeekKind() != end {
		return true
	}
	s.token()
	return false
}

// unquoted answers the text of a JSON string, without a copy where it has no
// escapes.
func (s *scan) unquoted(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	s.text, _ = jsontext.AppendUnquote(s.text[:0], v)
	return s.text
}

// free consumes any value, and checks only what holds everywhere: numbers that
// a float64 carries, and a bounded depth.
func free(s *scan) {
	base := s.d.StackDepth()
	for s.syntax == nil {
		switch s.d.PeekKind() {
		case '{', '[', '}', ']':
			s.token()
			if s.d.StackDepth() > maxDepth {
				s.syntax = errTooDeep
			}
		case '0':
			if v, ok := s.value(); ok && !exactNumber(v) {
				s.fail("A float64 can't carry this number exactly. Send it as a string.")
			}
		default:
			s.value()
		}
		if s.d.StackDepth() == base {
			return
		}
	}
}
