package workspace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
)

func TestIssueToken(t *testing.T) {
	issue := workspace.IssueToken{Actor: mia, Token: token("tk_new"), By: mia, At: now}
	issue.Token.ExpiresAt = &later
	s := office().When(issue).Then(t, workspace.TokenIssued{Token: "tk_new", Actor: mia, Name: "laptop", Hash: "hash of tk_new",
		ExpiresAt: &later, By: mia, At: now})
	c, ok := s.State().TokenByID("tk_new")
	if !ok || !c.Live(now) || c.Live(later) {
		t.Fatalf("the token lives until its end and no longer: %+v, %v", c, ok)
	}
	if id, found, ok := s.State().TokenByHash("hash of tk_new"); !ok || id != "tk_new" || found.Actor != mia {
		t.Fatalf("the hash is of %q, %v", id, ok)
	}
	if _, _, ok := s.State().TokenByHash("none"); ok {
		t.Fatal("found a token by a hash of none")
	}
	issue.Token.Hash = "hash of another secret"
	s.When(issue).Then(t) // a repeat, whose secret must not be shown
	issue.Token.Name = "phone"
	s.When(issue).Refused(t, domain.Conflict, "token_exists")
	office().When(workspace.IssueToken{Actor: mia, Token: token("tk_sso"), By: service, At: now}).Accepted(t)
}

func TestIssueTokenRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		command workspace.IssueToken
		kind    domain.Kind
		code    string
	}{
		{"of another member", workspace.IssueToken{Actor: mia, Token: token("t"), By: olga}, domain.Forbidden, "own_tokens_only"},
		{"of a member who was invited", workspace.IssueToken{Actor: ivan, Token: token("t"), By: service}, domain.NotFound, "member_unknown"},
		{"of an unknown agent", workspace.IssueToken{Actor: domain.AgentActor("ag_none"), Token: token("t"), By: olga}, domain.NotFound, "agent_unknown"},
		{"of the operator", workspace.IssueToken{Actor: operator, Token: token("t"), By: olga}, domain.Invalid, "invalid_actor"},
		{"no id", workspace.IssueToken{Actor: mia, Token: workspace.Token{Hash: "h"}, By: mia}, domain.Invalid, "invalid_token"},
		{"no hash", workspace.IssueToken{Actor: mia, Token: workspace.Token{ID: "t"}, By: mia}, domain.Invalid, "invalid_hash"},
		{"long name", workspace.IssueToken{Actor: mia, Token: workspace.Token{ID: "t", Hash: "h", Name: strings.Repeat("x", 201)}, By: mia}, domain.Invalid, "invalid_name"},
		{"expired", workspace.IssueToken{Actor: mia, Token: workspace.Token{ID: "t", Hash: "h", ExpiresAt: &now}, By: mia}, domain.Invalid, "invalid_expires_at"},
		{"a hash that exists", workspace.IssueToken{Actor: mia, Token: workspace.Token{ID: "t", Hash: "hash of tk_olga"}, By: mia}, domain.Conflict, "token_exists"},
		{"an id that exists", workspace.IssueToken{Actor: mia, Token: token("tk_olga"), By: mia}, domain.Conflict, "token_exists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.command.At = now
			office().When(row.command).Refused(t, row.kind, row.code)
		})
	}
}

func TestRevokeToken(t *testing.T) {
	revoke := workspace.RevokeToken{Token: "tk_olga", By: adam, At: now}
	s := office().When(revoke).Then(t, workspace.TokenRevoked{Token: "tk_olga", By: adam})
	if c, _ := s.State().TokenByID("tk_olga"); c.Live(now) {
		t.Fatal("the token outlived its revocation")
	}
	s.When(revoke).Then(t)
	office().When(workspace.RevokeToken{Token: "tk_none", By: adam, At: now}).Refused(t, domain.NotFound, "token_unknown")
}

func TestLiveTokensAreBounded(t *testing.T) {
	s := office().State()
	for i := range workspace.MaxLiveTokens {
		s = s.Evolve(issued(domain.CredentialID(fmt.Sprint("tk_", i)), mia))
	}
	more := workspace.IssueToken{Actor: mia, Token: token("tk_more"), By: mia, At: now}
	if _, err := s.Decide(more); !isCode(err, "too_many_tokens") {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Evolve(workspace.TokenRevoked{Token: "tk_7"}).Decide(more); err != nil {
		t.Fatalf("a revocation makes room: %v", err)
	}
}

// Old dead tokens are forgotten, live ones never.
func TestDeadTokensAreForgotten(t *testing.T) {
	s := office(issued("tk_live", agent)).State()
	for i := range 500 {
		id := domain.CredentialID(fmt.Sprint("tk_", i))
		s = s.Evolve(issued(id, agent)).Evolve(workspace.TokenRevoked{Token: id})
	}
	known := s.TokensBy(agent)
	if len(known) != 100 || s.Tokens.Len() != 101 || s.Hashes.Len() != 101 {
		t.Fatalf("knows %d tokens of the agent, %d tokens, %d hashes", len(known), s.Tokens.Len(), s.Hashes.Len())
	}
	if c, ok := s.TokenByID("tk_live"); !ok || !c.Live(now) || !slices.Contains(known, "tk_live") {
		t.Fatal("forgot a live token")
	}
	if _, ok := s.TokenByID("tk_499"); !ok {
		t.Fatal("forgot the newest token")
	}
	if _, ok := s.TokenByID("tk_0"); ok {
		t.Fatal("remembers the oldest token")
	}
}
