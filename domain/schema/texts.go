package schema

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/execution"
	"github.com/clawoffice/ledger/domain/workspace"
)

// Texts answers what people and models wrote in a record: in content all of it,
// in a fact the members that hold words rather than ids, states and figures.
// The payload is a fact's event, or content as it is stored. Of what is no JSON
// there are none.
func Texts(name string, payload []byte) []string {
	var v any
	if json.Unmarshal(payload, &v) != nil {
		return nil
	}
	if class, _ := Kind(name); class == Content {
		return all(nil, v)
	}
	return worded(nil, v)
}

// wordy are the members of facts whose texts are words: of people, of agents,
// and of whoever chose an action's parameters. What somebody searched for is not
// among them, or every search would find those before it. The names are durable,
// as those of stored events are.
func wordy(member string) bool {
	switch member {
	case "params", "context", "reason", "description", "name", "result":
		return true
	}
	return false
}

// worded looks for such members at any depth.
func worded(texts []string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if wordy(member) {
				texts = all(texts, v[member])
			} else {
				texts = worded(texts, v[member])
			}
		}
	case []any:
		for _, item := range v {
			texts = worded(texts, item)
		}
	}
	return texts
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
	Digest domain.Digest // of the whole content
	Stream string
}

// Contents answers what content a fact names.
func Contents(e domain.Event) []Reference {
	switch e := e.(type) {
	case workspace.MemberInvited:
		return []Reference{{Digest: e.Profile}}
	case execution.PromptRecorded:
		return named(&e.Content)
	case execution.CompletionRecorded:
		return named(&e.Content)
	case execution.Completed:
		return named(e.Result)
	case execution.Failed:
		return named(e.Result)
	case execution.Cancelled:
		return named(e.Result)
	}
	return nil
}

func named(c *execution.Content) []Reference {
	if c == nil {
		return nil
	}
	return []Reference{{Digest: c.Digest, Stream: c.Stream}}
}
