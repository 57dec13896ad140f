package gate_test

import (
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain/gate"
)

func TestStricter(t *testing.T) {
	order := []gate.Effect{gate.Allow, gate.RequireApproval, gate.Deny}
	for i, a := range order {
		for j, b := range order {
			if got := a.Stricter(b); got != (i > j) {
				t.Errorf("%s stricter than %s: %v, want %v", a, b, got, i > j)
			}
		}
	}
}

// An effect nobody knows must not pass for leave to act.
func TestUnknownEffectIsStrictest(t *testing.T) {
	for _, unknown := range []gate.Effect{"", "permit"} {
		if !unknown.Stricter(gate.RequireApproval) || gate.Deny.Stricter(unknown) {
			t.Errorf("effect %q does not count as a denial", unknown)
		}
	}
}

func TestExpiry(t *testing.T) {
	tests := []struct {
		name, in string
		want     time.Duration
	}{
		{"given", "90m", 90 * time.Minute},
		{"not given", "", gate.DefaultExpiry},
		{"no duration", "soon", gate.DefaultExpiry},
		{"nothing", "0s", gate.DefaultExpiry},
		{"negative", "-1h", gate.DefaultExpiry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (gate.Approval{ExpiresIn: tt.in}).Expiry(); got != tt.want {
				t.Errorf("Expiry of %q = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}
