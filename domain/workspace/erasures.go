package workspace

import (
	"slices"

	"github.com/clawoffice/ledger/domain"
)

// Erasure is an order to erase a data subject. Once it is done, Keys is how many
// keys that took.
type Erasure struct {
	Subject domain.SubjectTag `json:"subject"`
	Done    bool              `json:"done,omitempty"`
	Keys    int               `json:"keys,omitempty"`
}

// openErasures is how many orders are not carried out yet.
func (s State) openErasures() int { return s.Erasures.Len() - len(s.Finished) }

// orderErasure takes an order. That nothing is known of the subject is no
// reason to refuse it: the answer would tell who is known. Two orders for one
// subject are two: what is written between them goes with the second.
func (s State) orderErasure(c OrderErasure) ([]Event, error) {
	err := first(s.mayAdd(c.By, c.At), given("erasure", string(c.Erasure)), text("reason", c.Reason, maxText, true))
	if err != nil {
		return nil, err
	}
	subject, err := s.subjectOf(c)
	if err != nil {
		return nil, err
	}
	if e, ok := s.Erasures.Get(c.Erasure); ok {
		return repeated(e.Subject == subject, "erasure_exists", "another erasure has this id")
	}
	if s.openErasures() >= MaxErasures {
		return nil, domain.Refuse(domain.Conflict, "too_many_erasures",
			"%d erasures are ordered and not carried out yet; wait until some are", MaxErasures).With("limit", MaxErasures)
	}
	return []Event{SubjectErasureOrdered{Erasure: c.Erasure, Subject: subject, Member: c.Member, Reason: c.Reason, By: c.By, At: c.At}}, nil
}

// subjectOf answers whom an order is about. Members who were removed have a
// profile still.
func (s State) subjectOf(c OrderErasure) (domain.SubjectTag, error) {
	if (c.Subject == "") == (c.Member == "") {
		return "", domain.Refuse(domain.Invalid, "invalid_subject", "name either a subject or a member")
	}
	if c.Member == "" {
		return c.Subject, nil
	}
	m, ok := s.Members.Get(c.Member)
	if !ok {
		return "", unknownMember()
	}
	return m.Subject, nil
}

// finishErasure is granted while the workspace is suspended too: what was
// ordered is carried out.
func (s State) finishErasure(c FinishErasure) ([]Event, error) {
	e, ok := s.Erasures.Get(c.Erasure)
	switch {
	case !ok:
		return nil, domain.Refuse(domain.NotFound, "erasure_unknown", "no erasure with this id was ordered")
	case e.Done:
		return nil, nil
	}
	keys := append([]string{}, c.Keys...)
	return []Event{SubjectErased{Erasure: c.Erasure, Subject: e.Subject, Keys: keys, At: c.At}}, nil
}

// erased folds that an order was carried out, and forgets the oldest ones that
// were. Members keep their rights: only their profiles can't be read any more.
func (s State) erased(e SubjectErased) State {
	open, ok := s.Erasures.Get(e.Erasure)
	if !ok || open.Done {
		return s
	}
	s.Erasures = s.Erasures.Set(e.Erasure, Erasure{Subject: e.Subject, Done: true, Keys: len(e.Keys)})
	s.Finished = append(slices.Clip(s.Finished), e.Erasure)
	if len(s.Finished) > maxKnownErasures {
		s.Erasures = s.Erasures.Delete(s.Finished[0])
		s.Finished = slices.Clone(s.Finished[1:])
	}
	for id, m := range s.Members.All() {
		if m.Subject == e.Subject && !m.Erased {
			m.Erased = true
			s.Members = s.Members.Set(id, m)
		}
	}
	return s
}
