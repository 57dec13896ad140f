package clickhouse

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/clawoffice/ledger/domain"
)

// The kinds of notes, as stored.
const (
	standing  = "standing" // where the index stands; it is nobody's
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
	v.stamp = 1 // where nothing was noted yet
	s := newStatement()
	text := "SELECT kind, key, before, max(position), max(stamp), toUnixTimestamp64Micro(now64(6)) FROM " + stateTable + " WHERE workspace = ''"
	if ws != "" {
		text += " OR workspace = " + s.text(string(ws))
	}
	err = e.collect(ctx, s, text+" GROUP BY kind, key, before", func(scan func(...any) error) error {
		var kind string
		var r removed
		var position, now int64
		err := scan(&kind, &r.key, &r.before, &position, &r.stamp, &now)
		switch kind {
		case standing:
			v.position = position
		case erasure:
			v.erased = append(v.erased, r)
		case retention:
			v.expired = append(v.expired, r)
		}
		v.stamp = max(v.stamp, r.stamp+1, now)
		return err
	})
	v.expired = undominated(v.expired)
	return v, err
}

// note is a row of the table of what is.
type note struct {
	workspace, kind string
	removed
	position int64
}

// write adds notes, all or none. The stamp is noted for everybody, so that the
// next one is greater.
func (e *Engine) write(ctx context.Context, notes ...note) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings()), clickhouse.WithColumnNamesAndTypes([]clickhouse.ColumnNameAndType{
		{Name: "workspace", Type: many}, {Name: "kind", Type: many}, {Name: "key", Type: many}, {Name: "before", Type: number},
		{Name: "position", Type: greatest}, {Name: "stamp", Type: greatest}}))
	batch, err := e.conn.PrepareBatch(ctx, "INSERT INTO "+stateTable+" (workspace, kind, key, before, position, stamp)")
	if err != nil {
		return err
	}
	for _, n := range notes {
		if err := batch.Append(n.workspace, n.kind, n.key, n.before, n.position, n.stamp); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	return batch.Send()
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
