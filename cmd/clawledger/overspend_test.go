package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ledgercrypto "github.com/clawoffice/ledger/crypto"
	"github.com/clawoffice/ledger/internal/eventlog"
	"github.com/clawoffice/ledger/internal/eventlog/sqlite"
	"github.com/clawoffice/ledger/internal/ledger"
)

// Reservations of the test are short, so that their expiry is part of it.
const heldFor = 3 * time.Second

// spenders are many callers who spend from the same budgets through servers
// that come and go.
type spenders struct {
	t       *testing.T
	o       office
	agents  []*client
	runs    []run1
	urls    []atomic.Pointer[string]
	http    *http.Client
	halt    atomic.Bool
	work    sync.WaitGroup
	granted sync.Map // prompt id ▸ reservation id, of those that were answered 201
	settled sync.Map // prompt ids whose completion was answered 201
	refused atomic.Int64
	broken  atomic.Int64
	said    map[string]map[string]int64 // by budget and amount, what the service says was used
}

// run1 is a started execution and the agent that runs it.
type run1 struct {
	agent int
	id    string
}

// call makes a call through any server, again through another one if none
// answered, with the same key.
func (s *spenders) call(random *rand.Rand, agent int, path, body string) reply {
	key := fmt.Sprintf("%x-%x", random.Uint64(), random.Uint64())
	var got reply
	for range 4 {
		c := *s.agents[agent]
		c.url, c.http = *s.urls[random.IntN(len(s.urls))].Load(), s.http
		got = c.try("POST", path, key, body)
		if got.status != 0 && got.status != 429 && got.status < 500 {
			return got
		}
		s.broken.Add(1)
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
	}
	return got
}

// spend records prompts and what became of them: some answered for less than
// was reserved, some for more, some late, some never.
func (s *spenders) spend(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 17))
	for !s.halt.Load() {
		r := s.runs[random.IntN(len(s.runs))]
		path := s.o.path("/executions/" + r.id + "/prompts")
		got := s.call(random, r.agent, path, fmt.Sprintf(`{"model":"m%d","content":"hi","prompt_tokens":%d,"max_output_tokens":%d,"expires_in":%q}`,
			random.IntN(2), 10+random.IntN(90), 10+random.IntN(90), heldFor))
		switch got.status {
		case 201:
			s.granted.Store(got.text("prompt_id"), got.under("reservation").text("id"))
		case 402:
			s.refused.Add(1)
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			continue
		default:
			continue
		}
		usage := fmt.Sprintf(`"usage":{"prompt_tokens":%d,"output_tokens":%d}`, random.IntN(60), random.IntN(60))
		switch way := random.IntN(20); {
		case way < 2:
			s.call(random, r.agent, path+"/"+got.text("prompt_id")+"/failure", `{"reason":"no answer"}`)
			continue
		case way < 4:
			continue // nobody ever says
		case way == 4:
			usage = `"usage":{"prompt_tokens":300,"output_tokens":200},"cost_micros":9999` // far more than was reserved
		case way == 5:
			time.Sleep(heldFor + 500*time.Millisecond) // late
		}
		done := s.call(random, r.agent, path+"/"+got.text("prompt_id")+"/completion", `{"content":"ho",`+usage+`,"finish_reason":"stop"}`)
		if done.status == 201 {
			s.settled.Store(got.text("prompt_id"), true)
		}
	}
}

// budgets overlap: each call counts in all five, or in four.
var budgets = map[string]string{
	"all":   `{"scope":{"workspace":true},"window":"total","timezone":"UTC","limits":{"total_tokens":%d},"mode":"enforce","alert_at":[50,100]}`,
	"chat":  `{"scope":{"workflow":"chat"},"window":"month","timezone":"Europe/Berlin","limits":{"output_tokens":%d},"mode":"enforce","alert_at":[80]}`,
	"role":  `{"scope":{"role":"agent"},"window":"week","timezone":"America/New_York","limits":{"calls":%d},"mode":"enforce","alert_at":[]}`,
	"model": `{"scope":{"model":"m0"},"window":"total","timezone":"UTC","limits":{"cost_micros":%d},"mode":"enforce","alert_at":[]}`,
	"watch": `{"scope":{"workspace":true},"window":"day","timezone":"UTC","limits":{"prompt_tokens":%d},"mode":"observe","alert_at":[100]}`,
}

