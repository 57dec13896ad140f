package http

import (
	"bytes"
	"math"
	"strconv"
)

// exactNumber reports whether a float64 carries the JSON number exactly: its
// shortest decimal form must be the same number as the text. Rules and other
// JSON parsers see numbers as float64, so another one could be approved as one
// amount and carried out as another.
func exactNumber(text []byte) bool {
	digits, exponent := significant(text)
	if len(digits) <= 15 && exponent > -290 && exponent < 290 {
		return true // every decimal of up to 15 digits survives
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	back, backExponent := significant(strconv.AppendFloat(nil, f, 'e', -1, 64))
	return bytes.Equal(digits, back) && (exponent == backExponent || len(digits) == 0)
}

// significant splits a JSON number into its digits without leading and
// trailing zeros, and the exponent of ten that goes with the last digit.
func significant(text []byte) ([]byte, int) {
	digits := make([]byte, 0, 32)
	exponent, fraction := 0, false
	for i, c := range text {
		switch {
		case c == '.':
			fraction = true
		case c >= '0' && c <= '9':
			digits = append(digits, c)
			if fraction {
				exponent--
			}
		case c == 'e' || c == 'E':
			n, err := strconv.Atoi(string(bytes.TrimPrefix(text[i+1:], []byte("+"))))
			if err != nil {
				n = math.MaxInt32 // no float64 reaches so far
			}
			exponent += n
			return trimZeros(digits, exponent)
		}
	}
	return trimZeros(digits, exponent)
}

func trimZeros(digits []byte, exponent int) ([]byte, int) {
	trimmed := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	return bytes.TrimLeft(trimmed, "0"), exponent
}
