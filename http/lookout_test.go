package http

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/clawoffice/ledger/commands"
	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/projections/access"
)

// issued makes a token by the service alone, as another replica would, without
// waiting for this replica's model, and answers whether the model has it.
func issued(t *testing.T, w *world, c Config) func() bool {
	t.Helper()
	owner := domain.MemberActor(domain.MemberID(w.ownerID))
	made, err := c.Service.IssueToken(t.Context(), c.Service.NewCall("acme", owner, "tk", "POST", "/", "", nil), domain.AgentActor(domain.AgentID(w.agentID)), "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() bool { return w.models.Position(access.Name) >= made.Position }
}

// TestLookoutSeesWhatWasRecorded: after a look the model holds what the log
// held, and a token that another replica issued works.
func TestLookoutSeesWhatWasRecorded(t *testing.T) {
	var config Config
	w := newWorld(t, func(c *Config) { config = *c })
	l := newLookout(config.Models, true)
	for range 5 {
		reached := issued(t, w, config)
		if !l.look(t.Context()) || !reached() {
			t.Error("the look ended before the model held what the log held")
		}
	}
	if newLookout(config.Models, false).look(t.Context()) {
		t.Error("a lonely replica looked for what others recorded")
	}
}

// replica is another replica's model of who may do what, which gets what the
// log holds only when it looks.
type replica struct {
	*access.Model
	w     *world
	looks int
}

func (r *replica) look(ctx context.Context) bool {
	r.looks++
	for rec, err := range r.w.fixture.Read(ctx, eventlog.Query{TypePrefixes: r.Spec().Types}) {
		if err != nil {
			r.w.t.Fatal(err)
		}
		if err := r.Apply(ctx, &rec); err != nil {
			r.w.t.Fatal(err)
		}
	}
	return true
}

func TestUnknownHereMayBeKnownElsewhere(t *testing.T) {
	var config Config
	w := newWorld(t, func(c *Config) { config = *c })
	r := &replica{Model: access.New(w.fixture.Ring), w: w}
	gate := &rights{access: r.Model, models: config.Models, tokenHash: config.TokenHash, operator: config.Operator, look: r.look, now: time.Now}
	for round := range 2 {
		if c, err := gate.Identify(t.Context(), w.agent); err != nil || c.Actor.ID != w.agentID || r.looks != 1 {
			t.Errorf("round %d: %v %v after %d looks", round, c, err, r.looks)
		}
	}
	nobodys, _ := ledgercrypto.NewToken(ledgercrypto.CredentialToken)
	if _, err := gate.Identify(t.Context(), nobodys); !errors.Is(err, ErrUnknownToken) || r.looks != 2 {
		t.Errorf("nobody's token: %v after %d looks", err, r.looks)
	}
	if _, err := gate.Identify(t.Context(), "clw_guess"); !errors.Is(err, ErrUnknownToken) || r.looks != 2 {
		t.Errorf("what is no token: %v after %d looks", err, r.looks)
	}
}

func TestInvitationsFromElsewhere(t *testing.T) {
	var config Config
	w := newWorld(t, func(c *Config) { config = *c })
	r := &replica{Model: access.New(w.fixture.Ring), w: w}
	keys := w.fixture.Keys
	service := commands.New(commands.Config{Log: w.fixture.Ledger, Secret: keys.Secret(), Permits: permitsOf{keys}, Access: rulesOf{r.Model},
		Places: placesOf{config.Directory}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = service.Close(context.Background()) })
	h := &handlers{service: service, access: r.Model, models: config.Models, look: r.look, now: time.Now}
	invited := w.must(201, "POST", "/v1/workspaces/acme/members", w.owner, `{"email":"i@acme.test","name":"I","roles":["member"]}`)
	accept := func(token string) (api.AcceptInvitationResponseObject, error) {
		ctx := callContext{t.Context(), &call{op: operationNamed(t, "acceptInvitation")}}
		return h.AcceptInvitation(ctx, api.AcceptInvitationRequestObject{Body: &api.InvitationInput{InvitationToken: token}})
	}
	got, err := accept(invited.text("invitation_token"))
	if made, ok := got.(api.AcceptInvitation201JSONResponse); err != nil || !ok || made.Body.Member != invited.text("id") || r.looks != 1 {
		t.Errorf("%v %v after %d looks", got, err, r.looks)
	}
	nobodys, _ := ledgercrypto.NewToken(ledgercrypto.InvitationToken)
	if _, err := accept(nobodys); codeOf(err) != "invitation_unknown" || r.looks != 2 {
		t.Errorf("nobody's invitation: %v after %d looks", err, r.looks)
	}
}

func TestLooksAreBounded(t *testing.T) {
	var config Config
	newWorld(t, func(c *Config) { config = *c })
	l := newLookout(config.Models, true)
	l.looking.Store(looksAtOnce)
	if l.look(t.Context()) {
		t.Error("too many looked at once")
	}
	l.looking.Store(0)
	l.rate.SetLimit(0)
	for l.rate.Allow() {
		continue
	}
	if l.look(t.Context()) {
		t.Error("too many looked in a second")
	}
	if n := l.looking.Load(); n != 0 {
		t.Errorf("%d still look", n)
	}
}
