package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUnknownEvent says that a stored name is not one of this package's.
var ErrUnknownEvent = errors.New("not an event of a workspace")

// Decode reads a stored event. Members it does not know are ignored, so that
// an older reader survives optional ones added later.
func Decode(name string, data []byte) (Event, error) {
	switch name {
	case "workspace.created.v1":
		return decode[Created](data)
	case "workspace.suspended.v1":
		return decode[Suspended](data)
	case "workspace.resumed.v1":
		return decode[Resumed](data)
	case "workspace.member_invited.v1":
		return decode[MemberInvited](data)
	case "workspace.member_joined.v1":
		return decode[MemberJoined](data)
	case "workspace.member_removed.v1":
		return decode[MemberRemoved](data)
	case "workspace.roles_set.v1":
		return decode[RolesSet](data)
	case "workspace.role_defined.v1":
		return decode[RoleDefined](data)
	case "workspace.role_deleted.v1":
		return decode[RoleDeleted](data)
	case "workspace.agent_registered.v1":
		return decode[AgentRegistered](data)
	case "workspace.agent_removed.v1":
		return decode[AgentRemoved](data)
	case "workspace.token_issued.v1":
		return decode[TokenIssued](data)
	case "workspace.token_revoked.v1":
		return decode[TokenRevoked](data)
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownEvent)
}

func decode[E Event](data []byte) (Event, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", e.EventType(), err)
	}
	return e, nil
}
