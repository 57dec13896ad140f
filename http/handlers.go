package http

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/directory"
)

// handlers answers every operation: it turns a request that was checked into
// one call of the Service or a question to a read model, and the answer into
// the API's types. One file per resource.
type handlers struct {
	service   *commands.Service
	access    *access.Model
	models    *projections.Models
	directory *directory.Model
	shared    bool // other replicas write to the log and check rights
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

// Waits of reads and of changes of rights for a model are bounded; a model that
// needs longer is in trouble.
const (
	readWait   = 5 * time.Second
	rightsWait = 5 * time.Second
	// rightsAge is how old rights may be that a replica decides by; see
	// DESIGN: a call that takes rights away outlasts it when there are others.
	rightsAge = 500 * time.Millisecond
)

// reach waits until a model stands at min_position.
func (h *handlers) reach(ctx context.Context, model string, min api.Position) error {
	n, err := parsePosition("min_position", min)
	if err != nil || n == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	err = h.models.WaitFor(ctx, model, like(commands.Receipt{}.Position, n))
	if errors.Is(err, projections.ErrBehind) {
		return domain.Refuse(domain.Unavailable, "not_there_yet",
			"This replica has not seen min_position within %s. Try again.", readWait)
	}
	return err
}

// inForce waits until this replica decides by a change of rights, so that a
// token works, or works no more, as soon as the change was answered. Where
// other replicas check rights too, taking away waits out the time for which
// they may still decide by what they knew before.
func (h *handlers) inForce(ctx context.Context, r commands.Receipt) error {
	ctx, cancel := context.WithTimeout(ctx, rightsWait)
	defer cancel()
	return notInForce(h.models.WaitFor(ctx, access.Name, r.Position))
}

// gone is inForce for a change that takes rights away. over reports whether the
// rights are gone in the workspace as this replica sees it; it is asked too,
// since a repeat that changed nothing has no position to wait for.
func (h *handlers) gone(ctx context.Context, r commands.Receipt, ws domain.WorkspaceID, over func(workspace.State) bool) error {
	if err := h.inForce(ctx, r); err != nil {
		return err
	}
	limit := time.NewTimer(rightsWait)
	defer limit.Stop()
	for {
		if w, ok := h.access.Workspace(ws); !ok || over(w.Access()) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return notInForce(projections.ErrBehind)
		case <-time.After(time.Millisecond):
		}
	}
	if !h.shared {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rightsAge):
		return nil
	}
}

// notInForce words the failure of a wait for rights.
func notInForce(err error) error {
	if errors.Is(err, projections.ErrBehind) || errors.Is(err, projections.ErrStopped) {
		return domain.Refuse(domain.Unavailable, "not_in_force_yet",
			"The change is recorded, but this replica does not decide by it yet. Repeat the call with the same Idempotency-Key to know when it does.")
	}
	return err
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
