package chrig

import "strings"

// insertion is an INSERT whose rows travel apart from its text.
type insertion struct {
	into    string   // the statement up to FORMAT or VALUES
	table   string   // as written: quoted, and with its database if it had one
	columns []string // their names, unquoted; none if the statement names none
	format  string   // "" unless the statement ends in FORMAT and a name
}

// parseInsert takes INSERT INTO [TABLE] table [(columns)] [FORMAT name | VALUES]
// apart. Any other statement, and an INSERT with rows or a SELECT in its text,
// is none of its business.
func parseInsert(statement string) (insertion, bool) {
	s := &scanner{text: statement}
	var in insertion
	if !s.word("INSERT") || !s.word("INTO") {
		return in, false
	}
	s.word("TABLE")
	start := s.skip()
	if _, ok := s.name(); !ok {
		return in, false
	}
	if s.mark('.') {
		if _, ok := s.name(); !ok {
			return in, false
		}
	}
	in.table = statement[start:s.at]
	if s.mark('(') {
		for more := true; more; more = s.mark(',') {
			column, ok := s.name()
			for ok && s.mark('.') { // of a nested column
				var part string
				part, ok = s.name()
				column += "." + part
			}
			if !ok {
				return in, false
			}
			in.columns = append(in.columns, column)
		}
		if !s.mark(')') {
			return in, false
		}
	}
	in.into = statement[:s.at]
	if s.word("FORMAT") {
		in.format, _ = s.name()
	} else {
		s.word("VALUES")
	}
	s.mark(';')
	return in, s.skip() == len(statement)
}

// scanner goes over a statement from left to right.
type scanner struct {
	text string
	at   int
}

// skip goes to the next thing that is no space and says where that is.
func (s *scanner) skip() int {
	s.at = len(s.text) - len(strings.TrimLeft(s.text[s.at:], " \t\r\n"))
	return s.at
}

// mark takes the byte c, if it is next.
func (s *scanner) mark(c byte) bool {
	start := s.at
	if s.skip() < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	s.at = start
	return false
}

// word takes a keyword, if it is next.
func (s *scanner) word(keyword string) bool {
	start := s.at
	if strings.EqualFold(s.bare(), keyword) {
		return true
	}
	s.at = start
	return false
}

// bare takes letters, digits and underscores.
func (s *scanner) bare() string {
	start := s.skip()
	for s.at < len(s.text) && (s.text[s.at] == '_' || alphanumeric(s.text[s.at])) {
		s.at++
	}
	return s.text[start:s.at]
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// name takes an identifier and answers it without its quotes. A quote within is
// doubled or follows a backslash.
func (s *scanner) name() (string, bool) {
	start := s.skip()
	if start == len(s.text) || s.text[start] != '`' && s.text[start] != '"' {
		bare := s.bare()
		return bare, bare != ""
	}
	quote := s.text[start]
	var name strings.Builder
	for s.at = start + 1; s.at < len(s.text); s.at++ {
		next := s.at + 1
		switch c := s.text[s.at]; {
		case (c == '\\' || c == quote && next < len(s.text) && s.text[next] == quote) && next < len(s.text):
			s.at++
			name.WriteByte(s.text[s.at])
		case c == quote:
			s.at++
			return name.String(), true
		default:
			name.WriteByte(c)
		}
	}
	return "", false
}
