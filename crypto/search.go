package crypto

import (
	"fmt"

	"github.com/google/tink/go/prf/subtle"

	"github.com/clawoffice/ledger/domain"
)

// SearchKey makes the tags under which words of a workspace's content are
// found. It is safe for concurrent use. Whoever has it can tell by trying which
// words a tag stands for; others can't, but they see which tags are the same.
// The zero key is unusable.
type SearchKey struct {
	redacted
	prf *subtle.HMACPRF
}

// SearchKey is a workspace's key for the search index of an epoch. Keys of two
// workspaces, or of two epochs, agree on no tag. It derives from the secret, so
// it is nowhere stored; a new epoch asks for the index to be made again.
func (s Secret) SearchKey(ws domain.WorkspaceID, epoch uint32) SearchKey {
	key := s.Tag(purposeSearch, string(ws), fmt.Sprint(epoch))
	prf, err := subtle.NewHMACPRF("SHA256", key[:])
	if err != nil { // it knows this hash
		panic("crypto: preparing a search key: " + err.Error())
	}
	return SearchKey{redacted("search key"), prf}
}

// Tag is the first 64 bits of Tink's HMAC-SHA256 PRF of a word.
func (k SearchKey) Tag(word string) [8]byte {
	b, err := k.prf.ComputePRF([]byte(word), 8)
	if err != nil { // it can't make more than 32 bytes, and makes any fewer
		panic("crypto: making a search tag: " + err.Error())
	}
	return [8]byte(b)
}
