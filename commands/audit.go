package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/journal"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Place is where a workspace's event stands in the log.
type Place struct {
	Stream   string
	Revision int64
}

// Places finds a workspace's events by id. An id that is not the workspace's
// is not found, whatever else it may be.
type Places interface {
	Place(ctx context.Context, ws domain.WorkspaceID, id string) (Place, bool, error)
}

// Opened is the content of a record, read by somebody who said why.
type Opened struct {
	ID      string
	Type    string
	Payload json.RawMessage // the event, or the content; nil if Erased
	Erased  bool            // its subject's key was destroyed
}

// maxOpened is how many records one call opens.
const maxOpened = 100

// OpenEvents records that c's actor reads these records and why, and only then
// opens them.
func (s *Service) OpenEvents(ctx context.Context, c Call, ids []string, reason string) ([]Opened, Receipt, error) {
	places, err := s.placesOf(ctx, c.Workspace, ids)
	if err != nil {
		return nil, Receipt{}, err
	}
	receipt, err := s.journal(ctx, c, journal.ContentOpened{Records: ids, Reason: reason})
	if err != nil {
		return nil, receipt, err
	}
	opened := make([]Opened, len(places))
	for i, p := range places {
		if opened[i], err = s.open(ctx, p); err != nil {
			return nil, receipt, err
		}
	}
	return opened, receipt, nil
}

// placesOf finds a workspace's events, all of them or none.
func (s *Service) placesOf(ctx context.Context, ws domain.WorkspaceID, ids []string) ([]Place, error) {
	if len(ids) == 0 || len(ids) > maxOpened {
		return nil, domain.Refuse(domain.Invalid, "invalid_body", "Name 1 to %d events to open.", maxOpened)
	}
	places := make([]Place, len(ids))
	for i, id := range ids {
		place, ok, err := s.places.Place(ctx, ws, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, notFound()
		}
		places[i] = place
	}
	return places, nil
}

// open reads one record's payload.
func (s *Service) open(ctx context.Context, p Place) (Opened, error) {
	r, err := s.log.ReadRecord(ctx, p.Stream, p.Revision)
	if err != nil {
		return Opened{}, translate(fmt.Errorf("reading %s@%d: %w", p.Stream, p.Revision, err))
	}
	out := Opened{ID: ledger.EventID(r.ID), Type: r.Type, Erased: r.Erased}
	switch {
	case r.Erased:
	case r.Type == PartContent: // a piece of text, not JSON by itself
		out.Payload, err = json.Marshal(string(r.Payload))
	case isContent(r.Type):
		out.Payload = r.Payload
	default:
		_, out.Payload, err = ledger.UnwrapFact(r.Payload)
	}
	return out, err
}

// StoredRecord is a record as stored, for somebody who checks it independently.
type StoredRecord struct {
	JWS        string
	Ciphertext []byte
	Position   eventlog.Position
	Stream     string
	Revision   int64
}

// Record answers the stored bytes of an event.
func (s *Service) Record(ctx context.Context, ws domain.WorkspaceID, id string) (StoredRecord, error) {
	p, ok, err := s.places.Place(ctx, ws, id)
	if err != nil {
		return StoredRecord{}, err
	}
	if !ok {
		return StoredRecord{}, notFound()
	}
	r, err := s.log.ReadRecord(ctx, p.Stream, p.Revision)
	if err != nil {
		return StoredRecord{}, translate(err)
	}
	return StoredRecord{JWS: string(r.JWS()), Ciphertext: r.Stored.Data, Position: r.Position, Stream: r.Stream, Revision: r.Revision}, nil
}

// Profile answers a member's name and address, or erased if the person's key
// was destroyed. It reads the content record beside the invitation.
func (s *Service) Profile(ctx context.Context, p Place) (profile Profile, erased bool, err error) {
	r, err := s.log.ReadRecord(ctx, p.Stream, p.Revision)
	if errors.Is(err, ledger.ErrNoRecord) {
		return profile, false, notFound()
	}
	if err != nil || r.Erased {
		return profile, r.Erased, translate(err)
	}
	return profile, false, json.Unmarshal(r.Payload, &profile)
}

// HistoryEntry is one event of an execution, as its history shows it.
type HistoryEntry struct {
	Event    json.RawMessage // nil for content, which is opened elsewhere and with a reason
	ID       string
	Type     string
	Revision int64
	Time     time.Time
	Actor    domain.Actor
}

// History lists the facts of an execution, oldest first, at most limit.
func (s *Service) History(ctx context.Context, ws domain.WorkspaceID, id domain.ExecutionID, limit int) ([]HistoryEntry, error) {
	var list []HistoryEntry
	for r, err := range s.log.ReadStream(ctx, ledger.ExecutionStream(ws, id), ledger.NoTail()) {
		if err != nil {
			return nil, translate(err)
		}
		if isContent(r.Type) {
			continue
		}
		_, event, err := ledger.UnwrapFact(r.Payload)
		if err != nil {
			return nil, err
		}
		list = append(list, HistoryEntry{ID: ledger.EventID(r.ID), Type: r.Type, Revision: r.Revision, Time: r.Time,
			Actor: domain.ParseActor(r.Actor), Event: event})
		if len(list) == limit {
			break
		}
	}
	return list, nil
}
