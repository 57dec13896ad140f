package console

import (
	"crypto/cipher"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Config says what a Console serves. Fields without a word on their default
// must be set.
type Config struct {
	API    http.Handler     // the ledger's own server
	Key    [32]byte         // seals cookies; the same on every replica
	Secure bool             // served over TLS, here or by a proxy before it
	Now    func() time.Time // time.Now by default
	Logger *slog.Logger     // discards by default
}

// Console answers everything below /console/. It keeps no state between
// requests, so any replica answers any of them.
type Console struct {
	api       http.Handler
	secure    bool
	now       func() time.Time
	log       *slog.Logger
	seal      cipher.AEAD
	keys      keys
	assets    assets
	templates *template.Template
	mux       *http.ServeMux
}

// New makes a Console, or says what is wrong with the configuration or with the
// embedded templates.
func New(c Config) (*Console, error) {
	if c.API == nil || c.Key == ([32]byte{}) {
		return nil, errors.New("console: Config needs API and Key")
	}
	s := &Console{api: c.API, secure: c.Secure, now: c.Now, log: c.Logger}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.keys, err = deriveKeys(c.Key); err != nil {
		return nil, err
	}
	if s.seal, err = newSeal(s.keys.cookies); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.templates, err = parseTemplates(s.assets); err != nil {
		return nil, err
	}
	s.mux = s.newMux()
	return s, nil
}

// newMux registers what needs no session by its whole path, and every page of
// routes below its workspace.
func (c *Console) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*door) error{
		"GET " + root:                showSignIn,
		"POST " + root + "sign-in":   signIn,
		"GET " + root + "join":       showJoin,
		"POST " + root + "join":      join,
		"POST " + root + "theme":     setTheme,
		"GET " + root + "signed-out": showSignedOut,
		"GET " + root + "forget.svg": forgetPages,
	} {
		mux.HandleFunc(exactly(pattern), c.outside(h))
	}
	for _, r := range routes() {
		mux.HandleFunc(r.method+" "+root+"{ws}"+exactly(r.path), c.inside(r.handle))
	}
	mux.HandleFunc(root+"{ws}/{rest...}", c.inside(func(*visit) error { return errNoPage }))
	mux.HandleFunc(root, c.outside(strayed))
	return mux
}

// strayed answers what has no page, and a workspace without its last slash.
func strayed(d *door) error {
	if ws := strings.TrimPrefix(d.r.URL.Path, root); workspaceID.MatchString(ws) {
		return d.redirect(root + ws + "/")
	}
	return errNoPage
}

// exactly keeps a pattern that ends in a slash from meaning everything below it.
func exactly(pattern string) string {
	if strings.HasSuffix(pattern, "/") {
		return pattern + "{$}"
	}
	return pattern
}

// ServeHTTP answers one request. Every answer carries the headers of setHeaders.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if name, ok := strings.CutPrefix(r.URL.Path, root+"static/"); ok && c.assets.serve(w, r, name) {
		return
	}
	c.mux.ServeHTTP(w, r)
}

// root is the prefix of all addresses of the console.
const root = "/console/"
