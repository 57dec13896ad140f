package workspace

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clawoffice/ledger/domain"
)

// Decide answers what follows from a command. While a workspace is suspended
// only what takes rights away is granted, and the operator's Resume.
//
// Commands that find things already so answer no events: removing a removed
// member, revoking a revoked token, setting the same roles, and making again
// what has the same id (ids derive from the idempotency key). Where that is a
// token, the older one stands, and the new secret must not be shown.
func (s State) Decide(command Command) ([]Event, error) {
	if c, ok := command.(Create); ok {
		return s.create(c)
	}
	if !s.Exists() {
		return nil, domain.Refuse(domain.NotFound, "workspace_unknown", "there is no such workspace; ask the operator to create it")
	}
	switch c := command.(type) {
	case Suspend:
		return s.suspend(c)
	case Resume:
		return s.resume(c)
	case InviteMember:
		return s.invite(c)
	case AcceptInvitation:
		return s.accept(c)
	case RemoveMember:
		return s.removeMember(c)
	case SetRoles:
		return s.setRoles(c)
	case DefineRole:
		return s.defineRole(c)
	case DeleteRole:
		return s.deleteRole(c)
	case RegisterAgent:
		return s.registerAgent(c)
	case RemoveAgent:
		return s.removeAgent(c)
	case IssueToken:
		return s.issueToken(c)
	case RevokeToken:
		return s.revokeToken(c)
	case Delegate:
		return s.delegate(c)
	case EndDelegation:
		return s.endDelegation(c)
	case OrderErasure:
		return s.orderErasure(c)
	case FinishErasure:
		return s.finishErasure(c)
	}
	return nil, domain.Refuse(domain.Invalid, "command_unknown", "a workspace does not know this command")
}

// mayAct demands that whoever asks is still somebody here. The permission
// itself was checked before, against a read model; this closes the moment
// between a removal and the read model's knowing of it.
func (s State) mayAct(by domain.Actor, at time.Time) error {
	if !s.Active(by, at) {
		return domain.Refuse(domain.Forbidden, "permission_denied", "the one who asks is no active member or agent of this workspace")
	}
	return nil
}

// mayAdd is mayAct where the command gives something, which a suspension stops.
func (s State) mayAdd(by domain.Actor, at time.Time) error {
	if err := s.mayAct(by, at); err != nil {
		return err
	}
	return s.notSuspended()
}

func (s State) notSuspended() error {
	if s.Suspended {
		return domain.Refuse(domain.Conflict, "workspace_suspended", "the workspace is suspended; only the operator can resume it")
	}
	return nil
}

func onlyOperator(by domain.Actor, what string) error {
	if by.Kind != domain.KindOperator && by.Kind != domain.KindService {
		return domain.Refuse(domain.Forbidden, "permission_denied", "only the operator may %s a workspace", what)
	}
	return nil
}

func (s State) room() error {
	if s.Actors >= MaxActors {
		return domain.Refuse(domain.Conflict, "too_many_actors",
			"a workspace holds at most %d members and agents; remove some first", MaxActors).With("limit", MaxActors)
	}
	return nil
}

// version holds If-Match against the version that stands.
func version(want *int, stands int) error {
	if want != nil && *want != stands {
		return domain.Refuse(domain.Stale, "version_mismatch",
			"version %d stands, not %d; read it again and repeat the change", stands, *want).With("version", stands)
	}
	return nil
}

// text demands words of a bounded length, without control characters.
func text(field, value string, atMost int, needed bool) error {
	switch {
	case needed && strings.TrimSpace(value) == "":
		return domain.Refuse(domain.Invalid, "invalid_"+field, "%s is missing", field)
	case len(value) > atMost:
		return domain.Refuse(domain.Invalid, "invalid_"+field, "%s has %d bytes; at most %d are allowed", field, len(value), atMost)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return domain.Refuse(domain.Invalid, "invalid_"+field, "%s must be UTF-8 without control characters", field)
	}
	return nil
}

// given demands ids and digests that the caller of the domain makes itself.
func given(field, value string) error {
	if value == "" {
		return domain.Refuse(domain.Invalid, "invalid_"+field, "%s is missing", field)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// distinct answers values sorted, each once, never nil.
func distinct[T ~string](values []T) []T {
	sorted := append(make([]T, 0, len(values)), values...)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

var currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)

func (s State) create(c Create) ([]Event, error) {
	if err := onlyOperator(c.By, "create"); err != nil {
		return nil, err
	}
	if s.Exists() {
		return nil, domain.Refuse(domain.Conflict, "workspace_exists", "a workspace with this id exists; choose another id")
	}
	if !domain.ValidWorkspaceID(string(c.Workspace)) {
		return nil, domain.Refuse(domain.Invalid, "invalid_id",
			"a workspace id has 2 to 32 lower-case letters and digits with single hyphens between, a letter first")
	}
	if !currencyPattern.MatchString(c.Currency) {
		return nil, domain.Refuse(domain.Invalid, "invalid_currency", "currency is an ISO 4217 code of three capital letters, such as EUR")
	}
	if err := text("name", c.Name, maxName, true); err != nil {
		return nil, err
	}
	events := []Event{Created{c.Workspace, c.Name, c.Currency, c.At}}
	if c.Owner == nil {
		return events, nil
	}
	if err := first(validPerson(*c.Owner), s.validToken(c.OwnerToken, c.At)); err != nil {
		return nil, err
	}
	return append(events,
		MemberInvited{Member: c.Owner.Member, Subject: c.Owner.Subject, Profile: c.Owner.Profile,
			Roles: []domain.RoleName{domain.RoleOwner}, ExpiresAt: c.At, By: c.By, At: c.At},
		MemberJoined{c.Owner.Member, c.At},
		issue(c.OwnerToken, domain.MemberActor(c.Owner.Member), c.By, c.At)), nil
}

func (s State) suspend(c Suspend) ([]Event, error) {
	if err := first(onlyOperator(c.By, "suspend"), text("reason", c.Reason, maxText, false)); err != nil {
		return nil, err
	}
	if s.Suspended {
		return nil, nil
	}
	return []Event{Suspended{c.Reason}}, nil
}

func (s State) resume(c Resume) ([]Event, error) {
	if err := onlyOperator(c.By, "resume"); err != nil {
		return nil, err
	}
	if !s.Suspended {
		return nil, nil
	}
	return []Event{Resumed{}}, nil
}
