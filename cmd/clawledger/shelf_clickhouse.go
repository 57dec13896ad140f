package main

import (
	"context"

	"github.com/clawoffice/ledger/projections/search/clickhouse"
)

// server is a shelf on a ClickHouse server.
type server struct{ *clickhouse.Shelf }

func (server) name() string { return "clickhouse" }

func (server) batch() int { return clickhouse.BatchRows }

func (s server) current(ctx context.Context) (int, error) { return s.Current(ctx) }

func (s server) open(ctx context.Context, number int) (engine, error) {
	e, err := s.Open(ctx, number)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (s server) promote(ctx context.Context, number int) error { return s.Promote(ctx, number) }

func (s server) drop(ctx context.Context, number int) error { return s.Drop(ctx, number) }

// shelfOf is where a search index is kept: on a server, or in files of a folder.
func shelfOf(ctx context.Context, dsn, dir string) (s shelf, done func() error, err error) {
	if dsn == "" {
		return folder{dir}, func() error { return nil }, nil
	}
	kept, err := clickhouse.OpenShelf(ctx, dsn, clickhouse.Options{})
	if err != nil {
		return nil, nil, err
	}
	return server{kept}, kept.Close, nil
}
