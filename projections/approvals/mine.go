package approvals

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/clawoffice/ledger/domain"
)

// Voter is somebody who may decide on approvals, with what it holds now.
type Voter struct {
	Actor domain.Actor
	Roles []domain.RoleName
	For   []Absent
}

// Absent is a member for whom a [Voter] may vote, with the roles that were
// delegated and that the member still holds.
type Absent struct {
	Member domain.Actor
	Roles  []domain.RoleName
}

// Mine answers the pending approvals that somebody may decide at f.At, those
// that expire first first. It shuts out what the domain shuts out: an agent,
// the requester and the excluded, for themselves and through somebody else, and
// whoever has a part in a vote already. The filter's status is not asked.
func (m *Model) Mine(ctx context.Context, ws domain.WorkspaceID, v Voter, f Filter, cursor string, limit int) (Page, error) {
	from, err := parsePlace(firstToEnd, cursor)
	if err != nil {
		return Page{}, err
	}
	if now := f.At.UnixMicro(); from.expires <= now { // what is overdue can't be decided any more
		from = place{expires: now, number: math.MaxInt64}
	}
	page := Page{Items: []Approval{}, cursor: func(a *Approval) string { return placeOf(a).format(firstToEnd) }}
	if v.Actor.Kind != domain.KindMember {
		return page, nil
	}
	limit = bounded(limit)
	err = m.view(ctx, func(conn *sqlite.Conn) (err error) {
		defer sqlitex.Transaction(conn)(&err) // all roles of one moment
		for _, role := range v.roles() {
			found, err := v.through(conn, ws, role, f, from, limit+1)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, found...)
		}
		return nil
	})
	slices.SortFunc(page.Items, func(a, b Approval) int {
		return cmp.Or(cmp.Compare(micros(a.Expires), micros(b.Expires)), cmp.Compare(a.number, b.number))
	})
	page.Items = slices.CompactFunc(page.Items, func(a, b Approval) bool { return a.number == b.number }) // found by two roles
	return page.Cut(limit), err
}

func placeOf(a *Approval) place { return place{micros(a.Expires), a.number} }

// errEnough ends a query early.
var errEnough = errors.New("enough rows")

// through answers what can be decided by one role.
func (v Voter) through(conn *sqlite.Conn, ws domain.WorkspaceID, role domain.RoleName, f Filter, from place, limit int) (found []Approval, err error) {
	sql, args := f.mine(ws, role, from)
	err = sqlitex.Execute(conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		a, err := scan(s)
		if err != nil {
			return err
		}
		if v.may(&a, role) {
			found = append(found, a)
		}
		if len(found) == limit {
			return errEnough
		}
		return nil
	}})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

func (f Filter) mine(ws domain.WorkspaceID, role domain.RoleName, from place) (sql string, args []any) {
	conditions, values := f.conditions()
	args = append([]any{string(ws), string(role), from.expires, from.number, f.At.UnixMicro()}, values...)
	return "SELECT " + columns + ` FROM accepts w CROSS JOIN approval a ON a.number = w.number
		WHERE w.ws = ? AND w.role = ? AND (w.expires, w.number) > (?, ?) AND w.since <= ?` + conditions +
		" ORDER BY w.expires, w.number", args
}

// roles lists the roles by which the voter may decide anything, in order.
func (v Voter) roles() []domain.RoleName {
	all := map[domain.RoleName]bool{anybody: true}
	for _, role := range v.Roles {
		all[role] = true
	}
	for _, absent := range v.For {
		for _, role := range absent.Roles {
			all[role] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// may reports whether the voter may decide by a role that is accepted: for
// itself, or for an absent member. Each person has a part in one vote at most.
func (v Voter) may(a *Approval, role domain.RoleName) bool {
	switch {
	case !a.takes(v.Actor):
		return false
	case role == anybody, slices.Contains(v.Roles, role):
		return true
	}
	return slices.ContainsFunc(v.For, func(absent Absent) bool {
		return slices.Contains(absent.Roles, role) && a.takes(absent.Member)
	})
}

// takes reports whether somebody may have a part in a vote, whatever the role.
func (a *Approval) takes(who domain.Actor) bool {
	return who != a.Requester && !slices.Contains(a.Excluded, who) &&
		!slices.ContainsFunc(a.Votes, func(v Vote) bool { return v.By == who || v.For == who })
}
