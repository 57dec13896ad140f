package http

import (
	"context"
	"strconv"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/gate"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/http/api"
)

func apiPolicy(w policy.Written) api.Policy {
	out := api.Policy{ID: string(w.ID), Version: w.Version, Digest: string(w.Digest), Workflow: string(w.Policy.Workflow), Mode: api.PolicyMode(w.Policy.Mode),
		Default: api.Effect(w.Policy.Default), Sandbox: w.Policy.Sandbox, Rules: []api.PolicyRule{}, WrittenAt: w.At.UTC(), WrittenBy: w.By.String()}
	for _, r := range w.Policy.Rules {
		rule := api.PolicyRule{ID: string(r.ID), Actions: texts[string](r.Actions), When: r.When, Effect: api.Effect(r.Effect), Reason: r.Reason}
		rule.Approval = apiRequirement(r.Approval)
		out.Rules = append(out.Rules, rule)
	}
	return out
}

func apiRequirement(a *gate.Approval) api.ApprovalRequirement {
	if a == nil {
		return api.ApprovalRequirement{}
	}
	out := api.ApprovalRequirement{Roles: texts[api.RoleName](a.Roles), Count: a.Count, ExpiresIn: a.ExpiresIn,
		SeparationOfDuties: a.SeparationOfDuties, Risk: api.Risk(a.Risk)}
	if a.Escalate != nil {
		out.Escalate = api.Escalation{After: a.Escalate.After, Roles: texts[api.RoleName](a.Escalate.Roles)}
	}
	return out
}

// domainPolicy is the policy that a body says.
func domainPolicy(in api.PolicyInput) policy.Policy {
	out := policy.Policy{Workflow: domain.Workflow(in.Workflow), Mode: policy.Mode(in.Mode), Default: gate.Effect(in.Default), Sandbox: in.Sandbox}
	for _, r := range in.Rules {
		rule := policy.Rule{ID: domain.RuleID(r.ID), Actions: texts[domain.ActionKind](r.Actions), When: r.When, Effect: gate.Effect(r.Effect), Reason: r.Reason}
		if r.Approval.Count > 0 { // required in the body, so that absence shows
			a := gate.Approval{Roles: texts[domain.RoleName](r.Approval.Roles), Count: r.Approval.Count, ExpiresIn: r.Approval.ExpiresIn,
				SeparationOfDuties: r.Approval.SeparationOfDuties, Risk: string(r.Approval.Risk)}
			if r.Approval.Escalate.After != "" {
				a.Escalate = &gate.Escalation{After: r.Approval.Escalate.After, Roles: texts[domain.RoleName](r.Approval.Escalate.Roles)}
			}
			rule.Approval = &a
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

func apiDecision(d gate.Decision) api.Decision {
	out := api.Decision{Effect: api.Effect(d.Effect), Policy: string(d.Policy), Version: d.Version, Rule: string(d.Rule), Reason: d.Reason,
		Approval: apiRequirement(d.Approval)}
	for _, e := range d.Errors {
		out.Errors = append(out.Errors, api.RuleError{Policy: string(e.Policy), Rule: string(e.Rule), Detail: e.Detail})
	}
	for _, s := range d.Shadow {
		out.Shadow = append(out.Shadow, api.Shadowed{Policy: string(s.Policy), Version: s.Version, Rule: string(s.Rule), Effect: api.Effect(s.Effect)})
	}
	return out
}

// ListPolicies answers the version of every policy that stands.
func (h *handlers) ListPolicies(ctx context.Context, r api.ListPoliciesRequestObject) (api.ListPoliciesResponseObject, error) {
	s, err := h.service.Policies(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	out := api.ListPolicies200JSONResponse{Items: []api.Policy{}}
	for _, versions := range s.Policies.All() {
		out.Items = append(out.Items, apiPolicy(versions.Current()))
	}
	return out, nil
}

// GetPolicy answers the version that stands.
func (h *handlers) GetPolicy(ctx context.Context, r api.GetPolicyRequestObject) (api.GetPolicyResponseObject, error) {
	s, err := h.service.Policies(ctx, domain.WorkspaceID(r.Ws))
	if err != nil {
		return nil, err
	}
	w, ok := s.Policy(domain.PolicyID(r.Policy))
	if !ok {
		return nil, errNotFound
	}
	return api.GetPolicy200JSONResponse{Body: apiPolicy(w), Headers: api.GetPolicy200ResponseHeaders{ETag: etag(w.Version)}}, nil
}

// PutPolicy writes a new version, and answers once this replica decides by it.
// A narrower policy takes rights away, so it waits as a revocation does.
func (h *handlers) PutPolicy(ctx context.Context, r api.PutPolicyRequestObject) (api.PutPolicyResponseObject, error) {
	id := domain.PolicyID(r.Policy)
	s, receipt, err := h.service.WritePolicy(ctx, h.call(ctx), id, domainPolicy(*r.Body), ifVersion(given(r.Params.IfMatch)))
	if err != nil {
		return nil, err
	}
	if err := h.gone(ctx, receipt, domain.WorkspaceID(r.Ws), func(workspace.State) bool { return true }); err != nil {
		return nil, err
	}
	w, ok := s.Policy(id)
	if !ok {
		return nil, errNotFound
	}
	return api.PutPolicy200JSONResponse{Body: apiPolicy(w),
		Headers: api.PutPolicy200ResponseHeaders{ETag: etag(w.Version), LedgerPosition: positionOf(receipt)}}, nil
}

// ListPolicyVersions answers what a policy said before, newest first. The
// cursor is the last version shown.
func (h *handlers) ListPolicyVersions(ctx context.Context, r api.ListPolicyVersionsRequestObject) (api.ListPolicyVersionsResponseObject, error) {
	versions, err := h.service.PolicyVersions(ctx, domain.WorkspaceID(r.Ws), domain.PolicyID(r.Policy))
	if err != nil {
		return nil, err
	}
	before := len(versions) + 1
	if given(r.Params.Cursor) != "" {
		if before, err = strconv.Atoi(given(r.Params.Cursor)); err != nil {
			return nil, invalidParameter("cursor", "This is no cursor of this list.")
		}
	}
	out := api.ListPolicyVersions200JSONResponse{Items: []api.Policy{}}
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].Version >= before {
			continue
		}
		if len(out.Items) == pageSize(given(r.Params.Limit)) {
			out.Next = strconv.Itoa(out.Items[len(out.Items)-1].Version)
			break
		}
		out.Items = append(out.Items, apiPolicy(versions[i]))
	}
	return out, nil
}

// EvaluatePolicy tries a decision on the caller's behalf.
func (h *handlers) EvaluatePolicy(ctx context.Context, r api.EvaluatePolicyRequestObject) (api.EvaluatePolicyResponseObject, error) {
	b := r.Body
	d, err := h.service.EvaluatePolicy(domain.WorkspaceID(r.Ws), CallerFrom(ctx).Actor, domain.PolicyID(b.Policy), domain.Workflow(b.Workflow),
		domain.ActionKind(b.Action.Kind), b.Action.Params, b.Context)
	return api.EvaluatePolicy200JSONResponse(apiDecision(d)), err
}
