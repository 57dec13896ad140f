// Package tags turns texts into keyed tags, and what somebody looks for into the
// same tags, so that the index finds words that it never saw.
//
// A word is a run of letters, digits and marks after Unicode NFKC and lower
// case. Whoever reads the index without the key sees how often each tag occurs
// and which occur together, in one workspace at a time; SECURITY.md says what
// that tells.
package tags

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/clawoffice/ledger/projections/search"
)

// MaxWord is how many characters of a word count; what is longer has the tag of
// its beginning.
const MaxWord = 64

// Key makes a word's tag; crypto.SearchKey does.
type Key interface{ Tag(word string) [8]byte }

// Maker makes tags of one workspace and epoch. It is safe for concurrent use.
type Maker struct {
	key  Key
	stop map[string]bool

	mu    sync.Mutex
	known map[string]search.Tag // of words met lately
}

// known words are a few thousand that make up most of any text; making a tag
// takes ten times as long as remembering it.
const known = 1 << 14

// New makes a Maker. Words of the stop list get no tag: they tell most about a
// text's language and least about it. A list must stay the same for an epoch.
func New(key Key, stop ...string) *Maker {
	m := &Maker{key: key, stop: map[string]bool{}, known: map[string]search.Tag{}}
	for _, text := range stop {
		for word := range Words(text) {
			m.stop[word] = true
		}
	}
	return m
}

// Of is the set of tags of texts, in order of their bits, which tells nothing of
// the order of words. A row holds at most [search.MaxTags]; of a text with more
// words, the later ones are not found, and whole is false.
func (m *Maker) Of(texts ...string) (set []search.Tag, whole bool) {
	seen := map[string]bool{}
	whole = true
	for _, text := range texts {
		for word := range Words(text) {
			switch {
			case seen[word] || m.skip(word):
			case len(seen) == search.MaxTags:
				whole = false
			default:
				seen[word] = true
				set = append(set, m.tag(word))
			}
		}
	}
	slices.SortFunc(set, func(a, b search.Tag) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(set), whole
}

func (m *Maker) tag(word string) search.Tag {
	m.mu.Lock()
	defer m.mu.Unlock()
	tag, ok := m.known[word]
	if !ok {
		if len(m.known) == known {
			clear(m.known)
		}
		tag = m.key.Tag(word)
		m.known[strings.Clone(word)] = tag // not to hold on to the whole text
	}
	return tag
}

// skip reports whether a word gets no tag: one of the stop list, or a single
// letter or digit of ASCII.
func (m *Maker) skip(word string) bool {
	return len(word) == 1 || m.stop[word]
}

// Words are a text's words, normalised, in its order.
func Words(text string) iter.Seq[string] {
	// Again after lower case, which may compose with what follows where upper case did not.
	text = norm.NFKC.String(strings.ToLower(norm.NFKC.String(text)))
	return func(yield func(string) bool) {
		for len(text) > 0 {
			begin := strings.IndexFunc(text, opens)
			if begin < 0 {
				return
			}
			text = text[begin:]
			end := strings.IndexFunc(text, func(r rune) bool { return !opens(r) && !unicode.IsMark(r) })
			if end < 0 {
				end = len(text)
			}
			if !yield(cut(text[:end])) {
				return
			}
			text = text[end:]
		}
	}
}

func opens(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// cut leaves the first characters of a word that count.
func cut(word string) string {
	if len(word) <= MaxWord {
		return word
	}
	n := 0
	for i := range word {
		if n++; n > MaxWord {
			return word[:i]
		}
	}
	return word
}

// Has reports whether a text's words hold those of a phrase, one after another.
// It settles what a search by tags left open, on text that was opened. Words
// without tags count too.
func Has(text, phrase string) bool {
	want := slices.Collect(Words(phrase))
	if len(want) == 0 || !utf8.ValidString(phrase) {
		return false
	}
	var window []string
	for word := range Words(text) {
		if window = append(window, word); len(window) > len(want) {
			window = window[1:]
		}
		if slices.Equal(window, want) {
			return true
		}
	}
	return false
}
