package query_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clawoffice/ledger/projections/search"
	"github.com/clawoffice/ledger/projections/search/query"
)

func match(f search.Field, texts ...string) query.Match {
	m := query.Match{Field: f}
	for _, t := range texts {
		text, prefix := strings.CutSuffix(t, "*")
		m.Any = append(m.Any, search.Pattern{Text: text, Prefix: prefix})
	}
	return m
}

func number(m search.Measure, op search.Op, value int64) query.Number {
	return query.Number{Measure: m, Op: op, Value: value}
}

func date(year int, month time.Month, day, hour, minute int) query.Moment {
	return query.Moment{At: time.Date(year, month, day, hour, minute, 0, 0, time.UTC)}
}

func is(c query.Condition) query.Term  { return query.Term{Is: c} }
func not(c query.Condition) query.Term { return query.Term{Not: true, Is: c} }

func TestParse(t *testing.T) {
	for _, row := range []struct {
		name, text, printed string // printed "" is as it was typed
		want                []query.Term
	}{
		{"nothing", "", "", nil},
		{"spaces", " \t\n\u00a0", "", nil},
		{"the example", `actor:agent-7 action:payment.* outcome:denied cost>5 text:"quarterly invoice" -model:gpt-4o after:2026-11-01`, "", []query.Term{
			is(match(search.Actor, "agent-7")), is(match(search.Action, "payment.*")), is(match(search.Outcome, "denied")), is(number(search.Cost, search.More, 5_000_000)),
			is(query.Text{Phrase: "quarterly invoice"}), not(match(search.Model, "gpt-4o")), is(query.Bound{Moment: date(2026, 11, 1, 0, 0)})}},
		{"a whole actor", "actor:agent:ag_7*", "", []query.Term{is(match(search.Actor, "agent:ag_7*"))}},
		{"alternatives", `outcome:denied,failed,"on hold",pend*`, "", []query.Term{is(match(search.Outcome, "denied", "failed", "on hold", "pend*"))}},
		{"nothing there, anything there", `-policy:"" rule:*`, "", []query.Term{not(match(search.Policy, "")), is(match(search.Rule, "*"))}},
		{"a star in quotes is a star", `model:"gpt*" model:"gpt "*`, "", []query.Term{
			is(query.Match{Field: search.Model, Any: []search.Pattern{{Text: "gpt*"}}}), is(match(search.Model, "gpt *"))}},
		{"escapes", `correlation:"a \"b\" \\ c"`, "", []query.Term{is(match(search.Correlation, `a "b" \ c`))}},
		{"a backslash outside of quotes is one", `correlation:a\b`, `correlation:"a\\b"`, []query.Term{is(match(search.Correlation, `a\b`))}},
		{"a stream", "stream:acme/execution-ex_1", "", []query.Term{is(match(search.Stream, "acme/execution-ex_1"))}},
		{"relations", "cost>=0.25 cost<-1 tokens<=100 prompt=5 output>1 position<9", "", []query.Term{
			is(number(search.Cost, search.AtLeast, 250_000)), is(number(search.Cost, search.Less, -1_000_000)), is(number(search.Tokens, search.AtMost, 100)),
			is(number(search.PromptTokens, search.Equal, 5)), is(number(search.OutputTokens, search.More, 1)), is(number(search.Position, search.Less, 9))}},
		{"a colon is equal, or what follows it", "cost:5 cost:>5 severity:<=high", "cost=5 cost>5 severity<=4", []query.Term{
			is(number(search.Cost, search.Equal, 5_000_000)), is(number(search.Cost, search.More, 5_000_000)), is(number(search.Severity, search.AtMost, 4))}},
		{"every decimal", "cost=0.000001 cost=-0.5 cost=999999999999.999999", "", []query.Term{
			is(number(search.Cost, search.Equal, 1)), is(number(search.Cost, search.Equal, -500_000)), is(number(search.Cost, search.Equal, 999_999_999_999_999_999))}},
		{"severities", "severity>=medium severity=fatal severity=0", "severity>=3 severity=6 severity=0", []query.Term{
			is(number(search.Severity, search.AtLeast, 3)), is(number(search.Severity, search.Equal, 6)), is(number(search.Severity, search.Equal, 0))}},
		{"times", "after:2026-11-01T10:30 before:2026-11-01T10:30:05+02:00 -after:2026-12-01", "after:2026-11-01T10:30:00Z before:2026-11-01T08:30:05Z -after:2026-12-01", []query.Term{
			is(query.Bound{Moment: date(2026, 11, 1, 10, 30)}), is(query.Bound{Before: true, Moment: query.Moment{At: time.Date(2026, 11, 1, 8, 30, 5, 0, time.UTC)}}),
			not(query.Bound{Moment: date(2026, 12, 1, 0, 0)})}},
		{"times ago", "after:14d before:90m after:48h after:30h", "after:2w before:90m after:2d after:30h", []query.Term{
			is(query.Bound{Moment: query.Moment{Ago: 14 * 24 * time.Hour}}), is(query.Bound{Before: true, Moment: query.Moment{Ago: 90 * time.Minute}}),
			is(query.Bound{Moment: query.Moment{Ago: 48 * time.Hour}}), is(query.Bound{Moment: query.Moment{Ago: 30 * time.Hour}})}},
		{"words alone", `invoice "two words" -secret text:üñï, cost`, `text:"invoice" text:"two words" -text:"secret" text:"üñï," text:"cost"`, []query.Term{
			is(query.Text{Phrase: "invoice"}), is(query.Text{Phrase: "two words"}), not(query.Text{Phrase: "secret"}), is(query.Text{Phrase: "üñï,"}), is(query.Text{Phrase: "cost"})}},
		{"a minus before a minus is a word", "--", `-text:"-"`, []query.Term{not(query.Text{Phrase: "-"})}},
		{"a word with a hyphen", "well-known", `text:"well-known"`, []query.Term{is(query.Text{Phrase: "well-known"})}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := query.Parse(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(query.Query{Terms: row.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			want := row.printed
			if want == "" {
				want = strings.TrimSpace(row.text)
			}
			if got.String() != want {
				t.Errorf("printed %s\nwant    %s", got, want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, row := range []struct {
		name, text string
		offset     int
		want, hint string // want is a part of what was expected
	}{
		{"an unknown field", "actor:a actoin:b", 8, "a field", "action"},
		{"an abbreviated field", "corr:b", 0, "a field", "correlation"},
		{"nothing comes near", "colour:b", 0, "a field", ""},
		{"a field in capitals", "Actor:b", 0, "a field", "actor"},
		{"an address", "http://x", 0, "quotes", ""},
		{"a negated unknown field", "-modle:b", 1, "a field", "model"},
		{"no value", "actor:", 6, "a value after actor:", ""},
		{"no value before a space", "actor: a", 6, "a value after actor:", ""},
		{"no value after a comma", "outcome:a, b", 10, "a value after outcome:", ""},
		{"no text", "text:", 5, "words after text:", ""},
		{"an empty text", `x text:" "`, 7, "words after text:", ""},
		{"a minus alone", "actor:a -", 9, "a field, a word", ""},
		{"an open quote", `text:"never ends`, 16, `a "`, ""},
		{"an open quote after a backslash", `text:"never ends\`, 17, `\"`, ""},
		{"another escape", `text:"a\n"`, 8, `\"`, ""},
		{"something after a quote", `text:"a"b`, 8, "a space", ""},
		{"a quote in a value", `model:a"b"`, 7, "a space", ""},
		{"a star in the middle", "action:pay*ment", 11, "a star stands at its end", ""},
		{"two stars", "action:pay**", 11, "a star stands at its end", ""},
		{"a text compared", "actor>a", 5, "a colon", ""},
		{"no number", "cost>", 5, "an amount", ""},
		{"another number", "cost>5,5", 5, "an amount", ""},
		{"too many decimals", "cost>0.0000001", 5, "an amount", ""},
		{"parts of tokens", "tokens>1.5", 7, "a whole number", ""},
		{"a number without end", "tokens>99999999999999999999", 7, "a whole number", ""},
		{"a severity there is not", "severity=256", 9, "informational", ""},
		{"no time", "after:yesterday", 6, "2026-11-01", ""},
		{"a day there is not", "after:2026-02-30", 6, "2026-11-01", ""},
		{"a year there is not", "after:1969-12-31", 6, "2026-11-01", ""},
		{"ages ago", "after:9999w", 6, "2026-11-01", ""},
		{"0 days ago", "after:0d", 6, "2026-11-01", ""},
		{"times as alternatives", "after:2026-11-01,2026-11-02", 6, "2026-11-01", ""},
		{"no UTF-8", "model:a\xff", 7, "UTF-8", ""},
		{"no UTF-8 in quotes", "\"ab\xff\"", 3, "UTF-8", ""},
		{"a control character", "model:a\x00", 7, "control", ""},
		{"a line feed in quotes", "\"a\n\"", 2, "control", ""},
		{"many values", "outcome:" + strings.Repeat("a,", query.MaxValues) + "b", 8 + 2*query.MaxValues, "at most 16 values", ""},
		{"many terms", strings.Repeat("a ", query.MaxTerms) + "b", 2 * query.MaxTerms, "at most 32 terms", ""},
		{"a long value", "model:" + strings.Repeat("a", query.MaxValue+1), 6, "at most 512 bytes", ""},
		{"a long text in quotes", `"` + strings.Repeat("a", query.MaxValue+1) + `"`, 0, "at most 512 bytes", ""},
		{"a long query", strings.Repeat(" ", query.MaxLength+1), query.MaxLength, "at most 4096 bytes", ""},
		{"a query that is long in quotes", strings.Repeat(strings.Repeat("\\", 500)+" ", 8), 4008, "a shorter query", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			q, err := query.Parse(row.text)
			var e *query.Error
			if !errors.As(err, &e) || !errors.Is(err, search.ErrQuery) {
				t.Fatalf("read as %v: %v", q, err)
			}
			if e.Offset != row.offset || !strings.Contains(e.Want, row.want) || e.Hint != row.hint || e.Param != "" {
				t.Errorf("%+v, want offset %d, %q, hint %q", *e, row.offset, row.want, row.hint)
			}
		})
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	for _, text := range []string{`text:"canary`, "cost>canary", "after:canary", "canary:x", "actor:canary*x", `model:"canary"x`, "severity=canary"} {
		if _, err := query.Parse(text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFromParams(t *testing.T) {
	for _, row := range []struct {
		name, params string
		same         string // as a query
	}{
		{"nothing", "", ""},
		{"the example", "actor=agent-7&action=payment.*&outcome=denied&cost=%3E5&text=quarterly+invoice&-model=gpt-4o&after=2026-11-01",
			`-model:gpt-4o action:payment.* actor:agent-7 after:2026-11-01 cost>5 outcome:denied text:"quarterly invoice"`},
		{"several of one name", "outcome=denied,failed&-outcome=x&outcome=y", `-outcome:x outcome:denied,failed outcome:y`},
		{"numbers", "cost=5&tokens=%3C=10&severity=high", "cost=5 severity=4 tokens<=10"},
		{"nothing there, anything there", "-policy=&rule=*", `-policy:"" rule:*`},
		{"quotes are signs", "correlation=%22a+b%22", `correlation:"\"a b\""`},
		{"text with signs", "text=a%22,*b", `text:"a\",*b"`},
		{"ago", "after=7d&before=1h", "after:1w before:1h"},
	} {
		t.Run(row.name, func(t *testing.T) {
			params, err := url.ParseQuery(row.params)
			if err != nil {
				t.Fatal(err)
			}
			q, err := query.FromParams(params)
			if err != nil || q.String() != row.same {
				t.Errorf("%v: %s\nwant %s", err, q, row.same)
			}
			again, err := query.Parse(row.same)
			if diff := cmp.Diff(again, q, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%v, -typed +params:\n%s", err, diff)
			}
		})
	}
	for name, row := range map[string]struct {
		param, value string
		offset       int
		hint         string
	}{
		"an unknown name":      {"-agent_", "a", 0, ""},
		"a near name":          {"outcom", "a", 0, "outcome"},
		"a star in the middle": {"action", "ok,pay*ment", 6, ""},
		"no number":            {"cost", ">=x", 2, ""},
		"a number and more":    {"cost", "5 x", 1, ""},
		"no time":              {"after", "then", 0, ""},
		"no words":             {"text", " ", 0, ""},
		"no UTF-8":             {"model", "ab\xff", 2, ""},
		"a control character":  {"text", "a\n", 1, ""},
		"a long text":          {"text", strings.Repeat("a", query.MaxValue+1), 0, ""},
		"a long alternative":   {"model", "b," + strings.Repeat("a", query.MaxValue+1), 2, ""},
		"many alternatives":    {"model", strings.Repeat("a,", query.MaxValues) + "b", 2 * query.MaxValues, ""},
		"a long value":         {"model", strings.Repeat("a,", query.MaxLength), query.MaxLength, ""},
	} {
		_, err := query.FromParams(url.Values{row.param: {row.value}})
		var e *query.Error
		if !errors.As(err, &e) || e.Param != row.param || e.Offset != row.offset || e.Hint != row.hint {
			t.Errorf("%s: %+v, want offset %d, hint %q", name, err, row.offset, row.hint)
		}
	}
	if _, err := query.FromParams(url.Values{"model": make([]string, query.MaxTerms+1)}); !errors.Is(err, search.ErrQuery) {
		t.Errorf("many terms: %v", err)
	}
}

func TestWhere(t *testing.T) {
	now := time.Date(2026, 11, 8, 12, 0, 0, 0, time.UTC)
	tagger := func(phrase string) (list []search.Tag) {
		for word := range strings.FieldsSeq(phrase) {
			if len(word) > 1 {
				list = append(list, search.Tag{byte(len(word)), word[0]})
			}
		}
		return list
	}
	q, err := query.Parse(`actor:ag_7,agent:ag_8*,"" kind:agent -cost>1 after:7d before:2026-11-08 "two words" -text:three`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.Where(now, tagger)
	want := []search.Condition{
		search.In{Field: search.Actor, Any: []search.Pattern{{Text: "member:ag_7"}, {Text: "agent:ag_7"}, {Text: "operator:ag_7"}, {Text: "service:ag_7"},
			{Text: "agent:ag_8", Prefix: true}, {}}},
		search.In{Field: search.Kind, Any: []search.Pattern{{Text: "agent"}}},
		search.Not{Condition: search.Compare{Measure: search.Cost, Op: search.More, Value: 1_000_000}},
		search.During{From: now.AddDate(0, 0, -7)}, search.During{Until: now.Truncate(24 * time.Hour)},
		search.Tagged{All: []search.Tag{{3, 't'}, {5, 'w'}}}, search.Not{Condition: search.Tagged{All: []search.Tag{{5, 't'}}}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := (search.Query{Workspace: "acme", Where: got}).Valid(); err != nil {
		t.Error(err)
	}
	with, without := q.Phrases()
	if diff := cmp.Diff([][]string{{"two words"}, {"three"}}, [][]string{with, without}); diff != "" {
		t.Errorf("phrases (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{"no words": "a", "no words to exclude": "-a", "many words": `"` + strings.Repeat("word ", 33) + `"`} {
		q, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Where(now, tagger); !errors.Is(err, search.ErrQuery) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest query that can be typed is one that the index takes.
func TestLargestQueryIsValid(t *testing.T) {
	q, err := query.Parse(strings.Repeat("actor:"+strings.Repeat("a,", query.MaxValues-1)+"a ", query.MaxTerms))
	if err != nil {
		t.Fatal(err)
	}
	where, err := q.Where(time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (search.Query{Workspace: "acme", Where: where}).Valid(); err != nil {
		t.Error(err)
	}
}

// FuzzParse holds that nothing makes the parser panic, that offsets are within
// the text, and that what is printed is read as the same again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`actor:agent-7 action:payment.* outcome:denied cost>5 text:"quarterly invoice" -model:gpt-4o after:2026-11-01`,
		`a:"\"\\" -x "y" cost:>=0.25 severity<high`, "after:7d before:2026-11-01T10:30:05.5+02:00", `model:"",*,"a b"*`, "-", "text:\xff", "cost>-0.5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		if err != nil {
			var e *query.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%q: %+v", text, err)
			}
			return
		}
		again, err := query.Parse(q.String())
		if diff := cmp.Diff(q, again); err != nil || diff != "" {
			t.Fatalf("%q is printed as %q: %v\n%s", text, q, err, diff)
		}
	})
}
