package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gowebpki/jcs"

	"github.com/clawoffice/ledger/domain"
)

// State is all policies of a workspace and what is kept of their versions. The
// zero State has none.
type State struct {
	Policies domain.Map[domain.PolicyID, Versions] `json:"policies"`

	// Sizes is what each policy that stands takes as JSON, and Size all of
	// them. Old lists the versions that no longer stand and are kept whole, in
	// the order in which they were replaced, and OldSize what they take.
	Sizes   domain.Map[domain.PolicyID, int] `json:"sizes"`
	Size    int                              `json:"size"`
	Old     []OldVersion                     `json:"old,omitempty"`
	OldSize int                              `json:"old_size,omitempty"`
}

// OldVersion names a version that no longer stands and is kept whole.
type OldVersion struct {
	ID      domain.PolicyID `json:"id"`
	Version int             `json:"version"`
	Size    int             `json:"size"`
}

// Versions are a policy's versions, oldest first; the last one stands. Old
// ones may be summaries, and the oldest may be forgotten; the log has them all.
type Versions []Written

// Current answers the version that stands.
func (v Versions) Current() Written { return v[len(v)-1] }

// Policy answers the version of a policy that stands.
func (s State) Policy(id domain.PolicyID) (Written, bool) {
	versions, ok := s.Policies.Get(id)
	if !ok || len(versions) == 0 {
		return Written{}, false
	}
	return versions.Current(), true
}

// Version answers one version of a policy, maybe as a summary.
func (s State) Version(id domain.PolicyID, version int) (Written, bool) {
	versions, _ := s.Policies.Get(id)
	i := slices.IndexFunc(versions, func(w Written) bool { return w.Version == version })
	if i < 0 {
		return Written{}, false
	}
	return versions[i], true
}

// Decide answers what follows from a command. Writing the policy that stands
// answers no events.
func (s State) Decide(command Command) ([]Event, error) {
	if c, ok := command.(Write); ok {
		return s.write(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "the policies do not know this command")
}

func (s State) write(c Write) ([]Event, error) {
	if !domain.ValidName(string(c.ID)) {
		return nil, domain.Refuse(domain.Invalid, "invalid_id", "a policy's id has 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
	}
	stands, exists := s.Policy(c.ID)
	if c.IfVersion != nil && *c.IfVersion != stands.Version {
		return nil, domain.Refuse(domain.Stale, "version_mismatch",
			"version %d stands, not %d; read it again and repeat the change", stands.Version, *c.IfVersion).With("version", stands.Version)
	}
	policy := normal(c.Policy)
	if err := valid(policy); err != nil {
		return nil, err
	}
	digest, err := policy.Digest()
	if err != nil {
		return nil, wrong("/sandbox", "the sandbox is not JSON that has a canonical form; remove repeated members and numbers a double can't carry")
	}
	if exists && stands.Digest == digest {
		return nil, nil
	}
	if !exists && s.Policies.Len() >= MaxPolicies {
		return nil, domain.Refuse(domain.Conflict, "too_many_policies",
			"a workspace has at most %d policies; write rules into one that exists", MaxPolicies).With("limit", MaxPolicies)
	}
	had, _ := s.Sizes.Get(c.ID)
	if size := sizeOfPolicy(policy); size > had && s.Size-had+size > MaxTotalSize {
		return nil, domain.Refuse(domain.Conflict, "policies_too_large",
			"all policies of a workspace take at most %d bytes of JSON; make one of them shorter first", MaxTotalSize).With("limit", MaxTotalSize)
	}
	return []Event{Written{c.ID, stands.Version + 1, digest, policy, c.By, c.At}}, nil
}

// Digest is the unpadded base64url SHA-256 of the policy's canonical JSON
// (RFC 8785).
func (p Policy) Digest() (domain.Digest, error) {
	text, err := json.Marshal(normal(p))
	if err != nil {
		return "", fmt.Errorf("marshalling a policy: %w", err)
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return "", fmt.Errorf("canonicalising a policy: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return domain.Digest(base64.RawURLEncoding.EncodeToString(sum[:])), nil
}

// normal answers p with its rules never null and its sandbox without spaces,
// which is what p is after it was stored and read back.
func normal(p Policy) Policy {
	if p.Rules == nil {
		p.Rules = []Rule{}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, p.Sandbox); err == nil {
		p.Sandbox = compact.Bytes()
	}
	return p
}
