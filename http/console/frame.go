package console

import (
	"crypto/rand"
	"html/template"
	"strings"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// frame is what a template gets as dot: what every page shows, its own view, and
// the methods that word addresses, times and money.
type frame struct {
	links
	Title     string
	Section   string // of the navigation
	View      any    // the page's own
	Notice    string // what was just done
	Nav       []navItem
	SignedIn  bool
	Me        api.Me
	Workspace api.Workspace
	Theme     string // "", light or dark
	Path      string // of this page, to come back to
	FormToken string

	Head, Main template.HTML // the page's own parts, which the layout surrounds

	now time.Time
}

// May reports whether the member holds a permission.
func (f *frame) May(permission string) bool { return may(f.Me, permission) }

// NewKey is a random text, so that each form shown is a change of its own.
func (f *frame) NewKey() string { return rand.Text() }

// Mine reports whether an actor is the member who looks.
func (f *frame) Mine(actor string) bool { return actor == f.Me.Actor }

// When words a time for the partial "time".
func (f *frame) When(t time.Time) when { return newWhen(t, f.now) }

// Soon reports whether a time lies within d from now, or before.
func (f *frame) Soon(t time.Time, d time.Duration) bool {
	return !t.IsZero() && t.Before(f.now.Add(d))
}

// Money words millionths of the workspace's currency.
func (f *frame) Money(micros int64) string {
	return strings.TrimSpace(amount(micros) + " " + f.Workspace.Currency)
}

// ActorRef links to what the member may see of an actor: the person's or agent's
// page, else the events behind it.
func (f *frame) ActorRef(actor string) ref {
	kind, id, _ := strings.Cut(actor, ":")
	r := ref{Text: kind + ":" + short(id), Full: actor}
	switch {
	case actor == "":
		r.Text = ""
	case kind == "member" && (f.May("member.read") || f.Mine(actor)):
		r.URL = f.MemberURL(id)
	case kind == "agent" && f.May("agent.manage"):
		r.URL = f.AgentURL(id)
	case f.May("audit.search"):
		r.URL = f.SearchURL("actor", actor)
	}
	return r
}

// Found is a number that leads to the events behind it, if the member may see them.
func (f *frame) Found(number string, pairs ...string) ref {
	r := ref{Text: number}
	if f.May("audit.search") {
		r.URL = f.SearchURL(pairs...)
	}
	return r
}

// CredentialRef is a token's id; it leads to what was done with the token.
func (f *frame) CredentialRef(id string) ref {
	r := ref{Text: short(id), Full: id}
	if f.May("audit.search") {
		r.URL = f.SearchURL("credential", id)
	}
	return r
}

// choice is a link that narrows a list.
type choice struct {
	Label, URL string
	Current    bool
}

// Now is when the page was made.
func (f *frame) Now() time.Time { return f.now }
