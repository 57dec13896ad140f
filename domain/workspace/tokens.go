package workspace

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

func issue(t Token, actor, by domain.Actor, at time.Time) Event {
	return TokenIssued{t.ID, actor, t.Name, t.Hash, clonePointer(t.ExpiresAt), by, at}
}

// validToken demands a token that is new, well named and not over already.
func (s State) validToken(t Token, at time.Time) error {
	if err := first(given("token", string(t.ID)), given("hash", string(t.Hash)), text("name", t.Name, maxName, false)); err != nil {
		return err
	}
	if t.ExpiresAt != nil && !t.ExpiresAt.After(at) {
		return domain.Refuse(domain.Invalid, "invalid_expires_at", "the token would be expired from the start; choose a later end")
	}
	if s.Hashes.Has(t.Hash) || s.Tokens.Has(t.ID) {
		return domain.Refuse(domain.Conflict, "token_exists", "a token with this id or hash exists; draw another")
	}
	return nil
}

func (s State) issueToken(c IssueToken) ([]Event, error) {
	if err := s.mayAdd(c.By, c.At); err != nil {
		return nil, err
	}
	if err := s.mayIssue(c); err != nil {
		return nil, err
	}
	if t, ok := s.Tokens.Get(c.Token.ID); ok {
		return repeated(t.Actor == c.Actor && t.Name == c.Token.Name, "token_exists", "another token has this id")
	}
	if err := s.validToken(c.Token, c.At); err != nil {
		return nil, err
	}
	if s.liveTokens(c.Actor, c.At) >= MaxLiveTokens {
		return nil, domain.Refuse(domain.Conflict, "too_many_tokens",
			"an actor has at most %d live tokens; revoke some first", MaxLiveTokens).With("limit", MaxLiveTokens)
	}
	return []Event{issue(c.Token, c.Actor, c.By, c.At)}, nil
}

// mayIssue demands that members issue their own tokens, and that nobody gets a
// token of an agent that may do more than they may: holding it, they could.
func (s State) mayIssue(c IssueToken) error {
	switch c.Actor.Kind {
	case domain.KindMember:
		if c.By != c.Actor && c.By.Kind != domain.KindService {
			return domain.Refuse(domain.Forbidden, "own_tokens_only", "members issue their own tokens; nobody else can")
		}
		if !s.Active(c.Actor, c.At) {
			return unknownMember()
		}
		return nil
	case domain.KindAgent:
		if !s.Active(c.Actor, c.At) {
			return unknownAgent()
		}
		may := s.grantable(c.By, c.At, domain.KindAgent, domain.TokenManage)
		if err := covers(may, s.held(c.Actor, c.At), "the agent has"); err != nil {
			return err
		}
		return nil
	}
	return domain.Refuse(domain.Invalid, "invalid_actor", "only members and agents have tokens")
}

func (s State) liveTokens(actor domain.Actor, at time.Time) int {
	ids, _ := s.TokensOf.Get(keyOf(actor))
	live := 0
	for _, id := range ids {
		if c, _ := s.Tokens.Get(id); c.Live(at) {
			live++
		}
	}
	return live
}

func (s State) revokeToken(c RevokeToken) ([]Event, error) {
	if err := s.mayAct(c.By, c.At); err != nil {
		return nil, err
	}
	t, ok := s.Tokens.Get(c.Token)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.NotFound, "token_unknown", "there is no such token in this workspace")
	case t.Revoked:
		return nil, nil
	}
	return []Event{TokenRevoked{c.Token, c.By}}, nil
}
