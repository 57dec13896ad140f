package sqlite

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawoffice/ledger/projections/search"
)

func testCodec(t testing.TB) *codec {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestColumnsComeBack(t *testing.T) {
	c := testCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, chunkRows).Draw(t, "rows")
		limit := rapid.IntRange(1, chunkRows).Draw(t, "different")
		words := make([]string, n)
		numbers := make([]int64, n)
		for i := range words {
			words[i] = string(rune('a'+i%7)) + string(rune(0x100+i%limit))
			numbers[i] = int64(i%limit) * math.MaxInt64 / int64(i+1) * int64(1-2*(i%2))
		}
		texts, err := c.unpackTexts(c.packTexts(n, func(i int) string { return words[i] }), n)
		if err != nil {
			t.Fatal(err)
		}
		for i, word := range words {
			if got := texts.words[texts.index[i]]; got != word {
				t.Fatalf("text %d is %q, was %q", i, got, word)
			}
		}
		back, err := c.unpackNumbers(c.packNumbers(n, func(i int) int64 { return numbers[i] }), n)
		if err != nil || !slices.Equal(numbers, back) {
			t.Fatalf("numbers are %v, were %v: %v", back, numbers, err)
		}
	})
}

// FuzzColumn holds that whatever a file holds is a column or an error.
func FuzzColumn(f *testing.F) {
	c := testCodec(f)
	f.Add(c.packTexts(3, func(i int) string { return "text" }), 3)
	f.Add(c.packTexts(500, func(i int) string { return string(rune(i + 300)) }), 500)
	f.Add(c.packNumbers(500, func(i int) int64 { return int64(i * i) }), 500)
	f.Add([]byte{plain, 2, 1, 'a', 1, 'b', 7}, 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || n > chunkRows {
			return
		}
		if texts, err := c.unpackTexts(data, n); err == nil {
			for _, i := range texts.index {
				_ = texts.words[i]
			}
		}
		if numbers, err := c.unpackNumbers(data, n); err == nil && len(numbers) != n {
			t.Fatalf("%d numbers of %d", len(numbers), n)
		}
	})
}

// Each term is spelled its own way, as one word of FTS5, in order of
// workspaces that need as many digits.
func TestTerms(t *testing.T) {
	seen := map[string]bool{}
	for _, ws := range []int64{1, 2, 127, 128, 129, 1<<14 - 1, 1 << 14, math.MaxInt64} {
		for _, tag := range []search.Tag{{}, {7: 1}, {0: 0x80}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {' ', '"', '*'}} {
			term := appendTerm(nil, ws, tag)
			if bytes.ContainsFunc(term, func(r rune) bool { return r < 0x80 }) || seen[string(term)] {
				t.Errorf("the term of %v in %d is %x", tag, ws, term)
			}
			seen[string(term)] = true
		}
	}
}
