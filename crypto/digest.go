package crypto

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gowebpki/jcs"

	"github.com/clawoffice/ledger/domain"
)

// Digest is the unpadded base64url SHA-256 of b, 43 characters.
func Digest(b []byte) domain.Digest {
	sum := sha256.Sum256(b)
	return digestOf(&sum)
}

func digestOf(sum *[sha256.Size]byte) domain.Digest {
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return domain.Digest(text[:])
}

// ErrParams says that an action's parameters are not a JSON object whose digest
// can be taken; the error around it says what is wrong with them.
var ErrParams = errors.New("action parameters are not acceptable")

// ActionDigest is the digest that an approval and a permit are for: the SHA-256
// of the RFC 8785 form of
//
//	{"v":"claw-action/1","workspace","execution","kind","params","policy":{"id","version"}}
//
// Without a policy, id is "" and version 0. Empty params stand for {}. Params
// that are not an object, that hold what [ExactNumbers] refuses, or that are
// too intricate are [ErrParams].
func ActionDigest(ws domain.WorkspaceID, execution domain.ExecutionID, kind domain.ActionKind,
	params json.RawMessage, policy domain.PolicyID, version int) (domain.Digest, error) {
	canonical, err := canonicalAction(ws, execution, kind, params, policy, version)
	if err != nil {
		return "", err
	}
	return Digest(canonical), nil
}

// action is the document whose canonical form is digested.
type action struct {
	V         string          `json:"v"`
	Workspace string          `json:"workspace"`
	Execution string          `json:"execution"`
	Kind      string          `json:"kind"`
	Params    json.RawMessage `json:"params"`
	Policy    actionPolicy    `json:"policy"`
}

type actionPolicy struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

func canonicalAction(ws domain.WorkspaceID, execution domain.ExecutionID, kind domain.ActionKind,
	params json.RawMessage, policy domain.PolicyID, version int) ([]byte, error) {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	// The canonicaliser below lets some malformed JSON pass and needs quadratic
	// time for wide objects, so nothing gets there unchecked.
	shape, err := inspect(params)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrParams, err)
	case !shape.object:
		return nil, fmt.Errorf("%w: they must be a JSON object", ErrParams)
	case shape.depth > maxDepth:
		return nil, fmt.Errorf("%w: they nest deeper than %d levels; flatten them", ErrParams, maxDepth)
	case shape.sortWork > maxSortWork:
		return nil, fmt.Errorf("%w: their objects have too many members; use arrays or split the action", ErrParams)
	}
	document, err := json.Marshal(action{"claw-action/1", string(ws), string(execution), string(kind),
		params, actionPolicy{string(policy), version}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParams, err)
	}
	canonical, err := jcs.Transform(document)
	if err != nil {
		return nil, fmt.Errorf("%w: bringing them into canonical form: %w", ErrParams, err)
	}
	return canonical, nil
}

// What canonicalising may cost: its sorting takes the square of the members of
// each object, its copying the size once per level.
const (
	maxDepth    = 64
	maxSortWork = 1 << 24 // one object of 4096 members, or 16 of 1024
)
