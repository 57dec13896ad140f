package index

import (
	"context"
	"errors"
	"fmt"
	"strings"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/domain/schema"
	"github.com/clawoffice/ledger/domain/workspace"
	"github.com/clawoffice/ledger/internal/ledger"
	"github.com/clawoffice/ledger/projections/search"
)

// batch is rows on their way into the engine.
type batch struct {
	rows []search.Row
	late []late // rows that something is missing from, in order
	cuts []cut  // erasures, in order
}

// late is a row that has to be completed: its content has not come by, or what
// its stream is about is not known.
type late struct {
	row    int
	record *ledger.Record
	event  domain.Event       // nil for content
	words  []schema.Reference // content that has not come by
}

// take makes a record's row.
func (m *Model) take(r *ledger.Record) error {
	row := search.Row{Workspace: r.Workspace, Position: r.Position, ID: r.ID, Time: r.Time, Actor: domain.ParseActor(r.Actor), Type: r.Type,
		Stream: r.Stream, Severity: informational, Credential: r.Credential, Correlation: r.Correlation, Class: ClassOf(r.Type)}
	if ledger.IsContent(r.Type) {
		content := m.without(*r)
		m.content(&content)
		m.add(r, &row, nil, nil)
		return nil
	}
	_, payload, err := ledger.UnwrapFact(r.Payload)
	if err != nil {
		return err
	}
	event, err := schema.Decode(r.Type, payload)
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	row.Tags, _ = m.current.maker(m.config.Keys, r.Workspace).Of(schema.Texts(event)...)
	m.known.learn(r.Stream, event)
	if e, ok := event.(workspace.SubjectErased); ok {
		m.erase(r, e)
	}
	m.add(r, &row, event, schema.Contents(event))
	return nil
}

// add completes a row from what is known, or notes that it has to be later.
func (m *Model) add(r *ledger.Record, row *search.Row, event domain.Event, words []schema.Reference) {
	about, known := m.known.about(r.Stream)
	for _, ref := range words {
		row.Subject = ref.Subject
	}
	if known {
		describe(row, event, about)
	}
	m.batch.rows = append(m.batch.rows, *row)
	if !known || len(words) > 0 {
		m.batch.late = append(m.batch.late, late{len(m.batch.rows) - 1, r, event, words})
	}
}

// ClassOf is the class of events that a stored name belongs to.
func ClassOf(name string) search.Class {
	class, _, _ := strings.Cut(name, ".")
	return search.Class(class)
}

// content gives the words of content to the row of the fact that names it, if
// that is the one just before.
func (m *Model) content(r *ledger.Record) {
	for i := len(m.batch.late) - 1; i >= 0; i-- {
		waits := &m.batch.late[i]
		if waits.record.Stream != r.Stream {
			return
		}
		for k, ref := range waits.words {
			if ref.Stream != "" || !r.Erased && ledgercrypto.Digest(r.Payload) != ref.Digest || r.Erased && waits.record.Cause != r.Cause {
				continue
			}
			m.words(&m.batch.rows[waits.row], r)
			waits.words = append(waits.words[:k:k], waits.words[k+1:]...)
			if _, known := m.known.about(r.Stream); known && len(waits.words) == 0 {
				m.batch.late = append(m.batch.late[:i], m.batch.late[i+1:]...)
			}
			return
		}
	}
}

// words adds the tags of content to a row. A row's tags are those of one
// subject, so that they can be taken out when its key is destroyed.
func (m *Model) words(row *search.Row, content *ledger.Record) {
	if !content.Erased {
		m.tagged(row, schema.ContentTexts(content.Payload))
	}
}

func (m *Model) tagged(row *search.Row, texts []string) {
	more, _ := m.current.maker(m.config.Keys, row.Workspace).Of(texts...)
	row.Tags = append(row.Tags, more...) // a set; the engine knows
	row.Tags = row.Tags[:min(len(row.Tags), search.MaxTags)]
}

// complete finds in the log what rows are still missing.
func (m *Model) complete(ctx context.Context) error {
	for _, l := range m.batch.late {
		row := &m.batch.rows[l.row]
		about, err := m.lookUp(ctx, l.record.Stream)
		if err != nil {
			return err
		}
		describe(row, l.event, about)
		for _, ref := range l.words {
			text, erased, err := ledger.Content(ctx, heard{m}, l.record, ref)
			if errors.Is(err, ledger.ErrNoContent) || erased {
				continue // what can't be read has no words
			}
			if err != nil {
				return fmt.Errorf("reading the content of %s@%d: %w", l.record.Stream, l.record.Revision, err)
			}
			m.tagged(row, schema.ContentTexts(text))
		}
	}
	m.batch.late = nil
	return nil
}
