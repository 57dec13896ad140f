package budget

import "time"

// maxAlerts bounds the alerts of one command, so that they fit into one
// append. The others come with the next command that counts in their budgets.
const maxAlerts = 100

// alerting answers an event and the alerts that follow from it. An alert says
// that what is settled and open in a window reached a threshold of a limit. It
// comes at the grant that reaches it, or at the settlement of a call that used
// more than was reserved, once for each window, limit and threshold, in modes
// enforce and observe alike. Settlements of windows that are over alert
// nobody: there is nothing left to hold back.
func (s State) alerting(cause Event, entries []Entry, change counting, at time.Time) []Event {
	events := []Event{cause}
	for _, entry := range entries {
		b, ok := s.Budgets.Get(entry.Budget)
		if !ok || b.Epoch != entry.Epoch || len(b.Spec.AlertAt) == 0 {
			continue
		}
		if count, ok := s.count(b).counted(entry, change); ok {
			events = b.crossed(events, entry, count, at)
		}
	}
	return events
}

// crossed appends the thresholds that a count reaches and were not alerted.
func (b *Budget) crossed(events []Event, entry Entry, count Count, at time.Time) []Event {
	used := count.Settled.plus(count.Open).figures()
	for i, limit := range b.Spec.Limits.maxima() {
		if limit < 0 || used[i] == 0 {
			continue
		}
		for _, threshold := range b.Spec.AlertAt {
			if threshold > int(count.Marks[i]) && reached(used[i], limit, threshold) && len(events) <= maxAlerts {
				events = append(events, Alerted{Budget: entry.Budget, Limit: limitNames()[i], Threshold: threshold,
					Start: entry.Start, Used: used[i], Max: limit, At: at})
			}
		}
	}
	return events
}

// reached reports whether used is at least so many per cent of limit. Limits
// are bounded so that the product fits.
func reached(used, limit int64, percent int) bool {
	need := limit * int64(percent)
	return used >= need/100+min(1, need%100)
}
