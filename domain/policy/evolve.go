package policy

import "slices"

// Limits of what a State keeps of versions that no longer stand.
const (
	MaxVersions = 1000    // known of a policy
	MaxWhole    = 10      // kept whole of a policy, with the one that stands
	MaxOldSize  = 2 << 20 // bytes, as JSON, of all old ones that are kept whole
)

// Whole reports whether w says what the policy was. A summary has only its id,
// version, digest, author and time; the text is in the log.
func (w Written) Whole() bool { return w.Policy.Mode != "" }

// Evolve folds one event.
func (s State) Evolve(event Event) State {
	e, ok := event.(Written)
	if !ok {
		return s
	}
	versions, _ := s.Policies.Get(e.ID)
	had, _ := s.Sizes.Get(e.ID)
	size := sizeOfPolicy(e.Policy)
	s.Size, s.Sizes = s.Size-had+size, s.Sizes.Set(e.ID, size)
	s.Policies = s.Policies.Set(e.ID, append(slices.Clip(versions[max(0, len(versions)+1-MaxVersions):]), e))
	if len(versions) == 0 {
		return s
	}
	s.Old, s.OldSize = append(slices.Clip(s.Old), OldVersion{e.ID, versions.Current().Version, had}), s.OldSize+had
	return s.summarised(e)
}

// summarised keeps no more old versions whole than the limits allow: of the
// policy that was written, and then of all.
func (s State) summarised(e Written) State {
	ofPolicy := func(o OldVersion) bool { return o.ID == e.ID }
	whole := 1
	for _, o := range s.Old {
		if ofPolicy(o) {
			whole++
		}
	}
	if whole > MaxWhole {
		s = s.summarise(slices.IndexFunc(s.Old, ofPolicy))
	}
	for s.OldSize > MaxOldSize {
		s = s.summarise(0)
	}
	return s
}

// summarise makes one of Old a summary.
func (s State) summarise(i int) State {
	old := s.Old[i]
	s.Old, s.OldSize = slices.Delete(slices.Clone(s.Old), i, i+1), s.OldSize-old.Size
	versions, _ := s.Policies.Get(old.ID)
	versions = slices.Clone(versions)
	for j := range versions {
		if versions[j].Version == old.Version {
			versions[j].Policy = Policy{}
		}
	}
	s.Policies = s.Policies.Set(old.ID, versions)
	return s
}
