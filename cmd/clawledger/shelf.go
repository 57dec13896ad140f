package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clawoffice/ledger/projections/search"
	searchsqlite "github.com/clawoffice/ledger/projections/search/sqlite"
)

// engine is an open index.
type engine interface {
	search.Engine
	Close() error
}

// shelf keeps the generations of the search index. One of them answers; another
// may be in the making.
type shelf interface {
	// name is that of the engine, for people.
	name() string
	// batch is how many records are best inserted at once; 0 if it matters little.
	batch() int
	// current is the number of the generation that answers; 1 if there is none yet.
	current(ctx context.Context) (int, error)
	// open opens a generation, or makes an empty one.
	open(ctx context.Context, number int) (engine, error)
	// promote makes a generation the one that answers from the next start on.
	promote(ctx context.Context, number int) error
	// drop deletes a generation that is closed.
	drop(ctx context.Context, number int) error
}

// folder is a shelf of files, one a generation.
type folder struct{ dir string }

func (f folder) name() string { return "sqlite" }

func (f folder) batch() int { return 0 }

func (f folder) file(number int) string { return filepath.Join(f.dir, strconv.Itoa(number)+".db") }

func (f folder) current(context.Context) (int, error) {
	text, err := os.ReadFile(filepath.Join(f.dir, "current"))
	if errors.Is(err, os.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading which search index answers: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 {
		return 1, nil // whatever is there is made again from the log
	}
	return n, nil
}

// open opens the file of a generation. One that is damaged, or of another
// version, is made again: it holds nothing that the log does not.
func (f folder) open(ctx context.Context, number int) (engine, error) {
	e, err := searchsqlite.Open(ctx, f.file(number), searchsqlite.Options{})
	if errors.Is(err, search.ErrDamaged) {
		if err := f.drop(ctx, number); err != nil {
			return nil, err
		}
		e, err = searchsqlite.Open(ctx, f.file(number), searchsqlite.Options{})
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (f folder) promote(_ context.Context, number int) error {
	path := filepath.Join(f.dir, "current")
	err := os.WriteFile(path+".new", []byte(strconv.Itoa(number)+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("noting which search index answers: %w", err)
	}
	return nil
}

func (f folder) drop(_ context.Context, number int) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(f.file(number) + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("deleting a search index: %w", err)
		}
	}
	return nil
}

// anew lets an empty generation answer from the next start on.
func anew(ctx context.Context, s shelf) error {
	number, err := s.current(ctx)
	if err == nil {
		err = s.drop(ctx, number+1)
	}
	if err == nil {
		err = s.promote(ctx, number+1)
	}
	if err == nil {
		err = s.drop(ctx, number)
	}
	return err
}

// tidy deletes what a crash left: generations that do not answer.
func tidy(ctx context.Context, s shelf, current int) error {
	for _, number := range []int{current - 1, current + 1} {
		if number < 1 {
			continue
		}
		if err := s.drop(ctx, number); err != nil {
			return err
		}
	}
	return nil
}
