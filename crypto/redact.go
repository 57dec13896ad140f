package crypto

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is embedded in every type that holds a secret. It takes over all the
// ways fmt, log/slog and encoding/json have of looking inside a value, so that
// a key can't reach a log by an absent-minded %+v. Its text names the kind of
// secret, never the secret.
type redacted string

// String, and the methods below, answer "[redacted …]".
func (r redacted) String() string {
	if r == "" {
		return "[redacted]"
	}
	return "[redacted " + string(r) + "]"
}

// GoString redacts %#v.
func (r redacted) GoString() string { return r.String() }

// Format redacts every verb, also those like %d that look past String.
func (r redacted) Format(f fmt.State, _ rune) {
	// A failed write into a formatter's own buffer can't be reported to anyone.
	_, _ = io.WriteString(f, r.String())
}

// LogValue redacts structured logs.
func (r redacted) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText redacts JSON and other encodings.
func (r redacted) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
