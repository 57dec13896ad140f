package domain_test

import (
	"testing"

	"github.com/clawoffice/ledger/domain"
)

// tally is the smallest aggregate: it adds up.
type tally int

func (t tally) Decide(n int) ([]int, error) { return []int{n}, nil }
func (t tally) Evolve(n int) tally          { return t*10 + tally(n) }

func TestFoldKeepsOrder(t *testing.T) {
	if got := domain.Fold(tally(0), 1, 2, 3); got != 123 {
		t.Fatalf("got %d", got)
	}
	if got := domain.Fold(tally(7)); got != 7 {
		t.Fatalf("nothing changed 7 to %d", got)
	}
}
