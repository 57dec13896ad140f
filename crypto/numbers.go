package crypto

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrJSON says that a text is not one JSON value without duplicate members in
// valid UTF-8. The error tells no part of the text.
var ErrJSON = errors.New("not valid JSON (one value, valid UTF-8, no duplicate members)")

// InexactNumber says that a number would change if read as a float64, which is
// what RFC 8785, CEL and most JSON readers do. The caller should send it as a
// string. Pointer (RFC 6901) holds the text's own member names: show it to who
// sent the text, don't log it.
type InexactNumber struct{ Pointer string }

func (e *InexactNumber) Error() string {
	return "a number can't be carried exactly by a 64-bit float; send it as a string"
}

// ExactNumbers checks that text is one valid JSON value ([ErrJSON] otherwise)
// whose numbers all survive being read as a float64 and written in its shortest
// form: 0.1 and 1e21 do, 9007199254740993 and 1e400 are an [*InexactNumber].
func ExactNumbers(text []byte) error {
	_, err := inspect(text)
	return err
}

// shape is what there is to know of a JSON text before it is canonicalised.
type shape struct {
	object bool // whether the value is an object
	depth  int
}

// inspect reads text once, checks it, and measures it.
func inspect(text []byte) (shape, error) {
	var s shape
	d := jsontext.NewDecoder(bytes.NewReader(text))
	s.object = d.PeekKind() == '{'
	for {
		if d.StackDepth() == 0 && d.InputOffset() > 0 {
			return s, atEnd(d)
		}
		kind := d.PeekKind()
		token, err := d.ReadToken()
		if err != nil {
			return s, ErrJSON
		}
		s.depth = max(s.depth, d.StackDepth())
		if kind == '0' && !exact(token.String()) {
			return s, &InexactNumber{string(d.StackPointer())}
		}
	}
}

func atEnd(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrJSON
	}
	return nil
}

// exact reports whether the JSON number survives a float64. It compares values,
// so 1.0, 1e0 and 1 are all the same number.
func exact(number string) bool {
	if len(number) <= 15 && !strings.ContainsAny(number, "eE") {
		return true // 15 significant digits always survive
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	digits, exponent := decimal(number)
	if f == 0 || digits == "" {
		return f == 0 && digits == "" // underflow is a loss, too
	}
	shortest, shortestExponent := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return digits == shortest && exponent == shortestExponent
}

// decimal splits a JSON number into its significant digits, without zeros at
// either end, and the power of ten they are multiplied with. Zero has no digits.
// The sign is left out: rounding never changes it. The exponent must fit an int,
// as it does in every number that reads as a finite float64 other than zero.
func decimal(number string) (digits string, exponent int) {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent, _ = strconv.Atoi(power) // "" is 0
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	return trimmed, exponent + len(digits) - len(trimmed)
}
