package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/clawoffice/ledger/http/api"
)

// maxForm bounds what a form may send; the largest is a policy.
const maxForm = 3 << 20

// pollHeader marks what a script asks again and again by itself. It does not
// count as use of a session, which would otherwise never be idle.
const pollHeader = "Console-Poll"

// workspaceID is the form of a workspace's id, as in the API.
var workspaceID = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// visit is one request of somebody who is signed in to the workspace it names.
type visit struct {
	*door
	links
	ws      string
	session session
	me      api.Me
	api     *api.Client // with the session's token
	flash   flash
	hidden  bool // the answer shows what is shown once
}

// inside is a handler for who is signed in. Everybody else is sent to sign in.
func (c *Console) inside(handle func(*visit) error) http.HandlerFunc {
	return c.outside(func(d *door) error {
		v := &visit{door: d, ws: d.r.PathValue("ws")}
		if len(v.ws) > 32 || !workspaceID.MatchString(v.ws) {
			return errNoPage
		}
		v.links = links(root + v.ws)
		if err := v.enter(); err != nil {
			return v.turnAway(err)
		}
		if err := handle(v); err != nil {
			if r := asRefusal(err); r != nil && r.Status == http.StatusUnauthorized {
				return v.turnAway(err) // revoked meanwhile
			}
			return v.problem(err)
		}
		return nil
	})
}

// enter opens the session, holds a change against its form token, and asks the
// ledger whether the token still stands.
func (v *visit) enter() (err error) {
	if v.session, err = v.openSession(v.ws, v.cookie(v.r, sessionCookie)); err != nil {
		return err
	}
	v.api = v.client(v.w, v.r, v.session.Token)
	if v.r.Method == http.MethodPost {
		if err := v.readForm(maxForm); err != nil {
			return err
		}
		if err := fromForm(v.r, v.session.Secret); err != nil {
			return err
		}
	}
	if v.me, err = read[api.Me](v.api.GetMe(v.ctx())); err != nil {
		return err
	}
	if v.me.Workspace != v.ws || v.me.Actor != "member:"+v.session.Member {
		return errBadCookie
	}
	v.takeFlash()
	return v.renew()
}

// renew notes that the session is in use.
func (v *visit) renew() error {
	now := v.now()
	if v.r.Header.Get(pollHeader) != "" || now.Sub(v.session.Seen) < renewAfter {
		return nil
	}
	v.session.Seen = now
	return v.keepSession(v.w, v.ws, v.session)
}

// turnAway answers who has no session here.
func (v *visit) turnAway(err error) error {
	r := asRefusal(err)
	switch {
	case errors.Is(err, errNoSession) && arriveFromElsewhere(v.r):
		return v.door.page("elsewhere.html", "Go on to the ledger", elsewhereView{Path: v.r.URL.RequestURI(), Alone: v.goesOnAlone()})
	case errors.Is(err, errNoSession):
		return v.toSignIn("")
	case errors.Is(err, errIdle):
		v.endIdle()
		return v.toSignIn("idle")
	case errors.Is(err, errExpired):
		return v.toSignIn("expired")
	case errors.Is(err, errBadCookie), errors.Is(err, errOtherFormat), r != nil && r.Status == http.StatusUnauthorized:
		return v.toSignIn("ended")
	}
	return v.door.problem(err)
}

// endIdle revokes the token of a session that nobody used, if that can be done.
func (v *visit) endIdle() {
	client := v.client(v.w, v.r, v.session.Token)
	if _, err := read[none](client.RevokeToken(v.ctx(), v.ws, v.session.ID, nil)); err != nil {
		v.log.Debug("idle session not revoked", "workspace", v.ws, "token", v.session.ID, "error", err)
	}
}

// ctx is the request's context.
func (d *door) ctx() context.Context { return d.r.Context() }

// value is a part of the path.
func (v *visit) value(name string) string { return v.r.PathValue(name) }

// query is a parameter of the address.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

// form is a field of a form.
func (v *visit) form(name string) string { return v.r.PostFormValue(name) }

// May reports whether the member holds a permission now.
func (v *visit) May(permission string) bool { return may(v.me, permission) }

func may(me api.Me, permission string) bool {
	for _, p := range me.Permissions {
		if p == permission {
			return true
		}
	}
	return false
}

// key is the Idempotency-Key of a change: the same form sent twice is one change,
// and the form sent again with other words is another.
func (v *visit) key() *string {
	key := digestOf(v.r.URL.Path, v.r.PostForm.Encode())
	return &key
}

// page answers a page: a template, the section of the navigation it belongs to,
// its title, and what it shows.
func (v *visit) page(name, section, title string, view any) error {
	return v.pageStatus(http.StatusOK, name, section, title, view)
}

// pageStatus is page with another status, for a form that was refused.
func (v *visit) pageStatus(status int, name, section, title string, view any) error {
	workspace, err := read[api.Workspace](v.api.GetWorkspace(v.ctx(), v.ws, nil))
	if err != nil {
		return err
	}
	f := v.frame(title, view)
	f.links, f.Section, f.Workspace, f.Me, f.FormToken = v.links, section, workspace, v.me, formToken(v.session.Secret)
	f.Nav, f.Notice, f.SignedIn = v.navigation(section), v.flash.Text, true
	if v.flash != (flash{}) {
		v.setCookie(v.w, flashCookie, v.links.path("/"), "", -1)
	}
	return v.render(status, name, f, !v.hidden)
}

// secret says that the answer shows something that is shown once.
func (v *visit) secret() { v.hidden = true }

// problem answers an error as a page.
func (v *visit) problem(err error) error {
	r := v.refusalOf(err)
	if pageErr := v.pageStatus(r.Status, "problem.html", "", r.Title, r); pageErr != nil {
		return v.door.problem(err) // even the frame can't be had
	}
	return nil
}

// redirect goes to another address of the console.
func (d *door) redirect(path string) error {
	http.Redirect(d.w, d.r, path, http.StatusSeeOther)
	return nil
}

// flash is what the page after a change says, once, and how far the read models
// must have got for it.
type flash struct {
	Text     string `json:"t"`
	Position string `json:"p"`
}

// done ends a change: it goes to path, where text is shown.
func (v *visit) done(path, text, position string) error {
	value, err := v.sealed("flash", v.ws, flash{text, position})
	if err != nil {
		return fmt.Errorf("keep what was done for the next page: %w", err)
	}
	v.setCookie(v.w, flashCookie, v.links.path("/"), value, time.Minute)
	return v.redirect(path)
}

// takeFlash reads what the last change left for this page.
func (v *visit) takeFlash() {
	if text := v.cookie(v.r, flashCookie); text != "" && v.r.Method == http.MethodGet && v.r.Header.Get(pollHeader) == "" {
		if err := v.opened("flash", v.ws, text, &v.flash); err != nil {
			v.flash = flash{}
		}
	}
}

// after is the position that a read must have reached to see what was just done.
func (v *visit) after() *api.MinPosition { return given(v.flash.Position) }
