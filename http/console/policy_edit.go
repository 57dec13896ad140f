package console

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/clawoffice/ledger/http/api"
)

func policyEditRoutes() []route {
	return []route{
		{"GET", "/policies/{id}/edit", editPolicy},
		{"POST", "/policies/{id}/edit", writePolicy},
	}
}

// newPolicy is what the editor begins with where there is no policy yet.
const newPolicy = `{
  "workflow": "*",
  "mode": "shadow",
  "default": "require_approval",
  "rules": [
    {
      "id": "small-payments",
      "actions": ["payment.initiate"],
      "when": "action.params.amount <= 100.0",
      "effect": "allow",
      "reason": "small payments need no human"
    }
  ]
}
`

// policyEditView is the editor, with what is wrong where it is.
type policyEditView struct {
	ID      string
	New     bool
	Source  string
	ETag    string
	Version int // that this text would replace
	Problem *refusal
	Faults  []fault
	Theirs  *api.Policy // written meanwhile
	Diff    []diffLine  // from theirs to this text
}

// fault is one thing that is wrong in a text.
type fault struct {
	Pointer, Detail string
	Line, Column    int // 0 where unknown
	Lines           []sourceLine
}

func editPolicy(v *visit) error {
	view := policyEditView{ID: v.value("id"), Source: newPolicy, ETag: `"0"`, New: true}
	got, err := send[api.Policy](v.api.GetPolicy(v.ctx(), v.ws, view.ID, &api.GetPolicyParams{MinPosition: v.after()}))
	switch {
	case err == nil:
		view.New, view.ETag, view.Version = false, got.ETag, got.Body.Version
		if view.Source, err = sourceOf(got.Body); err != nil {
			return err
		}
	case !gone(err):
		return err
	}
	return v.policyEditor(http.StatusOK, view)
}

func (v *visit) policyEditor(status int, view policyEditView) error {
	title := "Edit policy " + view.ID
	if view.New {
		title = "New policy " + view.ID
	}
	return v.pageStatus(status, "policyedit.html", "policies", title, view)
}

// writePolicy stores a version. What is wrong is shown at its place, with the
// text as typed; a version written meanwhile is shown before it is replaced.
func writePolicy(v *visit) error {
	version, _ := strconv.Atoi(v.form("version"))
	view := policyEditView{ID: v.value("id"), Source: v.form("source"), ETag: v.form("etag"), Version: version, New: v.form("etag") == `"0"`}
	if line, column, what := jsonFault(view.Source); line > 0 {
		view.Problem = refuse(http.StatusBadRequest, "json_invalid", "This is no JSON", "Nothing was written.")
		view.Faults = []fault{{Detail: what, Line: line, Column: column, Lines: around(view.Source, line)}}
		return v.policyEditor(http.StatusBadRequest, view)
	}
	done, err := send[api.Policy](v.api.PutPolicyWithBody(v.ctx(), v.ws, view.ID,
		&api.PutPolicyParams{IdempotencyKey: v.key(), IfMatch: given(view.ETag)}, "application/json", bytes.NewReader([]byte(view.Source))))
	if r := correctable(err); r != nil {
		view.Problem = r
		for _, e := range r.Errors {
			line := lineOf(view.Source, e.Pointer)
			view.Faults = append(view.Faults, fault{Pointer: e.Pointer, Detail: e.Detail, Line: line, Lines: around(view.Source, line)})
		}
		if r.Status == http.StatusPreconditionFailed {
			if err := v.theirs(&view); err != nil {
				return err
			}
		}
		return v.policyEditor(r.Status, view)
	}
	if err != nil {
		return err
	}
	return v.done(v.PolicyURL(view.ID), "Version "+strconv.Itoa(done.Body.Version)+" is written, and in force.", done.Position)
}

// theirs shows what was written meanwhile and how the text differs from it. The
// next try replaces that version, and no other.
func (v *visit) theirs(view *policyEditView) error {
	got, err := send[api.Policy](v.api.GetPolicy(v.ctx(), v.ws, view.ID, nil))
	if err != nil {
		return err
	}
	source, err := sourceOf(got.Body)
	if err != nil {
		return err
	}
	view.Theirs, view.ETag, view.Version, view.New = &got.Body, got.ETag, got.Body.Version, false
	view.Diff = diffLines(source, view.Source)
	return nil
}

// versionsView is the history of a policy and the difference of two versions.
type versionsView struct {
	ID       string
	Versions []api.Policy
	From, To int
	Diff     []diffLine
	Compared bool
	Next     string
}

func showVersions(v *visit) error {
	view := versionsView{ID: v.value("id")}
	list, err := read[api.PolicyList](v.api.ListPolicyVersions(v.ctx(), v.ws, view.ID,
		&api.ListPolicyVersionsParams{Limit: given(100), Cursor: given(v.query("cursor")), MinPosition: v.after()}))
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errNoPage
	}
	view.Versions = list.Items
	if list.Next != "" {
		view.Next = with(v.PolicyURL(view.ID)+"/versions", []string{"cursor", list.Next})
	}
	view.To, _ = strconv.Atoi(v.query("to"))
	view.From, _ = strconv.Atoi(v.query("from"))
	if view.To == 0 {
		view.To = list.Items[0].Version
	}
	if view.From == 0 {
		view.From = max(view.To-1, 1)
	}
	if view.From != view.To {
		if err := v.compare(&view); err != nil {
			return err
		}
	}
	return v.page("versions.html", "policies", "Versions of "+view.ID, view)
}

// compare fills in how the two versions differ.
func (v *visit) compare(view *versionsView) error {
	sources := map[int]string{}
	for _, n := range []int{view.From, view.To} {
		p, err := v.version(view, n)
		if err != nil {
			return err
		}
		if sources[n], err = sourceOf(p); err != nil {
			return err
		}
	}
	view.Compared = true
	view.Diff = diffLines(sources[view.From], sources[view.To])
	return nil
}

// version finds one version: on this page, or among the newest thousand.
func (v *visit) version(view *versionsView, n int) (api.Policy, error) {
	for _, p := range view.Versions {
		if p.Version == n {
			return p, nil
		}
	}
	list, err := read[api.PolicyList](v.api.ListPolicyVersions(v.ctx(), v.ws, view.ID, &api.ListPolicyVersionsParams{Limit: given(1000)}))
	for _, p := range list.Items {
		if p.Version == n {
			return p, nil
		}
	}
	if err == nil {
		err = refuse(http.StatusNotFound, "no_such_version", "There is no such version", "Policy "+view.ID+" has no version "+strconv.Itoa(n)+" among its newest thousand.")
	}
	return api.Policy{}, err
}
