package commands

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/domain/searchbook"
	"github.com/clawoffice/ledger/internal/ledger"
)

// SaveSearch gives a search a name. That its text is a query was checked before.
func (s *Service) SaveSearch(ctx context.Context, c Call, name, query string, oldest bool) (searchbook.Saved, Receipt, error) {
	id := domain.SearchID(s.secret.DeriveID("ss_", c.ID, 0))
	state, r, err := s.onSearches(ctx, c, func(at time.Time) searchbook.Command {
		return searchbook.Save{Search: id, Name: name, Query: query, Oldest: oldest, By: c.Actor, At: at}
	})
	if err != nil {
		return searchbook.Saved{}, r.Receipt, err
	}
	if e, ok := first[searchbook.Saved](r.Events); ok {
		return e, r.Receipt, nil
	}
	saved, ok := state.Searches.Get(id)
	if !ok {
		err = errNoEvent
	}
	return saved, r.Receipt, err
}

// DeleteSearch forgets a saved search of the caller's.
func (s *Service) DeleteSearch(ctx context.Context, c Call, id domain.SearchID) (Receipt, error) {
	_, r, err := s.onSearches(ctx, c, func(at time.Time) searchbook.Command {
		return searchbook.Delete{Search: id, By: c.Actor, At: at}
	})
	return r.Receipt, err
}

// SetRetention says how many days the search index keeps each class of events.
func (s *Service) SetRetention(ctx context.Context, c Call, days map[string]int, ifVersion *int) (searchbook.State, Receipt, error) {
	state, r, err := s.onSearches(ctx, c, func(at time.Time) searchbook.Command {
		return searchbook.SetRetention{Days: days, IfVersion: ifVersion, By: c.Actor, At: at}
	})
	return state, r.Receipt, err
}

func (s *Service) onSearches(ctx context.Context, c Call, build func(time.Time) searchbook.Command) (searchbook.State, Result[searchbook.State, searchbook.Event], error) {
	if _, _, err := s.rules(c.Workspace); err != nil {
		return searchbook.State{}, Result[searchbook.State, searchbook.Event]{}, err
	}
	r, err := s.searches.Do(ctx, ledger.SearchStream(c.Workspace), c, build)
	return r.State, r, err
}

// SearchBook answers what a workspace says about its search, as the log has it now.
func (s *Service) SearchBook(ctx context.Context, ws domain.WorkspaceID) (searchbook.State, error) {
	state, _, err := s.searches.Load(ctx, ledger.SearchStream(ws))
	return state, err
}

// RecordSearch records that c's actor looks for something, unless it did so a
// moment ago with the same credential: pages, counts and repeats of a search are
// one look.
func (s *Service) RecordSearch(ctx context.Context, c Call, e journal.Searched) error {
	key := fmt.Sprint(c.Workspace, "\x00", c.Credential, "\x00", c.Actor, "\x00", e.Query, "\x00", e.From, "\x00", e.Until, "\x00", e.Reason)
	_, err, _ := s.looks.now.Do(key, func() (any, error) { // also of calls that come at once
		if s.looks.recent(key, s.now()) {
			return nil, nil
		}
		_, err := s.journal(ctx, s.then(c, "searched"), e) // the call may record more
		if err == nil {
			s.looks.note(key, s.now())
		}
		return nil, err
	})
	return err
}

// RecordExport records that c's actor takes away what a search finds, and why.
func (s *Service) RecordExport(ctx context.Context, c Call, e journal.Exported) (Receipt, error) {
	return s.journal(ctx, c, e)
}

// journal keeps an event among the workspace's reads of its audit trail.
func (s *Service) journal(ctx context.Context, c Call, e journal.Event) (Receipt, error) {
	r, err := s.journals.Do(ctx, ledger.AccessStream(c.Workspace, s.now()), c, func(time.Time) journal.Command {
		return journal.Command{Event: e}
	})
	return r.Receipt, err
}

// Texts is what was written in an event and in the content that it names.
type Texts struct {
	Texts  []string
	Erased bool // some of it can't be read any more
}

// OpenTexts records that c's actor reads the content of these events and why,
// and only then opens it. The answer is in the order of ids.
func (s *Service) OpenTexts(ctx context.Context, c Call, ids []string, reason string) ([]Texts, Receipt, error) {
	places, err := s.placesOf(ctx, c.Workspace, ids)
	if err != nil {
		return nil, Receipt{}, err
	}
	receipt, err := s.journal(ctx, c, journal.ContentOpened{Records: ids, Reason: reason})
	if err != nil {
		return nil, receipt, err
	}
	opened := make([]Texts, len(places))
	for i, p := range places {
		r, err := s.log.ReadRecord(ctx, p.Stream, p.Revision)
		if err == nil {
			opened[i].Texts, opened[i].Erased, err = ledger.WrittenIn(ctx, s.log, &r)
		}
		if err != nil {
			return nil, receipt, translate(fmt.Errorf("opening %s@%d: %w", p.Stream, p.Revision, err))
		}
	}
	return opened, receipt, nil
}

// looks remembers searches that were just recorded.
type looks struct {
	now  singleflight.Group
	mu   sync.Mutex
	last map[string]time.Time
}

const (
	lookTime = 5 * time.Minute
	maxLooks = 4096 // when there are more, all are forgotten and recorded again
)

func (l *looks) recent(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.last[key]
	return ok && now.Sub(at) < lookTime
}

func (l *looks) note(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || len(l.last) >= maxLooks {
		l.last = map[string]time.Time{}
	}
	l.last[key] = now
}
