package console

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is one term of a query as it is typed. It is plain if it is about
// metadata and nothing else, in so simple a form that it may stand in an address.
// Whether a term is good is the ledger's to say; here it is only told apart what
// may hold words, and in doubt everything may.
type piece struct {
	Text  string
	plain bool
	param string // name of the parameter that says the same, if plain
	value string // of that parameter
}

// The names of the query language, by what may stand after them.
var (
	fieldNames   = []string{"actor", "kind", "type", "stream", "execution", "workflow", "action", "outcome", "model", "policy", "rule", "approval", "credential", "correlation"}
	measureNames = []string{"severity", "prompt", "output", "tokens", "cost", "position"}
	boundNames   = []string{"after", "before"}
)

// Values that may stand in an address. Ids and the names that callers choose have
// these letters; anything with a space, a quote or an @ counts as words.
var (
	plainTerm   = regexp.MustCompile(`^(-?)([a-z]+)(:|<=|>=|<|>|=)(.+)$`)
	plainValue  = regexp.MustCompile(`^(?:\*|[A-Za-z0-9._:/-]{1,128}\*?)$`)
	plainNumber = regexp.MustCompile(`^(<=|>=|<|>|=)?(-?[0-9]{1,19}(?:\.[0-9]{1,6})?|informational|low|medium|high|critical|fatal)$`)
	plainMoment = regexp.MustCompile(`^(?:[1-9][0-9]{0,7}[mhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)$`)
)

// split parts a query into its terms, at spaces that stand in no quotes.
func split(query string) []piece {
	var out []piece
	for rest := query; ; {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if rest == "" {
			return out
		}
		n := termLength(rest)
		out = append(out, newPiece(rest[:n]))
		rest = rest[n:]
	}
}

// termLength is how many bytes of text the first term has.
func termLength(text string) int {
	quoted := false
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"':
			quoted = !quoted
		case quoted && r == '\\' && i+1 < len(text):
			i++ // what is escaped is one byte, a quote or a backslash
		case !quoted && unicode.IsSpace(r):
			return i
		}
		i += size
	}
	return len(text)
}

// newPiece is the piece of one term.
func newPiece(text string) piece {
	m := plainTerm.FindStringSubmatch(text)
	if m == nil {
		return piece{Text: text}
	}
	not, name, op, value := m[1], m[2], m[3], m[4]
	switch {
	case slices.Contains(fieldNames, name) && op == ":" && plainValues(value):
	case slices.Contains(boundNames, name) && op == ":" && plainMoment.MatchString(value):
	case slices.Contains(measureNames, name):
		parts := plainNumber.FindStringSubmatch(value)
		if parts == nil || op != ":" && parts[1] != "" {
			return piece{Text: text}
		}
		if op == ":" {
			op = parts[1]
		}
		if value = parts[2]; op == "" || op == "=" {
			return piece{not + name + ":" + value, true, not + name, value}
		}
		return piece{not + name + op + value, true, not + name, op + value}
	default:
		return piece{Text: text}
	}
	return piece{not + name + ":" + value, true, not + name, value}
}

// plainValues reports whether a text is values with commas between them.
func plainValues(text string) bool {
	values := strings.Split(text, ",")
	return len(values) <= 16 && !slices.ContainsFunc(values, func(v string) bool { return !plainValue.MatchString(v) })
}

// parameter is the piece that a parameter of an address says. It is plain, or the
// parameter has no place there.
func parameter(name, value string) piece {
	bare := strings.TrimPrefix(name, "-")
	if slices.Contains(measureNames, bare) && value != "" && strings.ContainsRune("<>=", rune(value[0])) {
		return newPiece(name + value)
	}
	return newPiece(name + ":" + value)
}

// term is the text of a condition on a field, whatever its value holds.
func term(field, value string) piece {
	if p := newPiece(field + ":" + value); p.plain && !strings.ContainsAny(value, ",*") {
		return p
	}
	return piece{Text: field + `:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`}
}

// not is the piece that says the opposite.
func (p piece) not() piece {
	if text, ok := strings.CutPrefix(p.Text, "-"); ok {
		return newPiece(text)
	}
	return newPiece("-" + p.Text)
}

// allPlain reports whether no piece may hold words.
func allPlain(pieces []piece) bool {
	return !slices.ContainsFunc(pieces, func(p piece) bool { return !p.plain })
}

// queryOf is the query of some pieces.
func queryOf(pieces []piece) string {
	texts := make([]string, len(pieces))
	for i, p := range pieces {
		texts[i] = p.Text
	}
	return strings.Join(texts, " ")
}
