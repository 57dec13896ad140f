package console

import (
	"net/http"
	"strings"
	"time"
)

// theme is the member's choice: light, dark, or "" for what the system says.
func (d *door) theme() string {
	if t := d.cookie(d.r, themeCookie); t == "light" || t == "dark" {
		return t
	}
	return ""
}

// setTheme keeps the choice of a form that was found to be ours, and goes back.
func (d *door) setTheme() error {
	switch t := d.r.PostFormValue("theme"); t {
	case "light", "dark":
		d.setCookie(d.w, themeCookie, root, t, 365*24*time.Hour)
	default:
		d.setCookie(d.w, themeCookie, root, "", -1)
	}
	return d.redirect(localPath(d.r.PostFormValue("back"), root))
}

// setTheme is setTheme for who is not signed in.
func setTheme(d *door) error {
	if err := d.knock(); err != nil {
		return err
	}
	return d.setTheme()
}

// localPath is an address if it lies below prefix in this console, else prefix.
func localPath(address, prefix string) string {
	path, _, _ := strings.Cut(address, "?")
	if !strings.HasPrefix(path, prefix) || strings.Contains(path, "/.") || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return prefix
	}
	return address
}

// arriveFromElsewhere reports whether a page of another site led here, so that
// the browser kept a Strict cookie back.
func arriveFromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Method == http.MethodGet && (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// elsewhereView is the page for a link from elsewhere. It goes on from here by
// itself, unless the page that it leads to leaves a trace of who read what: then
// it waits for the reader to want that.
type elsewhereView struct {
	Path  string
	Alone bool
}

func (v *visit) goesOnAlone() bool {
	rest := strings.TrimPrefix(v.r.URL.Path, string(v.links))
	return !strings.HasPrefix(rest, "/search") && !strings.HasPrefix(rest, "/events")
}
