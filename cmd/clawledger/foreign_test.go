package main

import (
	"encoding/base64"
	"strings"
	"syscall"
	"testing"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// foreignKeys is a key directory of somebody who lacks the real one.
func foreignKeys(t *testing.T) *ledgercrypto.Dir {
	t.Helper()
	dir, _, err := ledgercrypto.OpenDir(t.TempDir()+"/foreign", ledgercrypto.OpenOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// payloadOf takes the signed payload out of a record's metadata.
func payloadOf(t *testing.T, r *eventlog.Recorded) string {
	t.Helper()
	jws := strings.TrimSuffix(strings.TrimPrefix(string(r.Meta), `{"jws":"`), `"}`)
	_, payload, err := ledgercrypto.ParseUnverified([]byte(jws))
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// signForeign makes metadata around a payload, signed with a foreign key.
func signForeign(keys *ledgercrypto.Dir, payload string) []byte {
	return []byte(`{"jws":"` + string(keys.Signer().Sign(nil, []byte(payload))) + `"}`)
}

// foreignRecord is a record's metadata with the same payload, signed by another
// key.
func foreignRecord(t *testing.T, r *eventlog.Recorded) []byte {
	t.Helper()
	return signForeign(foreignKeys(t), payloadOf(t, r))
}

// payloadHeader is the JWS header of the newest record.
func payloadHeader(t *testing.T, all []eventlog.Recorded) string {
	t.Helper()
	jws := strings.TrimPrefix(string(all[len(all)-1].Meta), `{"jws":"`)
	header, err := base64.RawURLEncoding.DecodeString(jws[:strings.IndexByte(jws, '.')])
	if err != nil {
		t.Fatal(err)
	}
	return string(header)
}

// hangUp sends the signal on which keys are read again.
func hangUp(t *testing.T, p *child) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}