// limitOf is a budget's limit after it was raised so many times.
func limitOf(name string, raised int) int {
	base := map[string]int{"all": 40_000, "chat": 25_000, "role": 400, "model": 200_000, "watch": 20_000}
	return base[name] * (raised + 2) / 2
}

func TestThreeServersNeverOverspend(t *testing.T) {
	dir := t.TempDir()
	keys, face := filepath.Join(dir, "keys"), facing(t, filepath.Join(dir, "face"), "127.0.0.1:0")
	s := overspend(t, 3, keys, func(i int) (*child, *client) {
		return serving(t, "--data", filepath.Join(dir, fmt.Sprint("replica", i)), "--keys", keys, "--eventlog", face.address)
	})
	face.stop()
	s.check(filepath.Join(dir, "face"), keys)
}

func TestOneServerNeverOverspends(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	keys := filepath.Join(data, "keys")
	s := overspend(t, 1, keys, func(int) (*child, *client) { return serving(t, "--data", data) })
	s.check(data, keys)
}

// overspend has many callers (a thousand in a soak) spend through n servers that are killed and
// started again, while limits are raised, until all reservations are over.
func overspend(t *testing.T, n int, keys string, serve func(i int) (*child, *client)) *spenders {
	t.Helper()
	s := &spenders{t: t, urls: make([]atomic.Pointer[string], n),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}, Timeout: 30 * time.Second}}
	children := make([]*child, n)
	for i := range n {
		var c *client
		children[i], c = serve(i)
		s.urls[i].Store(&c.url)
		if i == 0 {
			s.open(c.operator(keys))
		}
	}
	for i := range rounds(200, 1000) { // the race detector takes most of what two cores have
		s.work.Go(func() { s.spend(uint64(i)) })
	}
	kills := rounds(4, 20)
	for kill := range kills {
		time.Sleep(1500 * time.Millisecond)
		i := kill % n
		children[i].kill()
		var c *client
		children[i], c = serve(i)
		s.urls[i].Store(&c.url)
		s.define(s.o.owner.at(c.url), kill+1)
	}
	eventually(t, "a budget refuses", func() bool { return s.refused.Load() > 0 }) // later on a busy machine
	time.Sleep(time.Second)
	s.halt.Store(true)
	s.work.Wait()
	s.waitFree(s.o.owner.at(*s.urls[0].Load()))
	t.Logf("%d kills; %d prompts granted, %d refused for a budget, %d calls without an answer", kills, size(&s.granted), s.refused.Load(), s.broken.Load())
	for _, p := range children {
		p.stop()
	}
	return s
}

// at is the client of the same actor at another server.
func (c *client) at(url string) *client {
	other := *c
	other.url = url
	return &other
}

func size(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// open makes an office with ten agents, each with executions that are started.
func (s *spenders) open(op *client) {
	s.o = openOffice(op, "acme")
	owner := s.o.owner
	owner.do(200, "PUT", s.o.path("/prices"), `{"models":{"m0":{"prompt_micros_per_million":5000000,"output_micros_per_million":9000000,"micros_per_call":50},"m1":{"prompt_micros_per_million":1,"output_micros_per_million":1}}}`)
	s.define(owner, 0)
	for a := range 10 {
		agent := owner.do(201, "POST", s.o.path("/agents"), `{"name":"bot","roles":["agent"]}`).text("id")
		token := owner.do(201, "POST", s.o.path("/agents/"+agent+"/tokens"), `{"name":"t"}`).text("token")
		s.agents = append(s.agents, op.as(token))
		each := s.o
		each.agent = s.agents[a]
		for range 5 {
			s.runs = append(s.runs, run1{a, each.startExecution()})
		}
	}
}

// define sets the limits, higher each time.
func (s *spenders) define(owner *client, raised int) {
	s.t.Helper()
	for name, body := range budgets {
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			got := owner.try("PUT", s.o.path("/budgets/"+name), "", fmt.Sprintf(body, limitOf(name, raised)))
			if got.status == 200 {
				break
			}
			if time.Now().After(end) {
				s.t.Fatalf("a limit can't be raised: %s", got)
			}
		}
	}
}

