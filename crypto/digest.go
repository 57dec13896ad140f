package crypto

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

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

// canonicalAction writes the document in its canonical form: members in order,
// params canonicalised, no space between.
func canonicalAction(ws domain.WorkspaceID, execution domain.ExecutionID, kind domain.ActionKind,
	params json.RawMessage, policy domain.PolicyID, version int) ([]byte, error) {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	shape, err := inspect(params)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrParams, err)
	case !shape.object:
		return nil, fmt.Errorf("%w: they must be a JSON object", ErrParams)
	case shape.depth > maxDepth:
		return nil, fmt.Errorf("%w: they nest deeper than %d levels; flatten them", ErrParams, maxDepth)
	}
	canonical := jsontext.Value(slices.Clone(params))
	if err := canonical.Canonicalize(); err != nil {
		return nil, fmt.Errorf("%w: they can't be brought into canonical form", ErrParams)
	}
	b := make([]byte, 0, len(canonical)+256)
	for _, part := range [...]struct{ opening, text string }{
		{`{"execution":`, string(execution)}, {`,"kind":`, string(kind)},
	} {
		if b, err = jsontext.AppendQuote(append(b, part.opening...), part.text); err != nil {
			return nil, fmt.Errorf("%w: an identifier is not valid UTF-8", ErrParams)
		}
	}
	b = append(append(b, `,"params":`...), canonical...)
	if b, err = jsontext.AppendQuote(append(b, `,"policy":{"id":`...), string(policy)); err != nil {
		return nil, fmt.Errorf("%w: the policy's id is not valid UTF-8", ErrParams)
	}
	b = strconv.AppendInt(append(b, `,"version":`...), int64(version), 10)
	if b, err = jsontext.AppendQuote(append(b, `},"v":"claw-action/1","workspace":`...), string(ws)); err != nil {
		return nil, fmt.Errorf("%w: the workspace's id is not valid UTF-8", ErrParams)
	}
	return append(b, '}'), nil
}

// maxDepth bounds how deep params may nest.
const maxDepth = 64
