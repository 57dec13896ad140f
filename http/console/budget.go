package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"
	_ "time/tzdata" // axes are in the budget's time zone, whatever the machine has

	"github.com/clawoffice/ledger/http/api"
)

// budgetView is one budget with what it has used.
type budgetView struct {
	Budget  api.Budget
	Usage   api.BudgetUsage
	Lines   []limitLine
	Amount  api.Amount // drawn over time
	Amounts []choice
	Line    limitLine // of the amount
	Wide    lineChart
	Narrow  lineChart
	Steps   []usageStep
	Endless bool // the window never ends, so there is nothing to draw up to
	Agents  []shareRow
	Models  []shareRow
	Past    []pastRow
	Columns columnChart
	Thin    columnChart // for narrow screens
	Problem *refusal
}

// usageStep is a step of the window as the table beside the chart has it.
type usageStep struct {
	From, To    time.Time
	Used, Total int64
}

// shareRow is what one actor, or one model, used.
type shareRow struct {
	Of                         string
	Calls, In, Out, CostMicros int64
	Part                       int // of the largest, of a thousand
	Percent                    int // of all cost, or of all tokens where there is no cost
}

// pastRow is a window before, or the present one.
type pastRow struct {
	api.PastWindow
	Label   string
	Value   int64
	Present bool
	Over    bool
}

func showBudget(v *visit) error { return v.budget(http.StatusOK, budgetView{}) }

func (v *visit) budget(status int, view budgetView) error {
	id := v.value("id")
	var err error
	if view.Budget, err = read[api.Budget](v.api.GetBudget(v.ctx(), v.ws, id, &api.GetBudgetParams{MinPosition: v.after()})); err != nil {
		return err
	}
	if view.Usage, err = read[api.BudgetUsage](v.api.GetBudgetUsage(v.ctx(), v.ws, id, &api.GetBudgetUsageParams{MinPosition: v.after()})); err != nil {
		return err
	}
	for _, l := range view.Usage.Lines {
		view.Lines = append(view.Lines, newLimitLine(l))
	}
	slices.SortStableFunc(view.Lines, func(a, b limitLine) int { // those with a limit first
		return cmp.Compare(unlimited(a), unlimited(b))
	})
	view.choose(v)
	view.draw(v.now())
	view.Agents, view.Models = sharesBy(view.Usage.By, func(s api.Share) string { return s.Actor }), sharesBy(view.Usage.By, func(s api.Share) string { return s.Model })
	return v.pageStatus(status, "budget.html", "budgets", "Budget "+id, view)
}

func unlimited(l limitLine) int {
	if l.Limit == nil {
		return 1
	}
	return 0
}

// choose finds the amount to draw: the one asked for, else the first with a
// limit, else cost.
func (b *budgetView) choose(v *visit) {
	asked := api.Amount(v.query("amount"))
	b.Amount = api.AmountCostMicros
	if len(b.Lines) > 0 && b.Lines[0].Limit != nil {
		b.Amount = b.Lines[0].Amount
	}
	for _, l := range b.Lines {
		if l.Amount == asked {
			b.Amount = asked
		}
	}
	for _, l := range b.Lines {
		if l.Amount == b.Amount {
			b.Line = l
		}
		b.Amounts = append(b.Amounts, choice{l.Name, with(v.BudgetURL(b.Budget.ID), []string{"amount", string(l.Amount)}) + "#course", l.Amount == b.Amount})
	}
}

// of is how much of an amount there is in four figures.
func of(a api.Amount, calls, in, out, cost int64) int64 {
	switch a {
	case api.AmountCalls:
		return calls
	case api.AmountPromptTokens:
		return in
	case api.AmountOutputTokens:
		return out
	case api.AmountTotalTokens:
		return addUp(in, out)
	}
	return cost
}

// draw makes the charts and the tables beside them.
func (b *budgetView) draw(now time.Time) {
	zone, err := time.LoadLocation(b.Budget.Timezone)
	if err != nil {
		zone = time.UTC
	}
	worded := compact
	if b.Amount == api.AmountCostMicros {
		worded = axisMoney
	}
	u := b.Usage
	length := time.Duration(u.StepSeconds) * time.Second
	total := int64(0)
	for _, s := range u.Steps {
		used := of(b.Amount, s.Calls, s.PromptTokens, s.OutputTokens, s.CostMicros)
		total = addUp(total, used)
		b.Steps = append(b.Steps, usageStep{s.Start, s.Start.Add(length), used, total})
	}
	b.Endless = u.WindowEnd.IsZero()
	b.past(zone, worded)
	if b.Endless {
		return
	}
	c := course{Start: u.WindowStart, End: u.WindowEnd, Now: now, Limit: b.Line.Limit, Forecast: b.Line.Forecast, Zone: zone}
	c.Points = cumulative(b.Steps, c, b.Line.Used)
	b.Wide, b.Narrow = newLineChart(c, 880, 260, worded), newLineChart(c, 340, 220, worded)
}

// cumulative is the course of what was used, up to what is used now: steps come
// from a model that may be a moment behind.
func cumulative(steps []usageStep, c course, used int64) []point {
	out := []point{{c.Start, 0}}
	before := int64(0)
	for _, s := range steps {
		if s.From.After(c.Now) {
			break
		}
		if s.From.After(out[len(out)-1].At) {
			out = append(out, point{s.From, before})
		}
		end := s.To
		if end.After(c.Now) {
			end = c.Now
		}
		out, before = append(out, point{end, s.Total}), s.Total
	}
	return append(out, point{c.Now, max(used, before)})
}

