package console

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// exportSearch passes on everything that a search finds, as a file.
func exportSearch(v *visit) error {
	a, err := askIn(v.r.PostForm)
	if err != nil {
		return err
	}
	req, err := api.NewExportSearchRequest("http://ledger/", v.ws, &api.ExportSearchParams{IdempotencyKey: v.key()}, api.ExportInput{
		Q: a.query(), Saved: a.saved, From: a.from, To: a.to, Order: a.apiOrder(), Format: api.ExportInputFormat(v.form("format")), Reason: strings.TrimSpace(v.form("reason"))})
	if err != nil {
		return err
	}
	return v.pass(req, nil)
}

// tailSearch follows a search. Each event comes as the row of the table that it
// will be. A screen that nobody touches goes still when the session would.
func tailSearch(v *visit) error {
	a, err := askIn(v.r.PostForm)
	if err != nil {
		return err
	}
	workspace, err := read[api.Workspace](v.api.GetWorkspace(v.ctx(), v.ws, nil))
	if err != nil {
		return err
	}
	req, err := api.NewTailSearchRequest("http://ledger/", v.ws, api.TailInput{Q: a.query(), Saved: a.saved, After: v.form("after")})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.ctx(), v.session.Seen.Add(idleFor).Sub(v.now()))
	defer cancel()
	v.r = v.r.WithContext(ctx)
	rows := &rowStream{v: v, workspace: workspace}
	return v.pass(req, rows.rewrite)
}

// rowStream makes rows of a stream's hits, and leaves the rest of it as it is.
type rowStream struct {
	v         *visit
	workspace api.Workspace
	rest      []byte // of a line that is not whole yet
}

// maxLine bounds a line that is waited for; a hit is far smaller.
const maxLine = 1 << 20

func (s *rowStream) rewrite(b []byte) []byte {
	s.rest = append(s.rest, b...)
	var out []byte
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			break
		}
		s.rest = rest
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			line = s.row(data)
		}
		out = append(append(out, line...), '\n')
	}
	if len(s.rest) > maxLine {
		s.rest = nil
	}
	s.rest = bytes.Clone(s.rest)
	return out
}

// row is the event's data with a row of the table instead of a hit. What is no
// hit is left out.
func (s *rowStream) row(data []byte) []byte {
	var hit api.SearchHit
	if err := json.Unmarshal(data, &hit); err != nil || hit.ID == "" {
		return []byte(": no event")
	}
	f := s.v.frame("", nil)
	f.links, f.Me, f.Workspace = s.v.links, s.v.me, s.workspace
	var out strings.Builder
	if err := s.v.templates.ExecuteTemplate(&out, "hit", map[string]any{"Page": f, "Hit": hit}); err != nil {
		s.v.log.Error("row of a followed search could not be made", "error", err)
		return []byte(": no row")
	}
	return []byte("data: " + strings.ReplaceAll(out.String(), "\n", "\ndata: "))
}
