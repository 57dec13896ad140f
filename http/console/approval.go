package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// approvalView is one approval: what would happen, who may decide, and the forms
// to do so.
type approvalView struct {
	Approval    api.Approval
	Action      exactAction
	Earlier     *comparison // the request before, and how this one differs
	Later       *api.Approval
	Approved    int
	Progress    []bool // a place for each approval that is needed
	Voting      voting
	MayWithdraw bool
	Grave       bool // approving it takes a second step

	Problem *refusal
	Form    string // approve, deny or withdraw: the form that was refused
	Typed   typedVote
}

// DigestHead and DigestEnd are the digest, apart where the letters to type begin.
func (a approvalView) DigestHead() string {
	return a.Approval.ActionDigest[:max(len(a.Approval.ActionDigest)-confirmLetters, 0)]
}

// DigestEnd is what is typed for a grave action.
func (a approvalView) DigestEnd() string {
	return a.Approval.ActionDigest[len(a.DigestHead()):]
}

// typedVote is what was typed into a form.
type typedVote struct{ Reason, OnBehalf, Confirm string }

// voting says whether the member may vote, and for whom.
type voting struct {
	Open   bool // the form is shown
	Why    string
	Roles  []string // held, of those that may decide
	Absent []api.Delegation
}

// confirmLetters is how much of the digest is typed for a grave action.
const confirmLetters = 4

func (v *visit) approval(status int, view approvalView) error {
	if err := v.fillApproval(&view); err != nil {
		return err
	}
	return v.pageStatus(status, "approval.html", "approvals", "Approval "+short(view.Approval.ID), view)
}

func (v *visit) fillApproval(view *approvalView) error {
	a, err := read[api.Approval](v.api.GetApproval(v.ctx(), v.ws, v.value("id"), &api.GetApprovalParams{MinPosition: v.after()}))
	if err != nil {
		return err
	}
	view.Approval, view.Approved, view.Grave = a, approvals(a), grave(a.Requirement.Risk)
	slices.Sort(view.Approval.Excluded)
	view.Approval.Excluded = slices.Compact(view.Approval.Excluded)
	view.Action = newExactAction(v.ws, a.Execution, a.Policy, a.Version, a.Action, a.ActionDigest)
	for n := range max(a.Requirement.Count, 1) {
		view.Progress = append(view.Progress, n < view.Approved)
	}
	if view.Earlier, view.Later, err = v.neighbours(a); err != nil {
		return err
	}
	if view.Voting, err = v.voting(a); err != nil {
		return err
	}
	view.MayWithdraw = a.Status == api.ApprovalStatusPending && (v.May("execution.control") || a.Requester == v.me.Actor)
	return nil
}

// voting says whether the member may vote. The ledger decides that; this spares
// people a form that would be refused for sure, and says why.
func (v *visit) voting(a api.Approval) (voting, error) {
	var out voting
	switch {
	case a.Status != api.ApprovalStatusPending:
		return out, nil
	case !v.May("approval.decide"):
		out.Why = "You do not hold the permission approval.decide."
		return out, nil
	case a.Requester == v.me.Actor:
		out.Why = "You asked for it yourself, and so may not decide."
		return out, nil
	case slices.Contains(a.Excluded, v.me.Actor):
		out.Why = "Duties are kept apart: you made the agent that asks, gave it its token, or wrote the rule."
		return out, nil
	case slices.ContainsFunc(a.Votes, func(vote api.Vote) bool { return vote.By == v.me.Actor || vote.OnBehalfOf == v.me.Actor }):
		out.Why = "You have voted, or somebody did for you."
		return out, nil
	}
	me, err := read[api.Member](v.api.GetMember(v.ctx(), v.ws, v.session.Member, nil))
	if err != nil {
		return out, err
	}
	for _, role := range me.Roles {
		if len(a.Roles) == 0 || slices.Contains(a.Roles, role) {
			out.Roles = append(out.Roles, role)
		}
	}
	if out.Absent, err = v.standsInFor(); err != nil {
		return out, err
	}
	if out.Open = len(out.Roles) > 0 || len(out.Absent) > 0; !out.Open {
		out.Why = "You hold none of the roles that may decide."
	}
	return out, nil
}

// standsInFor lists the delegations under which the member may vote for others now.
func (v *visit) standsInFor() ([]api.Delegation, error) {
	list, err := read[api.DelegationList](v.api.ListDelegations(v.ctx(), v.ws, &api.ListDelegationsParams{MinPosition: v.after()}))
	now := v.now()
	return slices.DeleteFunc(list.Items, func(d api.Delegation) bool {
		return "member:"+d.To != v.me.Actor || d.Start.After(now) || !d.Until.After(now)
	}), err
}

// comparison is what another request asked, beside this one.
type comparison struct {
	With api.Approval
	Same bool // of the same execution; else of the same requester, kind and workflow
	Diff []diffLine
}

// neighboursRead is how many approvals are looked through for others like one.
const neighboursRead = 100

// neighbours finds the request before one that this one may be a changed form
// of, with the difference, and the one after it.
func (v *visit) neighbours(a api.Approval) (*comparison, *api.Approval, error) {
	list, err := read[api.ApprovalList](v.api.ListApprovals(v.ctx(), v.ws, &api.ListApprovalsParams{Requester: &a.Requester, Kind: &a.Action.Kind, Limit: given(neighboursRead)}))
	if r := asRefusal(err); r != nil && r.Status != http.StatusUnauthorized {
		return nil, nil, nil // the approval itself is there, and that is what counts
	}
	if err != nil {
		return nil, nil, err
	}
	before, same := nearest(a, list.Items, func(t time.Time) bool { return t.Before(a.RequestedAt) })
	after, _ := nearest(a, list.Items, func(t time.Time) bool { return t.After(a.RequestedAt) })
	if after != nil && after.Execution != a.Execution {
		after = nil // another run, which changes nothing about this one
	}
	if before == nil {
		return nil, after, nil
	}
	return &comparison{*before, same, diffLines(lineByLine(before.Action.Params), lineByLine(a.Action.Params))}, after, nil
}

