package commands

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
)

// WorkspaceAt answers a workspace as it was at a moment: everything recorded up
// to then, that moment included. Before the workspace was created it is the
// zero State. It reads the workspace's stream from its start, so that the log
// is the only witness.
func (s *Service) WorkspaceAt(ctx context.Context, ws domain.WorkspaceID, at time.Time) (workspace.State, error) {
	var state workspace.State
	for r, err := range s.log.ReadStream(ctx, ledger.WorkspaceStream(ws), ledger.NoTail()) {
		if err != nil {
			return workspace.State{}, translate(err)
		}
		if r.Time.After(at) {
			break // times never go back in a stream
		}
		if isContent(r.Type) {
			continue
		}
		_, event, err := s.workspaces.open(&r)
		if err != nil {
			return workspace.State{}, err
		}
		state = state.Evolve(event)
	}
	return state, nil
}
