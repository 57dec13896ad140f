package directory

import (
	"slices"

	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/gate"
)

// Statuses are stored as their place in these lists. A change of the lists
// needs a new version of the model.
func executionStatuses() [8]execution.Status {
	return [...]execution.Status{execution.StatusAuthorized, execution.StatusAwaiting, execution.StatusDenied,
		execution.StatusStarted, execution.StatusCompleted, execution.StatusFailed, execution.StatusCancelled, execution.StatusResolved}
}

func executionCode(s execution.Status) int64 {
	all := executionStatuses()
	return int64(slices.Index(all[:], s))
}

// run is an execution's row while a batch is folded into it.
type run struct {
	ws, workflow, kind, actor int64
	status                    execution.Status
	prompts                   int64
	created, updated, ended   int64
	position                  int64
	isNew                     bool
}

func (r *run) unresolved() int64 {
	if r.status == execution.StatusStarted || r.prompts > 0 {
		return 1
	}
	return 0
}

// requested is where an execution stands after its first action was decided.
func requested(effect gate.Effect) execution.Status {
	switch effect {
	case gate.Allow:
		return execution.StatusAuthorized
	case gate.RequireApproval:
		return execution.StatusAwaiting
	}
	return execution.StatusDenied
}

// fold moves the row on by an event of which only the name matters. It follows
// the fold of package execution: further actions can only be asked for once
// the first one has started, so what happens to an execution that waits or is
// authorized happens to its first action.
func (r *run) fold(e *entry) {
	was := r.status
	switch unversioned(e.kind) {
	case "execution.action_authorized":
		if r.status == execution.StatusAwaiting {
			r.status = execution.StatusAuthorized
		}
	case "execution.action_denied":
		if r.status == execution.StatusAwaiting {
			r.status = execution.StatusDenied
		}
	case "execution.action_started":
		if !r.status.Ended() {
			r.status = execution.StatusStarted
		}
	case "execution.prompt_recorded":
		r.prompts++
	case "execution.completion_recorded", "execution.prompt_failed", "execution.prompt_resolved":
		r.prompts--
	case "execution.completed":
		r.status = execution.StatusCompleted
	case "execution.failed":
		r.status = execution.StatusFailed
	case "execution.cancelled":
		r.status = execution.StatusCancelled
	case "execution.resolved":
		r.status = execution.StatusResolved
	}
	if r.status.Ended() && !was.Ended() {
		r.ended = e.micros
	}
	r.updated, r.position = e.micros, e.position
}

// unversioned is a stored name without its version: lists need to know what
// happened, whatever shape it was stored in.
func unversioned(kind string) string {
	for i := len(kind) - 1; i > 0; i-- {
		if kind[i] == '.' {
			return kind[:i]
		}
	}
	return kind
}
