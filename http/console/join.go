package console

import (
	"net/http"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// joinView is the form for an invitation. The token stands in the fragment of
// the link, which browsers send nowhere; a script puts it into the field.
type joinView struct{ Problem *refusal }

func showJoin(d *door) error { return d.page("join.html", "Join a workspace", joinView{}) }

// joinedView shows the new member's token, once.
type joinedView struct {
	Workspace, Token, Next string
}

var errNoInvitation = refuse(http.StatusBadRequest, "invitation_missing", "An invitation is needed",
	"Open the link that you were sent, or paste what stands in it after the #.")

// join accepts an invitation and signs the new member in.
func join(d *door) error {
	if err := d.knock(); err != nil {
		return err
	}
	token := strings.TrimSpace(d.r.PostFormValue("invitation"))
	if _, fragment, ok := strings.Cut(token, "#"); ok { // the whole link was pasted
		token = fragment
	}
	if token == "" {
		return d.refuseInvitation(errNoInvitation)
	}
	key := digestOf("join", token, d.r.PostFormValue("key"))
	accepted, err := read[api.InvitationAccepted](d.client(d.w, d.r, "").AcceptInvitation(d.ctx(),
		&api.AcceptInvitationParams{IdempotencyKey: &key}, api.InvitationInput{InvitationToken: token}))
	if err != nil {
		if r := asRefusal(err); r != nil {
			return d.refuseInvitation(r)
		}
		return err
	}
	if accepted.Token != "" {
		if _, err := d.begin(accepted.Token); err != nil {
			d.log.Warn("joined, but not signed in", "workspace", accepted.Workspace, "member", accepted.Member, "error", err)
		}
	}
	return d.page("joined.html", "You have joined", joinedView{accepted.Workspace, accepted.Token, root + accepted.Workspace + "/"})
}

func (d *door) refuseInvitation(r *refusal) error {
	return d.pageStatus(r.Status, "join.html", "Join a workspace", joinView{Problem: d.refusalOf(r)})
}
