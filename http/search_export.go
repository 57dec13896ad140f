package http

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/index"
)

// ExportSearch streams everything a query finds, after it was recorded who
// takes it and why.
func (h *handlers) ExportSearch(ctx context.Context, r api.ExportSearchRequestObject) (api.ExportSearchResponseObject, error) {
	in := r.Body
	a, err := h.asked(ctx, terms{in.Q, in.Filters, in.Saved, in.From, in.To}, given(r.Params.MinPosition), in.Order, "", search.MaxLimit)
	if err != nil {
		return nil, err
	}
	first, err := h.index.Find(ctx, a) // before anything is recorded, so that a query that can't be answered leaves nothing
	if err != nil {
		return nil, searchError(err)
	}
	receipt, err := h.service.RecordExport(ctx, h.call(ctx), journal.Exported{Query: a.Query.String(), From: optional(a.From),
		Until: optional(a.Until), Format: string(in.Format), Reason: in.Reason})
	if err != nil {
		return nil, err
	}
	return export{h: h, call: callOf(ctx), ask: a, first: first, csv: in.Format == api.ExportInputFormatCsv, position: positionOf(receipt)}, nil
}

// export is the answer of an export.
type export struct {
	h        *handlers
	call     *call
	ask      index.Ask
	first    search.Page
	csv      bool
	position api.Position
}

// lines writes hits in one of the formats, and at last whether it is all.
type lines interface {
	hit(*api.SearchHit) error
	end(rows int, err error) error
}

// VisitExportSearchResponse writes page after page until there are no more, the
// client goes, or may not take anything away any more.
func (e export) VisitExportSearchResponse(w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(callContext{e.call.base, e.call})
	defer cancel()
	head, ctrl := w.Header(), http.NewResponseController(w)
	head.Set("Ledger-Position", e.position)
	out := e.begin(w)
	w.WriteHeader(http.StatusOK)
	_ = ctrl.SetReadDeadline(time.Time{}) // one that knows none has none to keep
	rows, page := 0, e.first
	for {
		if err := ctrl.SetWriteDeadline(time.Now().Add(streamWrites)); err != nil {
			return err
		}
		for i := range page.Rows {
			hit := apiHit(e.ask.Workspace, &page.Rows[i])
			if err := out.hit(&hit); err != nil {
				return err
			}
			rows++
		}
		if page.Next == "" {
			return out.end(rows, nil)
		}
		next, err := e.next(ctx, page.Next)
		if err != nil {
			return out.end(rows, err)
		}
		page = next
	}
}

// next asks for the next page, if the caller still may have it.
func (e export) next(ctx context.Context, cursor search.Cursor) (search.Page, error) {
	if !e.h.still(ctx, e.call, domain.AuditExport) {
		return search.Page{}, errUnauthenticated
	}
	a := e.ask
	a.Cursor = cursor
	page, err := e.h.index.Find(ctx, a)
	return page, searchError(err)
}

func (e export) begin(w http.ResponseWriter) lines {
	name := "events-" + string(e.ask.Workspace) + "-" + e.ask.Now.UTC().Format("20060102T150405Z")
	if e.csv {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
		return newCSV(w)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.ndjson"`)
	return &ndjson{json.NewEncoder(w)}
}

// ndjson writes a JSON object a line; the last is {"complete":…,"events":…}.
type ndjson struct{ out *json.Encoder }

func (n *ndjson) hit(hit *api.SearchHit) error { return n.out.Encode(hit) }

func (n *ndjson) end(rows int, err error) error {
	last := map[string]any{"complete": err == nil, "events": rows}
	if err != nil {
		refused, _, _ := refusal(err)
		last["code"] = refused.Code
	}
	return n.out.Encode(last)
}

// csvLines writes a head, a row a hit, and a last row that begins with "#".
type csvLines struct{ out *csv.Writer }

func newCSV(w io.Writer) lines {
	c := &csvLines{csv.NewWriter(w)}
	_ = c.out.Write([]string{"position", "time", "id", "actor", "type", "stream", "execution", "workflow", "action", "outcome", "severity", "model",
		"prompt_tokens", "output_tokens", "cost_micros", "policy", "rule", "approval", "credential", "correlation"}) // an error shows with the next line
	return c
}

func (c *csvLines) hit(h *api.SearchHit) error {
	row := []string{h.Position, h.Time.Format(time.RFC3339Nano), h.ID, h.Actor, h.Type, h.Stream, h.Execution, h.Workflow, h.Action, h.Outcome,
		string(h.Severity), h.Model, strconv.FormatInt(h.PromptTokens, 10), strconv.FormatInt(h.OutputTokens, 10), strconv.FormatInt(h.CostMicros, 10),
		h.Policy, h.Rule, h.Approval, h.Credential, h.Correlation}
	for i, text := range row {
		row[i] = harmless(text)
	}
	return c.out.Write(row)
}

func (c *csvLines) end(rows int, err error) error {
	last := fmt.Sprintf("# complete: %d events", rows)
	if err != nil {
		refused, _, _ := refusal(err)
		last = fmt.Sprintf("# incomplete after %d events: %s", rows, refused.Code)
	}
	if err := c.out.Write([]string{last}); err != nil {
		return err
	}
	c.out.Flush()
	return c.out.Error()
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(text string) string {
	if text == "" {
		return text
	}
	switch text[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n', '|', '%':
		return "'" + text
	}
	return text
}
