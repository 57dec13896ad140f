package workspace

import (
	"errors"
	"fmt"

	"github.com/clawoffice/ledger/domain"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an event of a workspace")

// Decode reads a stored event. Members it does not know are ignored, so that
// an older reader survives optional ones added later.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "workspace.created.v1":
		return domain.DecodeEvent[Created](data)
	case "workspace.suspended.v1":
		return domain.DecodeEvent[Suspended](data)
	case "workspace.resumed.v1":
		return domain.DecodeEvent[Resumed](data)
	case "workspace.member_invited.v1":
		return domain.DecodeEvent[MemberInvited](data)
	case "workspace.member_joined.v1":
		return domain.DecodeEvent[MemberJoined](data)
	case "workspace.member_removed.v1":
		return domain.DecodeEvent[MemberRemoved](data)
	case "workspace.roles_set.v1":
		return domain.DecodeEvent[RolesSet](data)
	case "workspace.role_defined.v1":
		return domain.DecodeEvent[RoleDefined](data)
	case "workspace.role_deleted.v1":
		return domain.DecodeEvent[RoleDeleted](data)
	case "workspace.agent_registered.v1":
		return domain.DecodeEvent[AgentRegistered](data)
	case "workspace.agent_removed.v1":
		return domain.DecodeEvent[AgentRemoved](data)
	case "workspace.token_issued.v1":
		return domain.DecodeEvent[TokenIssued](data)
	case "workspace.token_revoked.v1":
		return domain.DecodeEvent[TokenRevoked](data)
	case "workspace.delegated.v1":
		return domain.DecodeEvent[Delegated](data)
	case "workspace.delegation_ended.v1":
		return domain.DecodeEvent[DelegationEnded](data)
	case "workspace.subject_erasure_ordered.v1":
		return domain.DecodeEvent[SubjectErasureOrdered](data)
	case "workspace.subject_erased.v1":
		return domain.DecodeEvent[SubjectErased](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}
