package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
)

// formField and formHeader carry the form token: the field in forms, the header
// in what a script sends.
const (
	formField  = "form_token"
	formHeader = "Console-Form-Token"
)

// formToken is a fresh token bound to secret: a random number and its MAC. It
// differs on every page, so that the length of a compressed page tells nothing
// about it.
func formToken(secret []byte) string {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(append(nonce, formMAC(secret, nonce)...))
}

func formMAC(secret, nonce []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("console form\x00"))
	m.Write(nonce)
	return m.Sum(nil)
}

// formTokenHolds reports whether token was made from secret.
func formTokenHolds(secret []byte, token string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && len(raw) == 16+sha256.Size && len(secret) > 0 && hmac.Equal(raw[16:], formMAC(secret, raw[:16]))
}

// sameOrigin reports whether a request that changes something was sent by a page
// of this very service. A browser says so in Sec-Fetch-Site, in Origin or in both;
// what it says must hold, and one of the two must be there.
func sameOrigin(r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if site == "" && origin == "" || site != "" && site != "same-origin" {
		return false
	}
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == r.Host && (u.Scheme == "http" || u.Scheme == "https")
}

// fromForm refuses a request that changes something and was not sent by a form
// of ours: from another place, or without a token made from secret.
func fromForm(r *http.Request, secret []byte) error {
	if !sameOrigin(r) {
		return errForeignForm
	}
	token := r.Header.Get(formHeader)
	if token == "" {
		token = r.PostFormValue(formField)
	}
	if !formTokenHolds(secret, token) {
		return errForeignForm
	}
	return nil
}
