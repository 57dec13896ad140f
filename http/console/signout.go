package console

import (
	"errors"
	"net/http"

	"github.com/clawoffice/ledger/http/api"
)

// signOut revokes the session's token and forgets the cookie, in this order: if
// the ledger can't record it, the page says so, and the browser forgets anyway.
func signOut(v *visit) error {
	_, err := read[none](v.api.RevokeToken(v.ctx(), v.ws, v.session.ID, &api.RevokeTokenParams{IdempotencyKey: v.key()}))
	return v.leave(err)
}

// signOutEverywhere revokes every session of the member, this one last, so that
// it can be tried again until all are gone.
func signOutEverywhere(v *visit) error {
	tokens, err := v.ownTokens()
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Name != sessionName || t.Status != api.TokenStatusLive || t.ID == v.session.ID {
			continue
		}
		if _, err := read[none](v.api.RevokeToken(v.ctx(), v.ws, t.ID, nil)); err != nil && !gone(err) {
			return err
		}
	}
	return signOut(v)
}

// gone reports whether a thing is not there any more.
func gone(err error) bool {
	r := asRefusal(err)
	return r != nil && r.Status == http.StatusNotFound
}

// leave forgets the session. A token that is no good any more was ended already.
func (v *visit) leave(err error) error {
	v.forgetSession(v.w, v.ws)
	if r := asRefusal(err); err == nil || gone(err) || r != nil && r.Status == http.StatusUnauthorized {
		return v.redirect(root + "signed-out")
	}
	return v.door.problem(errors.Join(errNotRevoked, err))
}

var errNotRevoked = refuse(http.StatusServiceUnavailable, "session_not_revoked", "This browser is signed out, but the session could not be ended",
	"The ledger could not record it. The session ends by itself at the latest twelve hours after it began; an admin can revoke its token before.")

// showSignedOut says that it is done.
func showSignedOut(d *door) error { return d.page("signedout.html", "Signed out", nil) }

// forgetPages is a picture on the page above, whose answer makes the browser
// forget the pages that it keeps for going back. It does so whatever their
// Cache-Control says, and a header of that page itself comes too early: the last
// page of the session is put away only after it. Pages of others can't order it.
func forgetPages(d *door) error {
	if site := d.r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return errNoPage
	}
	icon := d.assets["icon.svg"]
	d.w.Header().Set("Clear-Site-Data", `"cache"`)
	d.w.Header().Set("Content-Type", icon.kind)
	_, _ = d.w.Write(icon.plain) // the browser is gone if this fails
	return nil
}
