package directory

import (
	"context"
	"errors"
	"testing"

	"github.com/clawoffice/ledger/internal/ledger"
)

// Content that was erased is listed without; a fact that seems to be erased
// stops the model.
func TestErased(t *testing.T) {
	tests := []struct {
		kind string
		err  error
	}{
		{ProfileContent, nil},
		{"content.prompt.v1", nil},
		{"execution.requested.v1", errErased},
		{"execution.cancelled.v1", errErased},
		{"workspace.token_revoked.v1", errErased},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			r := &ledger.Record{Position: 1, Erased: true}
			r.Workspace, r.Stream, r.Type = "acme", "acme/execution-1", tt.kind
			if err := New().Apply(context.Background(), r); !errors.Is(err, tt.err) {
				t.Errorf("answered %v, want %v", err, tt.err)
			}
		})
	}
}