// past lays the windows out beside each other, the oldest first; for a window
// that never ends its days.
func (b *budgetView) past(zone *time.Location, worded func(int64) string) {
	u, layout := b.Usage, map[api.Window]string{api.WindowHour: "2 Jan 15:04", api.WindowDay: "2 Jan", api.WindowWeek: "2 Jan", api.WindowMonth: "Jan 2006"}[b.Budget.Window]
	if b.Endless {
		zone = time.UTC // its days are counted there
	}
	row := func(w api.PastWindow, present bool) {
		r := pastRow{PastWindow: w, Label: w.Start.In(zone).Format(cmp.Or(layout, "2 Jan")), Value: of(b.Amount, w.Calls, w.PromptTokens, w.OutputTokens, w.CostMicros), Present: present}
		r.Over = b.Line.Limit != nil && !b.Endless && r.Value > *b.Line.Limit
		b.Past = append(b.Past, r)
	}
	for _, w := range slices.Backward(u.Windows) {
		row(w, false)
	}
	limit := b.Line.Limit
	if b.Endless {
		limit = nil // it is for all days together
		for _, s := range u.Steps {
			row(api.PastWindow{Start: s.Start, End: s.Start.Add(time.Duration(u.StepSeconds) * time.Second), Calls: s.Calls, PromptTokens: s.PromptTokens, OutputTokens: s.OutputTokens, CostMicros: s.CostMicros}, false)
		}
	} else {
		now := api.PastWindow{Start: u.WindowStart, End: u.WindowEnd, Overruns: u.Overruns, Late: u.Late}
		for _, l := range b.Lines {
			switch l.Amount {
			case api.AmountCalls:
				now.Calls, now.ReservedCalls = l.Used, l.Reserved
			case api.AmountPromptTokens:
				now.PromptTokens = l.Used
			case api.AmountOutputTokens:
				now.OutputTokens = l.Used
			case api.AmountCostMicros:
				now.CostMicros, now.ReservedCostMicros = l.Used, l.Reserved
			}
		}
		row(now, true)
	}
	var values []int64
	var labels []string
	for _, p := range b.Past {
		values, labels = append(values, p.Value), append(labels, p.Label)
	}
	b.Columns = newColumnChart(values, labels, limit, 880, 200, worded)
	last := len(values) - min(len(values), 14)
	b.Thin = newColumnChart(values[last:], labels[last:], limit, 340, 180, worded)
}

// axisMoney words money at an axis, without the currency.
func axisMoney(micros int64) string {
	if micros >= 1_000_000_000 {
		return compact(micros / 1_000_000)
	}
	return plainMoney(micros)
}

// sharesBy adds up shares by a name, the dearest first.
func sharesBy(all []api.Share, name func(api.Share) string) []shareRow {
	byName := map[string]*shareRow{}
	var out []*shareRow
	var cost, tokens int64
	for _, s := range all {
		r := byName[name(s)]
		if r == nil {
			r = &shareRow{Of: name(s)}
			byName[r.Of] = r
			out = append(out, r)
		}
		r.Calls, r.In, r.Out, r.CostMicros = r.Calls+s.Calls, r.In+s.PromptTokens, r.Out+s.OutputTokens, r.CostMicros+s.CostMicros
		cost, tokens = cost+s.CostMicros, tokens+s.PromptTokens+s.OutputTokens
	}
	slices.SortStableFunc(out, func(a, b *shareRow) int {
		return cmp.Or(cmp.Compare(b.CostMicros, a.CostMicros), cmp.Compare(b.In+b.Out, a.In+a.Out), cmp.Compare(a.Of, b.Of))
	})
	rows := make([]shareRow, len(out))
	for i, r := range out {
		value, whole, largest := r.CostMicros, cost, out[0].CostMicros
		if cost == 0 {
			value, whole, largest = r.In+r.Out, tokens, out[0].In+out[0].Out
		}
		r.Part, r.Percent = part(value, largest), percent(value, whole)
		rows[i] = *r
	}
	return rows
}

// Newest is the windows with the newest first, as a table has them.
func (b budgetView) Newest() []pastRow {
	out := slices.Clone(b.Past)
	slices.Reverse(out)
	return out
}

// CourseText says in words what the chart of a budget shows.
func (f *frame) CourseText(b budgetView) string {
	l := b.Line
	text := f.Amount(b.Amount, l.Used) + " used so far"
	if l.Reserved > 0 {
		text += ", " + f.Amount(b.Amount, l.Reserved) + " reserved"
	}
	if l.Limit != nil {
		text += ", of a limit of " + f.Amount(b.Amount, *l.Limit)
	}
	switch {
	case l.Forecast == nil:
		text += ". There is no forecast in the first part of a window."
	case l.Limit != nil && *l.Forecast > *l.Limit:
		text += ". If it goes on like this it reaches " + f.Amount(b.Amount, *l.Forecast) + " by the end of the window, which is more than the limit."
	default:
		text += ". If it goes on like this it reaches " + f.Amount(b.Amount, *l.Forecast) + " by the end of the window."
	}
	return text
}

// RFC is a time as addresses have it.
func (f *frame) RFC(t time.Time) string { return rfc(t) }
