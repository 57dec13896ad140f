package clickhouse

import (
	"context"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// The kinds of removals, as stored.
const (
	erasure   = "erasure"
	retention = "retention"
)

// view is what a call begins with: up to where rows count, and what was removed
// of a workspace but is still in the files.
type view struct {
	position int64
	stamp    int64 // the next one
	erased   []removed
	expired  []removed
}

// removed is a removal that no sweep has been through yet. It takes the rows
// whose insert began before it, as their stamps tell.
type removed struct {
	key    string // subject or class
	before int64  // microseconds, of retention
	stamp  int64
}

// view asks the server. A stamp is the server's time in microseconds, and more
// than each before it.
func (e *Engine) view(ctx context.Context, ws domain.WorkspaceID) (v view, err error) {
	s := newStatement()
	text := `SELECT '' AS kind, '' AS key, max(position) AS before, max(stamp) AS stamp, toUnixTimestamp64Micro(now64(6)) AS now FROM ` + positionTable +
		` UNION ALL SELECT 'any', '', 0, max(stamp), 0 FROM ` + removalTable
	if ws != "" {
		text += ` UNION ALL SELECT kind, key, before, max(stamp), 0 FROM ` + removalTable +
			` WHERE workspace = ` + s.text(string(ws)) + ` GROUP BY kind, key, before`
	}
	err = e.collect(ctx, s, text, func(scan func(...any) error) error {
		var kind string
		var r removed
		var now int64
		if err := scan(&kind, &r.key, &r.before, &r.stamp, &now); err != nil {
			return err
		}
		switch kind {
		case erasure:
			v.erased = append(v.erased, r)
		case retention:
			v.expired = append(v.expired, r)
		case "":
			v.position = r.before
		}
		v.stamp = max(v.stamp, r.stamp+1, now)
		return nil
	})
	v.expired = undominated(v.expired)
	return v, err
}

// undominated leaves out what another removal takes as well.
func undominated(list []removed) (left []removed) {
	for i, r := range list {
		covered := false
		for j, o := range list {
			covered = covered || i != j && o.key == r.key && o.before >= r.before && o.stamp >= r.stamp && (o != r || j < i)
		}
		if !covered {
			left = append(left, r)
		}
	}
	return left
}

// roundUp answers a time in microseconds. One between two is the next one.
func roundUp(t time.Time) int64 {
	n := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		n++
	}
	return n
}
