package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/clawoffice/ledger/http/api"
)

// maxSignIn bounds what the forms before a session may send.
const maxSignIn = 16 << 10

// signInView is the form to sign in with a token.
type signInView struct {
	Why     string // what ended the session before: idle, expired, ended
	Next    string // where to go then
	Problem *refusal
}

// showSignIn is the front door. It goes straight on to the workspace last
// signed in to, unless that one just sent its visitor here.
func showSignIn(d *door) error {
	last := d.cookie(d.r, lastCookie)
	if d.r.URL.RawQuery == "" && workspaceID.MatchString(last) {
		return d.redirect(root + last + "/")
	}
	return d.page("signin.html", "Sign in", signInView{Why: d.r.URL.Query().Get("why"), Next: localPath(d.r.URL.Query().Get("next"), root)})
}

// toSignIn sends somebody without a session to the form. A script is told with
// a status, htmx with the header that makes it go there.
func (v *visit) toSignIn(why string) error {
	if v.cookie(v.r, sessionCookie) != "" {
		v.forgetSession(v.w, v.ws)
	}
	next := v.r.URL.RequestURI()
	if v.r.Method != http.MethodGet {
		next = v.links.path("/")
	}
	to := root + "?" + url.Values{"next": {next}, "why": {why}}.Encode()
	if v.r.Header.Get("HX-Request") != "" {
		v.w.Header().Set("HX-Redirect", to)
		v.w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	if mode := v.r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		v.w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	return v.redirect(to)
}

// doorSecret is what the forms before a session are bound to: a random cookie,
// made here if there is none, under a key that only this service has.
func (d *door) doorSecret() []byte {
	value := d.cookie(d.r, doorCookie)
	if len(value) != 43 {
		value = base64.RawURLEncoding.EncodeToString(newSecret())
		d.setCookie(d.w, doorCookie, root, value, 0)
	}
	return d.doorMAC(value)
}

func (d *door) doorMAC(value string) []byte {
	m := hmac.New(sha256.New, d.keys.doors)
	m.Write([]byte(value))
	return m.Sum(nil)
}

// knock reads a form of somebody without a session and holds it to be ours.
// Without it, a page elsewhere could sign a visitor in as somebody else.
func (d *door) knock() error {
	if err := d.readForm(maxSignIn); err != nil {
		return err
	}
	value := d.cookie(d.r, doorCookie)
	if len(value) != 43 {
		return errForeignForm
	}
	return fromForm(d.r, d.doorMAC(value))
}

// The tokens that no person signs in with.
var (
	errNoToken = refuse(http.StatusBadRequest, "token_missing", "A token is needed",
		"Paste the member token that you were given when you joined, or that you made on your account page.")
	errWrongToken = refuse(http.StatusUnauthorized, "token_unknown", "This token does not work",
		"It may be mistyped, have expired, or have been revoked. Ask an admin of your workspace for an invitation if you have no other.")
	errOperator = refuse(http.StatusForbidden, "token_operator", "This is the operator's token",
		"The operator runs the service and sees nothing inside a workspace. Sign in with the token of a member.")
	errAgent = refuse(http.StatusForbidden, "token_agent", "This is an agent's token",
		"The console is for people. Sign in with the token of a member.")
)

// signIn takes a member's token, makes a session's token with it, and forgets it.
func signIn(d *door) error {
	if err := d.knock(); err != nil {
		return err
	}
	next := d.r.PostFormValue("next")
	ws, err := d.begin(strings.TrimSpace(d.r.PostFormValue("token")))
	if err != nil {
		if r := asRefusal(err); r != nil {
			return d.pageStatus(r.Status, "signin.html", "Sign in", signInView{Next: localPath(next, root), Problem: d.refusalOf(r)})
		}
		return err
	}
	return d.redirect(localPath(next, root+ws+"/"))
}

// begin begins a session with a member's token and answers the workspace.
func (d *door) begin(token string) (string, error) {
	switch {
	case token == "" || len(token) > 512:
		return "", errNoToken
	case strings.HasPrefix(token, "clwop_"):
		return "", errOperator
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errWrongToken
	}
	client := d.client(d.w, d.r, token)
	me, err := read[api.Me](client.GetMe(d.ctx()))
	if r := asRefusal(err); r != nil && r.Status == http.StatusUnauthorized {
		return "", errWrongToken
	}
	if err != nil {
		return "", err
	}
	kind, member, _ := strings.Cut(me.Actor, ":")
	switch kind {
	case "member":
	case "agent":
		return "", errAgent
	default:
		return "", errOperator
	}
	now := d.now()
	made, err := read[api.TokenCreated](client.CreateMemberToken(d.ctx(), me.Workspace, member, nil, api.TokenInput{Name: sessionName, ExpiresAt: now.Add(lastsFor).UTC()}))
	if err != nil {
		return "", err
	}
	if made.Token == "" {
		return "", errors.New("the ledger made a token and did not show it")
	}
	s := session{Token: made.Token, ID: made.ID, Member: member, Secret: newSecret(), Seen: now, Expires: now.Add(lastsFor)}
	if err := d.keepSession(d.w, me.Workspace, s); err != nil {
		return "", err
	}
	d.setCookie(d.w, lastCookie, root, me.Workspace, lastsFor)
	return me.Workspace, nil
}