// waitFree waits until nothing is reserved, which is at the latest when the
// last reservation has expired and a replica that holds the lease has said so.
func (s *spenders) waitFree(owner *client) {
	s.t.Helper()
	var last reply
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		held := false
		for name := range budgets {
			last = owner.try("GET", s.o.path("/budgets/"+name+"/usage"), "", "")
			lines, _ := last.fields["lines"].([]any)
			for _, l := range lines {
				line, _ := l.(map[string]any)
				held = held || line["reserved"] != 0.0
			}
			held = held || len(lines) == 0
		}
		if !held && s.nothingOwed(owner) {
			s.usage(owner)
			return
		}
	}
	s.t.Fatalf("reservations are left over: %s", last)
}

// nothingOwed reports whether no step is left for the process: a completion
// whose server was killed before it settled is settled, too.
func (s *spenders) nothingOwed(owner *client) bool {
	return strings.Contains(string(owner.as("").try("GET", "/metrics", "", "").raw), "\nclawledger_process_owed 0\n")
}

// usage notes what the service says was used.
func (s *spenders) usage(owner *client) {
	s.said = map[string]map[string]int64{}
	for name := range budgets {
		got := owner.do(200, "GET", s.o.path("/budgets/"+name+"/usage"), "")
		s.said[name] = map[string]int64{}
		lines, _ := got.fields["lines"].([]any)
		for _, l := range lines {
			line, _ := l.(map[string]any)
			amount, _ := line["amount"].(string)
			used, _ := line["used"].(float64)
			s.said[name][amount] = int64(used)
		}
	}
}

