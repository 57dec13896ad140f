package http

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/spending"
)

// handlers answers every operation: it turns a request that was checked into
// one call of the Service or a question to a read model, and the answer into
// the API's types. One file per resource.
type handlers struct {
	service   *commands.Service
	access    *access.Model
	models    *projections.Models
	directory *directory.Model
	approvals *approvals.Model
	spending  *spending.Model
	index     *index.Model
	indexing  Indexing
	shared    bool // other replicas write to the log and check rights
	look      func(ctx context.Context) bool
	now       func() time.Time
	server    *Server
}

var _ api.StrictServerInterface = (*handlers)(nil)

// call is the command call for the request of ctx, in its own workspace.
func (h *handlers) call(ctx context.Context) commands.Call {
	return h.callIn(ctx, callOf(ctx).caller.Workspace)
}

// callIn is the call for a request about a workspace that is not the caller's:
// the operator's.
func (h *handlers) callIn(ctx context.Context, ws domain.WorkspaceID) commands.Call {
	c := callOf(ctx)
	call := h.service.NewCall(ws, c.caller.Actor, c.caller.Credential, c.op.method, c.path, c.key, c.body)
	call.Correlation = c.id
	return call
}

// positionOf is where a change stands, as clients see it.
func positionOf(r commands.Receipt) api.Position { return strconv.FormatUint(uint64(r.Position), 10) }

// like gives n the type of a position of the log, which this package can't name.
func like[P ~uint64](_ P, n uint64) P { return P(n) }

// parsePosition reads what positionOf wrote.
func parsePosition(name string, p api.Position) (uint64, error) {
	if p == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(p, 10, 63)
	if err != nil {
		return 0, invalidParameter(name, "This is no position of this log.")
	}
	return n, nil
}

// etag is a version as an ETag.
func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// ifVersion reads If-Match: nil without one; a tag that is no version matches
// none, as the domain will say.
func ifVersion(match api.IfMatch) *int {
	if match == "" {
		return nil
	}
	n, err := strconv.Atoi(strings.Trim(match, `"`))
	if err != nil {
		n = -1
	}
	return &n
}

// texts changes the string type of a list; the answer is never nil, since nil
// would be null in JSON.
func texts[To, From ~string](from []From) []To {
	to := make([]To, len(from))
	for i, f := range from {
		to[i] = To(f)
	}
	return to
}

// given is a body or a parameter, or the empty one where none was sent.
func given[T any](sent *T) T {
	if sent == nil {
		var none T
		return none
	}
	return *sent
}

// optional is nil for the zero time.
func optional(t api.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

func timeOf(t *time.Time) api.Time {
	if t == nil {
		return api.Time{}
	}
	return t.UTC()
}

// pageSize is limit or its default.
func pageSize(limit api.LimitParam) int { return or(int(limit), 100) }

// page cuts a list that is in the order of its ids: what comes after cursor,
// at most limit, and the cursor of the next page.
func page[T any](all []T, id func(T) string, cursor string, limit int) (items []T, next string) {
	items = []T{}
	for _, item := range all {
		if id(item) <= cursor {
			continue
		}
		if len(items) == limit {
			return items, id(items[limit-1])
		}
		items = append(items, item)
	}
	return items, ""
}
