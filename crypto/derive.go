package crypto

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/clawoffice/ledger/domain"
)

// The purposes of tags. The texts are durable: ids in the log were made with
// them. None may ever be used for something else.
const (
	purposeCommand = "command"
	purposeID      = "id"
	purposeEvent   = "event"
	purposeBody    = "body"
	purposeSubject = "subject"
	purposeDataKey = "data-key"
	purposeCheck   = "key-directory"
	purposeWebhook = "webhook"
	purposeSearch  = "search"
	purposeConsole = "console"
)

// CommandID is the id of a command: the same for the same actor, method, path
// and idempotency key in the same workspace, and for nothing else. 32 hex digits.
func (s Secret) CommandID(ws domain.WorkspaceID, actor domain.Actor, method, path, key string) domain.CommandID {
	m := s.state(purposeCommand)
	m.buf = appendPart(m.buf, string(ws))
	m.buf = appendPart(m.buf, string(actor.Kind))
	m.buf = appendPart(m.buf, actor.ID)
	m.buf = appendPart(m.buf, method)
	m.buf = appendPart(m.buf, path)
	m.buf = appendPart(m.buf, key)
	sum := s.finish(m, nil)
	var text [32]byte
	hex.Encode(text[:], sum[:16])
	return domain.CommandID(text[:])
}

// DeriveID is the id of the nth thing with this prefix that a command creates:
// the prefix and 26 characters of [a-z2-7], 128 bits. Repeating the command
// derives the same id; nobody without the secret can guess one.
func (s Secret) DeriveID(prefix string, cmd domain.CommandID, n int) string {
	m := s.state(purposeID)
	m.buf = appendPart(m.buf, prefix)
	m.buf = appendPart(m.buf, string(cmd))
	m.buf = binary.AppendUvarint(m.buf, uint64(n))
	sum := s.finish(m, nil)
	var text [64]byte
	return string(appendID(append(text[:0], prefix...), &sum))
}

// EventID is the id of the nth event of a command: 16 bytes in the form of a
// UUID version 8 (RFC 9562), never zero.
func (s Secret) EventID(cmd domain.CommandID, n int) [16]byte {
	m := s.state(purposeEvent)
	m.buf = appendPart(m.buf, string(cmd))
	m.buf = binary.AppendUvarint(m.buf, uint64(n))
	sum := s.finish(m, nil)
	id := [16]byte(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// BodyMAC stands for the body of a request where the body itself must not be
// kept: 22 base64url characters, 128 bits.
func (s Secret) BodyMAC(body []byte) string {
	m := s.state(purposeBody)
	m.buf = binary.AppendUvarint(m.buf, uint64(len(body)))
	sum := s.finish(m, body)
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], sum[:16])
	return string(text[:])
}

// SubjectTag names a data subject of a workspace without telling who it is: 26
// characters of [a-z2-7]. The same subject has unrelated tags in two workspaces.
func (s Secret) SubjectTag(ws domain.WorkspaceID, subject string) domain.SubjectTag {
	sum := s.Tag(purposeSubject, string(ws), subject)
	var text [idLength]byte
	return domain.SubjectTag(appendID(text[:0], &sum))
}

// ConsoleKey seals the cookies of the console, the same on every replica.
func (s Secret) ConsoleKey() [32]byte { return s.Tag(purposeConsole) }

// WebhookKey is the nth key of a webhook, which signs what is sent there: 32
// bytes, as good as random to whoever has others of them. It is shown to the
// receiver, so nothing else is ever derived from it.
func (s Secret) WebhookKey(ws domain.WorkspaceID, webhook domain.WebhookID, n int) []byte {
	key := s.Tag(purposeWebhook, string(ws), string(webhook), strconv.Itoa(n))
	return key[:]
}

// WebhookSecret is a webhook's key as its receiver is shown it, and as
// receivers' libraries read it.
func WebhookSecret(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }
