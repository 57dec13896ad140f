package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Shelf keeps the generations of an index on a server: the first in the database
// that the connection string names, each later one in a database of its own
// beside it, and in the first which of them answers. So the user needs the right
// to create and drop databases of that name and a number.
type Shelf struct {
	options *clickhouse.Options
	conn    driver.Conn
	engine  Options
}

// generationTable holds the numbers of the generations that ever answered; the
// greatest one does.
const generationTable = "search_generation"

// databaseName is a name that needs no quotes.
var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,100}$`)

// OpenShelf connects to a server. It is [search.ErrUnavailable] if that can't be
// reached.
func OpenShelf(ctx context.Context, dsn string, o Options) (*Shelf, error) {
	options, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	if !databaseName.MatchString(options.Auth.Database) {
		return nil, fmt.Errorf("the connection string of ClickHouse must name a database, in letters, digits and underscores: clickhouse://user@host:9000/clawledger")
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("opening the search index on ClickHouse: %w", err)
	}
	s := &Shelf{options: options, conn: conn, engine: o}
	err = conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+generationTable+" (number Int64) ENGINE = MergeTree ORDER BY number SETTINGS "+durable)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("opening the search index on ClickHouse: %w", explain(ctx, err))
	}
	return s, nil
}

// Close ends the connection. The engines have their own.
func (s *Shelf) Close() error { return s.conn.Close() }

// Current is the number of the generation that answers; 1 if none was ever
// promoted.
func (s *Shelf) Current(ctx context.Context) (int, error) {
	var number int64
	if err := s.conn.QueryRow(ctx, "SELECT max(number) FROM "+generationTable).Scan(&number); err != nil {
		return 0, fmt.Errorf("asking which search index answers: %w", explain(ctx, err))
	}
	return max(int(number), 1), nil
}

// database is where a generation is.
func (s *Shelf) database(number int) string {
	if number <= 1 {
		return s.options.Auth.Database
	}
	return s.options.Auth.Database + "_" + strconv.Itoa(number)
}

// Open opens a generation, or makes an empty one.
func (s *Shelf) Open(ctx context.Context, number int) (*Engine, error) {
	if number > 1 {
		if err := s.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+s.database(number)); err != nil {
			return nil, fmt.Errorf("making the database %s for the search index: %w", s.database(number), explain(ctx, err))
		}
	}
	options := *s.options
	options.Auth.Database = s.database(number)
	return open(ctx, &options, s.engine)
}

// Promote makes a generation the one that answers.
func (s *Shelf) Promote(ctx context.Context, generation int) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings()), clickhouse.WithColumnNamesAndTypes([]clickhouse.ColumnNameAndType{{Name: "number", Type: number}}))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+generationTable+" (number)")
	if err == nil {
		if err = batch.Append(int64(generation)); err == nil {
			err = batch.Send()
		}
	}
	if err != nil {
		return fmt.Errorf("noting which search index answers: %w", explain(ctx, err))
	}
	return nil
}

// Drop deletes a generation.
func (s *Shelf) Drop(ctx context.Context, number int) error {
	statements := []string{"DROP DATABASE IF EXISTS " + s.database(number) + " SYNC"}
	if number <= 1 {
		statements = nil
		for table := range schema() {
			statements = append(statements, "DROP TABLE IF EXISTS "+table+" SYNC")
		}
	}
	for _, text := range statements {
		if err := s.conn.Exec(ctx, text); err != nil {
			return fmt.Errorf("deleting a search index: %w", explain(ctx, err))
		}
	}
	return nil
}
