package console

import (
	"net/http"
	"time"
)

// The cookies of the console.
//
// The session's is SameSite=Strict: no other site can make a browser so much as
// read here in somebody's name, and reading the audit trail leaves a trace in
// it. The price is that a link in a mail arrives without it; arriveFromElsewhere
// pays that price with a page that goes on from here.
const (
	sessionCookie = "clawledger"       // below /console/{ws}/, one for each workspace
	flashCookie   = "clawledger-flash" // below /console/{ws}/: what was just done, shown once
	doorCookie    = "clawledger-door"  // before a session: binds the sign-in form to this browser
	lastCookie    = "clawledger-last"  // the workspace last signed in to; no secret
	themeCookie   = "clawledger-theme" // light or dark; no secret
)

// cookieName adds the prefix that makes browsers refuse the cookie from anywhere
// but a TLS connection.
func (c *Console) cookieName(name string) string {
	if c.secure {
		return "__Secure-" + name
	}
	return name
}

// setCookie sends a cookie for path. One with no age ends with the browser; a
// negative age ends it now.
func (c *Console) setCookie(w http.ResponseWriter, name, path, value string, age time.Duration) {
	cookie := &http.Cookie{Name: c.cookieName(name), Path: path, Value: value, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if name == lastCookie || name == themeCookie {
		cookie.SameSite = http.SameSiteLaxMode
	}
	switch {
	case age < 0:
		cookie.MaxAge = -1
	case age > 0:
		cookie.MaxAge = int(age / time.Second)
	}
	http.SetCookie(w, cookie)
}

// cookie is a cookie's text, "" without one.
func (c *Console) cookie(r *http.Request, name string) string {
	if found, err := r.Cookie(c.cookieName(name)); err == nil {
		return found.Value
	}
	return ""
}

// keepSession sends the session's cookie.
func (c *Console) keepSession(w http.ResponseWriter, ws string, s session) error {
	text, err := c.sealed("session", ws, s)
	if err != nil {
		return err
	}
	c.setCookie(w, sessionCookie, root+ws+"/", text, 0)
	return nil
}

// forgetSession makes the browser forget a workspace.
func (c *Console) forgetSession(w http.ResponseWriter, ws string) {
	c.setCookie(w, sessionCookie, root+ws+"/", "", -1)
	c.setCookie(w, flashCookie, root+ws+"/", "", -1)
	c.setCookie(w, lastCookie, root, "", -1)
}