// lineByLine is parameters for a comparison: without the commas at the ends of
// lines, which say nothing and would make the line before an added one differ.
func lineByLine(params json.RawMessage) string {
	lines := strings.Split(prettyParams(params), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, ",")
	}
	return strings.Join(lines, "\n")
}

// nearest is the request nearest in time to a, among those on one side of it: of
// the same execution if there is one, else of the same workflow.
func nearest(a api.Approval, list []api.Approval, side func(time.Time) bool) (best *api.Approval, same bool) {
	for i, b := range list {
		own := b.Execution == a.Execution
		if b.ID == a.ID || !side(b.RequestedAt) || b.Action.Kind != a.Action.Kind || b.Requester != a.Requester || !own && b.Workflow != a.Workflow || same && !own {
			continue
		}
		if best == nil || own && !same || apart(a, b) < apart(a, *best) {
			best, same = &list[i], own
		}
	}
	return best, same
}

func apart(a, b api.Approval) time.Duration { return a.RequestedAt.Sub(b.RequestedAt).Abs() }

// decideApproval takes a vote. A grave action is not approved by the form alone:
// the answer to it is a page that asks for the end of the digest.
func decideApproval(v *visit) error {
	choice := v.form("decision")
	view := approvalView{Form: choice, Typed: typedVote{strings.TrimSpace(v.form("reason")), v.form("on_behalf_of"), strings.TrimSpace(v.form("confirm"))}}
	if choice != "approve" && choice != "deny" {
		return errForm
	}
	if view.Typed.Reason == "" {
		view.Problem = errNoReason
		return v.approval(http.StatusBadRequest, view)
	}
	digest := v.form("digest")
	if choice == "approve" {
		if shown, err := v.confirmed(view, digest); shown || err != nil {
			return err
		}
	}
	done, err := send[api.Approval](v.api.DecideApproval(v.ctx(), v.ws, v.value("id"), &api.DecideApprovalParams{IdempotencyKey: v.key()},
		api.ApprovalDecision{Decision: api.ApprovalDecisionDecision(choice), Reason: view.Typed.Reason, ActionDigest: digest, OnBehalfOf: view.Typed.OnBehalf}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		view.Problem = r
		return v.approval(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.ApprovalURL(v.value("id")), decided(done.Body, choice), done.Position)
}

// confirmed reports whether a page was shown in place of the vote: the second
// step, which a grave action takes, or what keeps it from being approved at all.
func (v *visit) confirmed(view approvalView, digest string) (shown bool, err error) {
	if err := v.fillApproval(&view); err != nil {
		return false, err
	}
	status := http.StatusOK
	switch {
	case view.Approval.Status != api.ApprovalStatusPending || digest != view.Approval.ActionDigest:
		return false, nil // the ledger says what is wrong
	case !view.Action.Agrees:
		view.Problem = errDigest
		return true, v.pageStatus(http.StatusConflict, "approval.html", "approvals", "Approval "+short(view.Approval.ID), view)
	case !view.Grave || view.Typed.Confirm != "" && view.Typed.Confirm == view.DigestEnd():
		return false, nil
	case view.Typed.Confirm != "":
		status = http.StatusBadRequest
		view.Problem = refuse(status, "confirmation_differs", "This is not the end of the digest", "Nothing was approved. Type the last four characters of the digest as they stand below; capitals count.")
	}
	return true, v.pageStatus(status, "confirm.html", "approvals", "Confirm", view)
}

// errDigest keeps an action from being approved that is not what is shown.
var errDigest = refuse(http.StatusConflict, "digest_differs", "The digest is not that of the action shown", "What you would approve is not what you see. Nothing was approved; deny it, and tell whoever runs this service.")

// decided words what a vote came to.
func decided(a api.Approval, choice string) string {
	switch {
	case a.Status == api.ApprovalStatusApproved:
		return "Approved. The agent has a permit for exactly this action."
	case a.Status == api.ApprovalStatusDenied:
		return "Denied. The action will not be done."
	case choice == "approve":
		return "Your approval counts. " + numbered(a.Requirement.Count-approvals(a), "approval") + " more needed."
	}
	return "Your vote is recorded."
}

// withdrawApproval gives up an action that waits.
func withdrawApproval(v *visit) error {
	view := approvalView{Form: "withdraw", Typed: typedVote{Reason: strings.TrimSpace(v.form("reason"))}}
	if view.Typed.Reason == "" {
		view.Problem = errNoReason
		return v.approval(http.StatusBadRequest, view)
	}
	done, err := send[api.Approval](v.api.WithdrawApproval(v.ctx(), v.ws, v.value("id"), &api.WithdrawApprovalParams{IdempotencyKey: v.key()}, api.Reason{Reason: view.Typed.Reason}))
	if r := correctable(err); r != nil && r.Status != http.StatusNotFound {
		view.Problem = r
		return v.approval(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.ApprovalURL(v.value("id")), "Withdrawn. Nobody need decide, and the action is not done.", done.Position)
}
