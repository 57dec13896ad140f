package budget

import (
	"time"

	"github.com/clawoffice/ledger/domain"
)

// Amounts is what a call takes or took.
type Amounts struct {
	Calls        int64         `json:"calls,omitempty"`
	PromptTokens domain.Tokens `json:"prompt_tokens,omitempty"`
	OutputTokens domain.Tokens `json:"output_tokens,omitempty"`
	CostMicros   domain.Micros `json:"cost_micros,omitempty"`
}

// Limits bounds amounts; nil is unbounded.
type Limits struct {
	Calls        *int64         `json:"calls,omitempty"`
	PromptTokens *domain.Tokens `json:"prompt_tokens,omitempty"`
	OutputTokens *domain.Tokens `json:"output_tokens,omitempty"`
	TotalTokens  *domain.Tokens `json:"total_tokens,omitempty"`
	CostMicros   *domain.Micros `json:"cost_micros,omitempty"`
}

// Scope says which calls count: those that match every field given. Workspace
// alone matches all.
type Scope struct {
	Workspace bool            `json:"workspace,omitempty"`
	Agent     domain.AgentID  `json:"agent,omitempty"`
	Member    domain.MemberID `json:"member,omitempty"`
	Workflow  domain.Workflow `json:"workflow,omitempty"`
	Model     domain.Model    `json:"model,omitempty"`
	Role      domain.RoleName `json:"role,omitempty"`
}

// Window is the length of a budget's period.
type Window string

// The windows. Calendar windows follow the budget's time zone; weeks begin on
// Monday; Total never ends.
const (
	Hour  Window = "hour"
	Day   Window = "day"
	Week  Window = "week"
	Month Window = "month"
	Total Window = "total"
)

// Mode says whether a budget refuses or only counts.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe"
)

// Spec is a budget as somebody set it.
type Spec struct {
	Scope    Scope  `json:"scope"`
	Window   Window `json:"window"`
	Timezone string `json:"timezone"` // IANA name
	Limits   Limits `json:"limits"`
	Mode     Mode   `json:"mode"`
	AlertAt  []int  `json:"alert_at"` // per cent of a limit, ascending
}

// Price is what a model costs, in micro-units per million tokens and per call.
type Price struct {
	PromptPerMillion domain.Micros `json:"prompt_per_million"`
	OutputPerMillion domain.Micros `json:"output_per_million"`
	PerCall          domain.Micros `json:"per_call,omitempty"`
}

// Event is something that happened to the spending book.
//
//sumtype:decl
type Event interface {
	domain.Event
	budgetEvent()
}

// Defined makes or changes a budget. What was used in the window stays.
type Defined struct {
	Budget  domain.BudgetID `json:"budget"`
	Version int             `json:"version"` // from 1
	Spec    Spec            `json:"spec"`
	By      domain.Actor    `json:"by"`
	At      time.Time       `json:"at"`
}

// Deleted ends a budget.
type Deleted struct {
	Budget domain.BudgetID `json:"budget"`
	By     domain.Actor    `json:"by"`
}

// PricesSet replaces the price table.
type PricesSet struct {
	Version int                    `json:"version"` // from 1
	Prices  map[domain.Model]Price `json:"prices"`
	By      domain.Actor           `json:"by"`
	At      time.Time              `json:"at"`
}

// Entry is a reservation's place in one budget: the window it counts in, as
// instants, so that a fold needs neither clock nor time zone data. End is zero
// for a window that never ends. Epoch is the run of counting it belongs to; a
// budget whose window, time zone or scope changes begins another one.
type Entry struct {
	Budget domain.BudgetID `json:"budget"`
	Epoch  int64           `json:"epoch"`
	Start  time.Time       `json:"start"`
	End    time.Time       `json:"end,omitzero"`
}

// Call says who spends on what; scopes match against it.
type Call struct {
	Execution domain.ExecutionID `json:"execution"`
	Prompt    domain.PromptID    `json:"prompt"`
	Agent     domain.AgentID     `json:"agent,omitempty"`
	Member    domain.MemberID    `json:"member,omitempty"`
	Workflow  domain.Workflow    `json:"workflow"`
	Model     domain.Model       `json:"model"`
	Roles     []domain.RoleName  `json:"roles,omitempty"`
}

// Reserved holds Amounts back in every budget listed.
type Reserved struct {
	Reservation domain.ReservationID `json:"reservation"`
	Call        Call                 `json:"call"`
	Amounts     Amounts              `json:"amounts"`
	Entries     []Entry              `json:"entries"`
	ExpiresAt   time.Time            `json:"expires_at"`
	At          time.Time            `json:"at"`
}

// Settled replaces what was held by what was used. Late: after expiry.
// Overrun: more than was reserved, in some amount. Used holds the larger of
// the cost reported and that of the price table.
type Settled struct {
	Reservation domain.ReservationID `json:"reservation"`
	Used        Amounts              `json:"used"`
	Reported    domain.Micros        `json:"reported_micros,omitempty"` // cost as it was reported
	Call        Call                 `json:"call"`
	Entries     []Entry              `json:"entries"`
	Late        bool                 `json:"late,omitempty"`
	Overrun     bool                 `json:"overrun,omitempty"`
	At          time.Time            `json:"at"`
}

// Released frees what was held; nothing was used.
type Released struct {
	Reservation domain.ReservationID `json:"reservation"`
	Reason      string               `json:"reason,omitempty"`
}

// Expired frees what was held because nobody settled in time. The reservation
// can still be settled late.
type Expired struct {
	Reservation domain.ReservationID `json:"reservation"`
	At          time.Time            `json:"at"`
}

// Alerted says that use in a window reached a threshold, once per window,
// limit and threshold.
type Alerted struct {
	Budget    domain.BudgetID `json:"budget"`
	Limit     string          `json:"limit"` // calls, prompt_tokens, …
	Threshold int             `json:"threshold"`
	Start     time.Time       `json:"start"`
	Used      int64           `json:"used"`
	Max       int64           `json:"max"`
	At        time.Time       `json:"at"`
}

// EventType answers the stored names. They are durable.
func (Defined) EventType() string   { return "budget.defined.v1" }
func (Deleted) EventType() string   { return "budget.deleted.v1" }
func (PricesSet) EventType() string { return "budget.prices_set.v1" }
func (Reserved) EventType() string  { return "budget.reserved.v1" }
func (Settled) EventType() string   { return "budget.settled.v1" }
func (Released) EventType() string  { return "budget.released.v1" }
func (Expired) EventType() string   { return "budget.expired.v1" }
func (Alerted) EventType() string   { return "budget.alerted.v1" }

func (Defined) budgetEvent()   {}
func (Deleted) budgetEvent()   {}
func (PricesSet) budgetEvent() {}
func (Reserved) budgetEvent()  {}
func (Settled) budgetEvent()   {}
func (Released) budgetEvent()  {}
func (Expired) budgetEvent()   {}
func (Alerted) budgetEvent()   {}