// amounts are what the log says of a reservation. This fold shares nothing with
// package budget: it reads the events' JSON and adds up.
type amounts struct {
	Calls        int64 `json:"calls"`
	PromptTokens int64 `json:"prompt_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	CostMicros   int64 `json:"cost_micros"`
}

func (a amounts) of(limit string) int64 {
	return map[string]int64{"calls": a.Calls, "prompt_tokens": a.PromptTokens, "output_tokens": a.OutputTokens,
		"total_tokens": a.PromptTokens + a.OutputTokens, "cost_micros": a.CostMicros}[limit]
}

func (a amounts) plus(b amounts, sign int64) amounts {
	return amounts{a.Calls + sign*b.Calls, a.PromptTokens + sign*b.PromptTokens, a.OutputTokens + sign*b.OutputTokens, a.CostMicros + sign*b.CostMicros}
}

// booked is one event of the spending book, as far as the fold reads it.
type booked struct {
	Budget string `json:"budget"`
	Spec   struct {
		Mode   string           `json:"mode"`
		Limits map[string]int64 `json:"limits"`
	} `json:"spec"`
	Reservation string  `json:"reservation"`
	Amounts     amounts `json:"amounts"`
	Used        amounts `json:"used"`
	Call        struct {
		Prompt string `json:"prompt"`
	} `json:"call"`
	Entries   []window  `json:"entries"`
	ExpiresAt time.Time `json:"expires_at"`
	At        time.Time `json:"at"`
}

type window struct {
	Budget string    `json:"budget"`
	Epoch  int64     `json:"epoch"`
	Start  time.Time `json:"start"`
}

// bookkeeper is the independent fold.
type bookkeeper struct {
	t       *testing.T
	specs   map[string]booked
	settled map[window]amounts
	open    map[window]amounts
	held    map[string]booked // by reservation
	ended   map[string]string // by reservation, how
	grants  int
}

// check folds the log and holds it against every grant, every answer and what
// the service says.
func (s *spenders) check(data, keys string) {
	t := s.t
	t.Helper()
	log, sealed := openSealed(t, data, keys)
	defer log.Close()
	b := &bookkeeper{t: t, specs: map[string]booked{}, settled: map[window]amounts{}, open: map[window]amounts{},
		held: map[string]booked{}, ended: map[string]string{}}
	prompts, completions := map[string]string{}, map[string]bool{}
	for r, err := range sealed.ledger.Read(context.Background(), eventlog.Query{TypePrefixes: []string{"budget.", "execution."}}) {
		if err != nil {
			t.Fatal(err)
		}
		_, data, err := ledger.UnwrapFact(r.Payload)
		if err != nil {
			t.Fatal(err)
		}
		var e booked
		if r.Type == "budget.alerted.v1" {
			continue
		}
		if strings.HasPrefix(r.Type, "budget.") {
			if err := json.Unmarshal(data, &e); err != nil {
				t.Fatal(err)
			}
			b.add(r.Type, e)
			continue
		}
		var p struct{ Prompt, Reservation string }
		if err := json.Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
		switch r.Type {
		case "execution.prompt_recorded.v1":
			prompts[p.Prompt] = p.Reservation
		case "execution.completion_recorded.v1":
			completions[p.Prompt] = true
		}
	}
	for id, e := range b.held {
		t.Errorf("%s is left over, it expired at %s", id, e.ExpiresAt)
	}
	s.granted.Range(func(prompt, reservation any) bool {
		if prompts[prompt.(string)] != reservation {
			t.Errorf("prompt %s was granted and is not in the log", prompt)
		}
		return true
	})
	s.settled.Range(func(prompt, _ any) bool {
		if !completions[prompt.(string)] {
			t.Errorf("the completion of %s was acknowledged and is not in the log", prompt)
		}
		return true
	})
	for prompt := range completions {
		if how := b.ended[prompts[prompt]]; how != "settled" {
			t.Errorf("prompt %s was answered and its reservation was %s", prompt, how)
		}
	}
	for name, said := range s.said {
		for limit, used := range said {
			var folded int64
			for w, a := range b.settled {
				if w.Budget == name {
					folded += a.of(limit)
				}
			}
			if folded != used {
				t.Errorf("budget %s: the service says %d %s used, the log %d", name, used, limit, folded)
			}
		}
	}
	if b.grants < 100 || s.refused.Load() == 0 {
		t.Errorf("%d grants and %d refusals prove nothing", b.grants, s.refused.Load())
	}
	t.Logf("%d grants, each within %d limits; every one of %d completions settled once; usage agrees to the micro-unit", b.grants, len(b.specs), len(completions))
}

func (b *bookkeeper) add(name string, e booked) {
	switch name {
	case "budget.defined.v1":
		b.specs[e.Budget] = e
	case "budget.reserved.v1":
		b.grant(e)
	case "budget.settled.v1":
		b.end(e, "settled")
		for _, w := range e.Entries {
			b.settled[w] = b.settled[w].plus(e.Used, 1)
		}
	case "budget.released.v1":
		b.end(e, "released")
	case "budget.expired.v1":
		if held := b.held[e.Reservation]; e.At.Before(held.ExpiresAt) {
			b.t.Errorf("%s expired at %s, before %s", e.Reservation, e.At, held.ExpiresAt)
		}
		b.end(e, "expired")
	}
}

// grant holds a reservation against every limit.
func (b *bookkeeper) grant(e booked) {
	b.grants++
	for _, w := range e.Entries {
		spec := b.specs[w.Budget].Spec
		for limit, most := range spec.Limits {
			if had := b.settled[w].of(limit) + b.open[w].of(limit); spec.Mode == "enforce" && had+e.Amounts.of(limit) > most {
				b.t.Errorf("%s: %d %s were used or held, %d more were granted, and the limit is %d", w.Budget, had, limit, e.Amounts.of(limit), most)
			}
		}
		b.open[w] = b.open[w].plus(e.Amounts, 1)
	}
	b.held[e.Reservation] = e
}

// end frees what a reservation held, once. After an expiry it may still be
// settled, late, or closed by a release.
func (b *bookkeeper) end(e booked, how string) {
	if before, ok := b.ended[e.Reservation]; ok && (before != "expired" || how == "expired") {
		b.t.Errorf("%s was %s after it was %s", e.Reservation, how, before)
	}
	b.ended[e.Reservation] = how
	held, ok := b.held[e.Reservation]
	if !ok {
		return
	}
	for _, w := range held.Entries {
		b.open[w] = b.open[w].plus(held.Amounts, -1)
	}
	delete(b.held, e.Reservation)
}

// openSealed opens a log that no server has open.
func openSealed(t *testing.T, data, keys string) (eventlog.Log, *sealed) {
	t.Helper()
	log, err := sqlite.OpenReadOnly(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	dir, _, err := ledgercrypto.OpenDir(keys, ledgercrypto.OpenOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal(log, dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return log, s
}
