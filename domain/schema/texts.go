package schema

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/approval"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/grant"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/policy"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/domain/webhook"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Texts answers what people, agents and models wrote in a fact: the members that
// hold words rather than ids, states and figures, and the parameters that
// somebody chose for an action. What somebody searched for is not among them, or
// every search would find those before it; nor is what a rule says of each
// action that it decides.
func Texts(e domain.Event) []string {
	switch e := e.(type) {
	case execution.Requested:
		return inJSON(inJSON(nil, e.Action.Params), e.Context)
	case execution.ActionRequested:
		return inJSON(inJSON(nil, e.Action.Params), e.Context)
	case approval.Requested:
		return inJSON(nil, e.Params)
	case policy.Written:
		return reasons(e.Policy)
	case grant.Given:
		return []string{e.Terms.Reason}
	}
	return []string{text(e)}
}

// text is the one text of most facts.
func text(e domain.Event) string {
	switch e := e.(type) {
	case execution.Event:
		return ofExecution(e)
	case approval.VoteCast:
		return e.Reason
	case approval.Withdrawn:
		return e.Reason
	case grant.Revoked:
		return e.Reason
	case workspace.Created:
		return e.Name
	case workspace.Suspended:
		return e.Reason
	case workspace.RoleDefined:
		return e.Description
	case workspace.AgentRegistered:
		return e.Name
	case workspace.TokenIssued:
		return e.Name
	case workspace.Delegated:
		return e.Reason
	case workspace.SubjectErasureOrdered:
		return e.Reason
	case webhook.Registered:
		return e.Description
	case webhook.Changed:
		return e.Description
	case searchbook.Saved:
		return e.Name
	case journal.ContentOpened:
		return e.Reason
	case journal.Searched:
		return e.Reason
	case journal.Exported:
		return e.Reason
	}
	return ""
}

func ofExecution(e execution.Event) string {
	switch e := e.(type) {
	case execution.PromptFailed:
		return e.Reason
	case execution.Completed:
		return e.Reason
	case execution.Failed:
		return e.Reason
	case execution.Cancelled:
		return e.Reason
	case execution.PromptResolved:
		return e.Reason
	case execution.Resolved:
		return e.Reason
	}
	return ""
}

func reasons(p policy.Policy) (texts []string) {
	for _, rule := range p.Rules {
		texts = append(texts, rule.Reason)
	}
	return texts
}

// ContentTexts answers what was written in content, as it is stored. Of what is
// no JSON there is nothing.
func ContentTexts(payload []byte) []string { return inJSON(nil, payload) }

func inJSON(texts []string, data []byte) []string {
	var v any
	if len(data) <= len(`{}`) || json.Unmarshal(data, &v) != nil {
		return texts
	}
	return all(texts, v)
}

// all takes every text below v, but for what names no word: salts, and who says
// what in a conversation.
func all(texts []string, v any) []string {
	switch v := v.(type) {
	case string:
		return append(texts, v)
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if member != "salt" && member != "role" && member != "type" {
				texts = all(texts, v[member])
			}
		}
	case []any:
		for _, item := range v {
			texts = all(texts, item)
		}
	}
	return texts
}

// Reference names content that a fact stands for. Stream is "" where its record
// comes right after the fact's, in the same append.
type Reference struct {
	Digest  domain.Digest // of the whole content
	Stream  string
	Subject domain.SubjectTag // under whose key it is; "" if the fact does not say
}

// Contents answers what content a fact names.
func Contents(e domain.Event) []Reference {
	switch e := e.(type) {
	case workspace.MemberInvited:
		return []Reference{{Digest: e.Profile, Subject: e.Subject}}
	case execution.PromptRecorded:
		return named(&e.Content, e.Subject)
	case execution.CompletionRecorded:
		return named(&e.Content, e.Content.Subject)
	case execution.Completed:
		return result(e.Result)
	case execution.Failed:
		return result(e.Result)
	case execution.Cancelled:
		return result(e.Result)
	}
	return nil
}

func result(c *execution.Content) []Reference {
	if c == nil {
		return nil
	}
	return named(c, c.Subject)
}

func named(c *execution.Content, subject domain.SubjectTag) []Reference {
	return []Reference{{Digest: c.Digest, Stream: c.Stream, Subject: subject}}
}
