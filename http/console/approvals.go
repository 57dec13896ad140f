package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

func approvalRoutes() []route {
	return []route{
		{"GET", "/approvals", showApprovals},
		{"GET", "/approvals/{id}", func(v *visit) error { return v.approval(http.StatusOK, approvalView{}) }},
		{"POST", "/approvals/{id}/decision", decideApproval},
		{"POST", "/approvals/{id}/withdraw", withdrawApproval},
	}
}

// Waiting approvals are sorted by risk and expiry, which the API does not do, so
// they are read first: as many as waitingRead, in calls of waitingCall. A page
// shows approvalsPage.
const (
	waitingRead   = 400
	waitingCall   = 100
	approvalsPage = 50
)

// approvalsView is the inbox, or a list of what was decided.
type approvalsView struct {
	Approvals []approvalRow
	Tabs      []choice
	Risks     []choice
	Asked     approvalFilter
	Waiting   bool
	Total     int  // that wait
	More      bool // wait than were read
	Keys      bool // shortcuts make sense: there is something to move in
	Next      string
	First     string
}

// approvalRow is an approval with what would happen.
type approvalRow struct {
	api.Approval
	Sentence []phrase
	Mine     bool // the member may decide on it
	Approved int
	Soon     bool // it expires within the hour
}

// approvalFilter is what an address asks the list for.
type approvalFilter struct{ Status, Mine, Risk, Kind, Requester string }

func (f approvalFilter) pairs(more ...string) []string {
	return append([]string{"status", f.Status, "mine", f.Mine, "risk", f.Risk, "kind", f.Kind, "requester", f.Requester}, more...)
}

func (v *visit) approvalFilter() approvalFilter {
	f := approvalFilter{Status: v.query("status"), Risk: v.query("risk"), Kind: v.query("kind"), Requester: v.query("requester")}
	if v.query("mine") == "true" {
		f.Mine, f.Status = "true", ""
	}
	return f
}

// params asks the API for what the filter means. Without a status it is what
// waits, since that is what somebody comes for.
func (f approvalFilter) params(limit int, cursor string) *api.ListApprovalsParams {
	p := &api.ListApprovalsParams{Limit: &limit, Cursor: given(cursor), Status: given(api.ApprovalStatus(f.Status)), Risk: given(api.Risk(f.Risk)),
		Kind: given(f.Kind), Requester: given(f.Requester), Mine: given(f.Mine != "")}
	switch {
	case f.Mine != "", f.Status == "all":
		p.Status = nil
	case f.Status == "":
		p.Status = given(api.ApprovalStatusPending)
	}
	return p
}

func showApprovals(v *visit) error {
	f := v.approvalFilter()
	view := approvalsView{Asked: f, Waiting: f.Status == "" || f.Status == "pending"}
	view.Tabs, view.Risks = v.approvalTabs(f), v.approvalRisks(f)
	err := v.listApprovals(&view)
	if err != nil {
		return err
	}
	view.Keys = len(view.Approvals) > 0
	return v.page("approvals.html", "approvals", "Approvals", view)
}

func (v *visit) listApprovals(view *approvalsView) error {
	if view.Waiting {
		return v.listWaiting(view)
	}
	p := view.Asked.params(approvalsPage, v.query("cursor"))
	p.MinPosition = v.after()
	list, err := read[api.ApprovalList](v.api.ListApprovals(v.ctx(), v.ws, p))
	if err != nil {
		return err
	}
	view.Approvals = v.approvalRows(list.Items, nil)
	if list.Next != "" {
		view.Next = v.ApprovalsURL(view.Asked.pairs("cursor", list.Next)...)
	}
	if v.query("cursor") != "" {
		view.First = v.ApprovalsURL(view.Asked.pairs()...)
	}
	return nil
}

