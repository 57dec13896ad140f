package console

import (
	"slices"
	"strconv"
	"strings"
)

// phrase is a part of the sentence that says what an action would do: words of
// ours, or what the agent gave.
type phrase struct {
	Text  string
	Given bool
}

// namedParams is how many further parameters a sentence names, and clippedTo how
// long each may be there; all of them stand below it.
const (
	namedParams = 4
	clippedTo   = 60
)

// sentence says what an action would do. Each parameter at the top is in it, by
// its place in the sentence or by its name, or is counted at the end, so that a
// sentence never reads as if it were the whole when it is not.
func sentence(kind string, params []param) []phrase {
	t := &telling{left: slices.Clone(params)}
	switch kind {
	case "payment.initiate":
		t.payment()
	case "communication.send":
		t.message()
	case "table.update":
		t.table("Change")
	case "tool.read":
		t.reading()
	case "tool.call":
		t.say("Call a tool")
		t.place(": ", "tool", "name", "function")
	case "llm.call":
		t.say("Ask a model")
		t.place(" ", "model")
	case "data.export":
		t.say("Export data")
		t.place(" from ", "table", "source", "dataset")
		t.place(" to ", "to", "destination", "target")
	default:
		t.say("Do ")
		t.out = append(t.out, phrase{visible(kind), true})
	}
	t.rest()
	return t.out
}

// telling is a sentence in the making.
type telling struct {
	left []param
	out  []phrase
}

func (t *telling) say(text string) { t.out = append(t.out, phrase{text, false}) }

// take answers the first parameter of one of these names that has a plain value,
// and counts it as said.
func (t *telling) take(names ...string) (param, bool) {
	for _, name := range names {
		for i, p := range t.left {
			if p.Name == name && p.Text != "" && p.Kind != "null" {
				t.left = slices.Delete(t.left, i, i+1)
				return p, true
			}
		}
	}
	return param{}, false
}

// has reports whether one of these parameters is left.
func (t *telling) has(names ...string) bool {
	return slices.ContainsFunc(t.left, func(p param) bool { return slices.Contains(names, p.Name) })
}

// place says a parameter after some words, if it is there.
func (t *telling) place(before string, names ...string) bool {
	p, ok := t.take(names...)
	if ok {
		t.say(before)
		t.out = append(t.out, phrase{clipped(p.Text), true})
	}
	return ok
}

func (t *telling) payment() {
	t.say("Pay ")
	sum, ok := t.sum()
	if !ok {
		t.out[0].Text = "Make a payment"
	} else {
		t.out = append(t.out, phrase{sum, true})
	}
	t.place(" to ", "to", "recipient", "payee", "beneficiary", "creditor", "supplier", "vendor", "iban", "account")
	t.place(" for invoice ", "invoice", "invoice_id", "invoice_number")
}

// sum is an amount with its currency. Where the amount is given twice neither is
// taken, so that both are named with what they are called.
func (t *telling) sum() (string, bool) {
	whole, cents := t.has("amount"), t.has("amount_cents", "amount_minor")
	if whole == cents {
		return "", false
	}
	var text string
	if whole {
		p, ok := t.take("amount")
		if !ok {
			return "", false
		}
		text = clipped(p.Text)
	} else {
		p, ok := t.take("amount_cents", "amount_minor")
		n, err := strconv.ParseInt(p.Text, 10, 64)
		if !ok || err != nil || n < 0 {
			t.left = append(t.left, p)
			return "", false
		}
		text = grouped(uint64(n)/100) + "." + strconv.FormatInt(n%100+100, 10)[1:]
	}
	if p, ok := t.take("currency"); ok {
		text += " " + clipped(p.Text)
	}
	return text, true
}

func (t *telling) message() {
	t.say("Send a message")
	if p, ok := t.take("channel"); ok {
		t.out = []phrase{{"Send by ", false}, {clipped(p.Text), true}}
	}
	t.place(" to ", "to", "recipient", "address", "customer")
	t.place(" about ", "subject", "title")
	t.place(", from template ", "template")
}

func (t *telling) table(verb string) {
	t.say(verb + " table ")
	if p, ok := t.take("table"); ok {
		t.out = append(t.out, phrase{clipped(p.Text), true})
	} else {
		t.out[0].Text = verb + " a table"
	}
	t.place(", row ", "row", "id", "key", "row_id")
}

func (t *telling) reading() {
	t.say("Read")
	if !t.place(" table ", "table") {
		t.place(" ", "source", "tool", "url", "path")
	}
	t.place(", row ", "row", "id", "key")
}

// rest names what was not said yet, up to a number, and counts what remains.
func (t *telling) rest() {
	for i, p := range t.left {
		switch {
		case i == namedParams:
			t.say(", and " + strconv.Itoa(len(t.left)-namedParams) + " more")
			return
		case i == 0:
			t.say(", with ")
		default:
			t.say(", ")
		}
		t.say(clipped(p.Name) + " ")
		t.out = append(t.out, phrase{inBrief(p), true})
	}
}

// inBrief is a value in few letters.
func inBrief(p param) string {
	switch {
	case p.Kind == "object":
		return "{" + numbered(len(p.Items), "member") + "}"
	case p.Kind == "array":
		return "[" + numbered(len(p.Items), "element") + "]"
	case p.Kind == "string" && p.Text == "":
		return "(empty)"
	}
	return clipped(p.Text)
}

// numbered is a number of things.
func numbered(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}

// clipped leaves out the middle of a long text: what differs in two addresses or
// accounts is as often at the end as at the beginning.
func clipped(text string) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) <= clippedTo {
		return string(r)
	}
	return string(r[:clippedTo*2/3]) + "…" + string(r[len(r)-clippedTo/3:])
}
