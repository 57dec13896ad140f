package tags_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/tags"
)

func TestWords(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"no words", " -- !? \n\t…", nil},
		{"case and punctuation", "Quarterly invoice, No. 42/B!", []string{"quarterly", "invoice", "no", "42", "b"}},
		{"ligature and full width", "ﬁnance ＡＢＣ１２", []string{"finance", "abc12"}},
		{"composed and decomposed", "caf\u00e9 cafe\u0301", []string{"caf\u00e9", "caf\u00e9"}},
		{"superscript", "m²", []string{"m2"}},
		{"dotted capital I", "İstanbul", []string{"istanbul"}},
		{"sharp s stays", "Größe GRÖSSE", []string{"größe", "grösse"}},
		{"marks belong to words", "हिन्दी में", []string{"हिन्दी", "में"}},
		{"scripts without spaces are one word", "日本語。請求書", []string{"日本語", "請求書"}},
		{"other digits", "٣٤ ४२", []string{"٣٤", "४२"}},
		{"an apostrophe parts", "o'neil", []string{"o", "neil"}},
		{"a mark without a letter is none", "\u0301 x", []string{"x"}},
		{"no UTF-8", "good\xffbad", []string{"good", "bad"}},
		{"a long word is its beginning", strings.Repeat("ä", 70) + " b", []string{strings.Repeat("ä", 64), "b"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, slices.Collect(tags.Words(row.text)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// plain is a key for tests that shows which words were tagged.
type plain struct{ words *[]string }

func (p plain) Tag(word string) (tag [8]byte) {
	*p.words = append(*p.words, word)
	sum := sha256.Sum256([]byte(word))
	return [8]byte(sum[:8])
}

func TestOf(t *testing.T) {
	var words []string
	m := tags.New(plain{&words}, "the", "And")
	set, whole := m.Of("The invoice and the INVOICE of x 7 ü", "quarterly invoice")
	if diff := cmp.Diff([]string{"invoice", "of", "ü", "quarterly"}, words); diff != "" || !whole {
		t.Errorf("tagged (-want +got):\n%s", diff)
	}
	if len(set) != 4 || !slices.IsSortedFunc(set, func(a, b search.Tag) int { return bytes.Compare(a[:], b[:]) }) {
		t.Errorf("the set is %x", set)
	}
	if set, whole := m.Of("the a"); len(set) != 0 || !whole {
		t.Errorf("stop words have tags %x", set)
	}
}

func TestOfHasBounds(t *testing.T) {
	var words []string
	m := tags.New(plain{&words})
	var text strings.Builder
	for i := range search.MaxTags {
		fmt.Fprintf(&text, "w%d ", i)
	}
	if set, whole := m.Of(text.String()); len(set) != search.MaxTags || !whole {
		t.Errorf("%d tags, whole %v", len(set), whole)
	}
	if set, whole := m.Of(text.String(), "w7 onemore"); len(set) != search.MaxTags || whole {
		t.Errorf("%d tags of too many, whole %v", len(set), whole)
	}
}

// Tags of a phrase are among those of a text that has it, and of no other
// workspace or epoch.
func TestBlindSearch(t *testing.T) {
	secret, err := ledgercrypto.NewSecret(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	of := func(ws string, epoch uint32, text string) []search.Tag {
		set, _ := tags.New(secret.SearchKey("acme", 1)).Of(text)
		if ws != "acme" || epoch != 1 {
			set, _ = tags.New(secret.SearchKey("beta", epoch)).Of(text)
		}
		return set
	}
	text := of("acme", 1, "Please pay the quarterly invoice of ＡＣＭＥ by Friday.")
	for _, row := range []struct {
		name string
		tags []search.Tag
		want bool
	}{
		{"a phrase", of("acme", 1, "Quarterly Invoice"), true},
		{"other spelling", of("acme", 1, "acme"), true},
		{"another word", of("acme", 1, "quarterly report"), false},
		{"another workspace", of("beta", 1, "invoice"), false},
		{"another epoch", of("beta", 2, "invoice"), false},
	} {
		got := !slices.ContainsFunc(row.tags, func(tag search.Tag) bool { return !slices.Contains(text, tag) })
		if got != row.want || len(row.tags) == 0 {
			t.Errorf("%s: found %v, want %v", row.name, got, row.want)
		}
	}
}

func TestHas(t *testing.T) {
	text := "The quarterly, QUARTERLY invoice\nNo. 7 is paid"
	for _, row := range []struct {
		name, phrase string
		want         bool
	}{
		{"one word", "paid", true}, {"in order", "quarterly invoice", true}, {"after a false start", "quarterly quarterly invoice", true},
		{"not next to each other", "quarterly paid", false}, {"other order", "invoice quarterly", false},
		{"with a single digit", "invoice no 7", true}, {"with another digit", "invoice no 8", false}, {"the start", "the", true},
		{"longer than the text", text + " x", false}, {"all of it", text, true}, {"part of a word", "quarter", false}, {"nothing", "  ", false},
	} {
		if got := tags.Has(text, row.phrase); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// FuzzWords holds that words are in their normal form, whatever the text.
func FuzzWords(f *testing.F) {
	f.Add("Quarterly İnvoice ﬁ ² \xff e\u0301")
	f.Fuzz(func(t *testing.T, text string) {
		for word := range tags.Words(text) {
			if word == "" || !utf8.ValidString(word) || utf8.RuneCountInString(word) > tags.MaxWord {
				t.Fatalf("%q of %q", word, text)
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	secret, err := ledgercrypto.NewSecret(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		b.Fatal(err)
	}
	m := tags.New(secret.SearchKey("acme", 1))
	text := "Please pay the quarterly invoice of Umbrella by Friday and send a receipt to the bookkeeping department, " +
		"unless the amount differs from what was agreed upon in the contract signed last autumn by both parties"
	for b.Loop() {
		m.Of(text)
	}
}