// listWaiting sorts what waits and shows a page of it.
func (v *visit) listWaiting(view *approvalsView) error {
	waiting, more, err := v.waiting(view.Asked)
	if err != nil {
		return err
	}
	mine := map[string]bool{}
	if view.Asked.Mine == "" && v.May("approval.decide") {
		own := view.Asked
		own.Mine = "true"
		decidable, _, err := v.waiting(own)
		if err != nil {
			return err
		}
		for _, a := range decidable {
			mine[a.ID] = true
		}
	}
	byUrgency(waiting)
	page, _ := strconv.Atoi(v.query("page"))
	page = min(max(page, 0), waitingRead)
	from := min(page*approvalsPage, len(waiting))
	to := min(from+approvalsPage, len(waiting))
	view.Total, view.More = len(waiting), more
	view.Approvals = v.approvalRows(waiting[from:to], mine)
	if to < len(waiting) {
		view.Next = v.ApprovalsURL(view.Asked.pairs("page", strconv.Itoa(page+1))...)
	}
	if from > 0 {
		view.First = v.ApprovalsURL(view.Asked.pairs()...)
	}
	return nil
}

// waiting reads what waits, and whether there is more.
func (v *visit) waiting(f approvalFilter) (all []api.Approval, more bool, err error) {
	cursor := ""
	for len(all) < waitingRead {
		p := f.params(waitingCall, cursor)
		p.MinPosition = v.after()
		list, err := read[api.ApprovalList](v.api.ListApprovals(v.ctx(), v.ws, p))
		if err != nil {
			return nil, false, err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			return all, false, nil
		}
	}
	return all, true, nil
}

// byUrgency puts the highest risk first, and of the same risk what expires first.
func byUrgency(list []api.Approval) {
	slices.SortStableFunc(list, func(a, b api.Approval) int {
		return cmp.Or(cmp.Compare(severity(b.Requirement.Risk), severity(a.Requirement.Risk)), a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.ID, b.ID))
	})
}

// severity orders risks; what has none is taken as low.
func severity(r api.Risk) int {
	return max(slices.Index([]api.Risk{api.RiskLow, api.RiskMedium, api.RiskHigh, api.RiskCritical}, r), 0)
}

// grave reports whether approving takes a second, deliberate step.
func grave(r api.Risk) bool { return severity(r) >= severity(api.RiskHigh) }

func (v *visit) approvalRows(list []api.Approval, mine map[string]bool) []approvalRow {
	var out []approvalRow
	for _, a := range list {
		row := approvalRow{Approval: a, Mine: mine[a.ID], Approved: approvals(a), Soon: a.Status == api.ApprovalStatusPending && a.ExpiresAt.Before(v.now().Add(time.Hour))}
		root, _ := parseParams(a.Action.Params) // what can't be read has no parameters to name
		row.Sentence = sentence(a.Action.Kind, root.Items)
		out = append(out, row)
	}
	return out
}

// approvals counts the votes for an action.
func approvals(a api.Approval) int {
	n := 0
	for _, vote := range a.Votes {
		if vote.Decision == api.VoteDecisionApprove {
			n++
		}
	}
	return n
}

func (v *visit) approvalTabs(f approvalFilter) []choice {
	link := func(label, status, mine string) choice {
		to := f
		to.Status, to.Mine = status, mine
		return choice{label, v.ApprovalsURL(to.pairs()...), to == f}
	}
	out := []choice{link("Waiting", "", "")}
	if v.May("approval.decide") {
		out = append(out, link("For you to decide", "", "true"))
	}
	for _, s := range []string{"approved", "denied", "expired", "withdrawn"} {
		out = append(out, link(words(s), s, ""))
	}
	return append(out, link("All", "all", ""))
}

func (v *visit) approvalRisks(f approvalFilter) []choice {
	out := []choice{}
	for _, r := range []string{"", "critical", "high", "medium", "low"} {
		to, label := f, r+" risk"
		if to.Risk = r; r == "" {
			label = "Any risk"
		}
		out = append(out, choice{label, v.ApprovalsURL(to.pairs()...), r == f.Risk})
	}
	return out
}

// Left words how long it is until a time, for what has to be done before it.
func (f *frame) Left(t time.Time) string {
	d := t.Sub(f.now)
	if d <= 0 {
		return "over"
	}
	if d < time.Minute {
		return "in " + strconv.Itoa(int(d.Seconds())) + " s"
	}
	return "in " + lasting(d)
}
