package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clawoffice/ledger/http/api"
)

// told is a sentence as text, with what the agent gave in brackets.
func told(phrases []phrase) string {
	var out strings.Builder
	for _, p := range phrases {
		if p.Given {
			out.WriteString("<" + p.Text + ">")
		} else {
			out.WriteString(p.Text)
		}
	}
	return out.String()
}

func TestSentence(t *testing.T) {
	for _, tt := range []struct{ name, kind, params, want string }{
		{"payment in cents", "payment.initiate", `{"invoice":"INV-1","amount_cents":73422,"currency":"EUR","iban":"AT61"}`, "Pay <734.22 EUR> to <AT61> for invoice <INV-1>"},
		{"payment in units", "payment.initiate", `{"amount":"250.00","currency":"EUR","to":"Zoë"}`, "Pay <250.00 EUR> to <Zoë>"},
		{"few cents", "payment.initiate", `{"amount_cents":5}`, "Pay <0.05>"},
		{"many cents", "payment.initiate", `{"amount_minor":123456789}`, "Pay <1,234,567.89>"},
		{"two amounts are both named", "payment.initiate", `{"amount":1,"amount_cents":99900,"currency":"EUR"}`, "Make a payment, with amount <1>, amount_cents <99900>, currency <EUR>"},
		{"no amount", "payment.initiate", `{"to":"x"}`, "Make a payment to <x>"},
		{"cents that are none", "payment.initiate", `{"amount_cents":"1e9"}`, "Make a payment, with amount_cents <1e9>"},
		{"cents below zero", "payment.initiate", `{"amount_cents":-5}`, "Make a payment, with amount_cents <-5>"},
		{"an amount that is an object", "payment.initiate", `{"amount":{"value":1}}`, "Make a payment, with amount <{1 member}>"},
		{"two payees are both named", "payment.initiate", `{"amount":1,"to":"me","iban":"AT99"}`, "Pay <1> to <me>, with iban <AT99>"},
		{"message", "communication.send", `{"channel":"mail","to":"a@b.c","subject":"Hi","ticket":1}`, "Send by <mail> to <a@b.c> about <Hi>, with ticket <1>"},
		{"message without anything", "communication.send", `{}`, "Send a message"},
		{"table", "table.update", `{"table":"contacts","row":7,"score":1}`, "Change table <contacts>, row <7>, with score <1>"},
		{"read", "tool.read", `{"source":"filings","page":3}`, "Read <filings>, with page <3>"},
		{"tool", "tool.call", `{"tool":"rm","args":["-rf","/"]}`, "Call a tool: <rm>, with args <[2 elements]>"},
		{"export", "data.export", `{"rows":5,"to":"s3"}`, "Export data to <s3>, with rows <5>"},
		{"unknown kind", "rocket.launch", `{"a":1,"b":"","c":null,"d":true,"e":5,"f":6}`, "Do <rocket.launch>, with a <1>, b <(empty)>, c <null>, d <true>, and 2 more"},
		{"no parameters", "rocket.launch", ``, "Do <rocket.launch>"},
		{"a name in disguise", "x.y", `{"safe\u202e":"\u200btext"}`, `Do <x.y>, with safe\u{202e} <\u{200b}text>`},
		{"the end of a long value counts", "x.y", `{"v":"` + strings.Repeat("a", 100) + `END"}`, "Do <x.y>, with v <" + strings.Repeat("a", 40) + "…" + strings.Repeat("a", 17) + "END>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := parseParams(json.RawMessage(tt.params))
			if err != nil {
				t.Fatal(err)
			}
			if got := told(sentence(tt.kind, root.Items)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A digest that the ledger made of an action with everything that canonical JSON
// is about: order by UTF-16, numbers, escapes.
const (
	intricate = `{"payments":[{"to":"Zoë GmbH","amount":"1200.50","iban":"DE02120300000000202051"},{"to":"<script>alert(1)</script>","amount":1e+21,"iban":"AT61 & Co"}],` +
		`"note":"line one\nline two \u202egnidaelsim","urgent":true,"when":null,"limits":{"max":0.1,"list":[],"none":{}},"é":"e","z":-0.0,"😀":1}`
	intricateDigest = "8rFzl61KHy8ggfVBYA0i1CZxYoQ_MZNdROfnEPK-1OQ"
)

func TestTheDigestIsOfTheTextShown(t *testing.T) {
	in := api.ActionInput{Kind: "payment.batch", Params: json.RawMessage(intricate)}
	a := newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, in, intricateDigest)
	if !a.Agrees {
		t.Errorf("the digest is not of\n%s", a.Canonical)
	}
	escaped, err := json.Marshal(in) // as an answer of the API has it, with escapes for HTML
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(escaped, &in); err != nil || !strings.Contains(string(in.Params), `\u003cscript`) {
		t.Fatal(err, string(in.Params))
	}
	if !newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, in, intricateDigest).Agrees {
		t.Error("escapes make another digest")
	}
	for name, other := range map[string]exactAction{
		"params":    newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, api.ActionInput{Kind: "payment.batch", Params: json.RawMessage(`{}`)}, intricateDigest),
		"kind":      newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, api.ActionInput{Kind: "payment.other", Params: in.Params}, intricateDigest),
		"workspace": newExactAction("other", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, in, intricateDigest),
		"execution": newExactAction("demo-dd9520", "ex_other", "payments", 2, in, intricateDigest),
		"policy":    newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "other", 2, in, intricateDigest),
		"version":   newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 3, in, intricateDigest),
		"no object": newExactAction("demo-dd9520", "ex_ewizdcfxlp5iw7las6wrznqhta", "payments", 2, api.ActionInput{Kind: "payment.batch", Params: json.RawMessage(`[1]`)}, intricateDigest),
	} {
		if other.Agrees {
			t.Errorf("with another %s the digest agrees", name)
		}
	}
}

func TestParams(t *testing.T) {
	root, err := parseParams(json.RawMessage(`{"b":1.50,"a":{"list":["x",{"y":null}]},"e":""}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []param{{Name: "b", Kind: "number", Text: "1.50"}, {Name: "a", Kind: "object", Items: []param{{Name: "list", Kind: "array", Items: []param{
		{Name: "0", Kind: "string", Text: "x"}, {Name: "1", Kind: "object", Items: []param{{Name: "y", Kind: "null", Text: "null"}}}}}}}, {Name: "e", Kind: "string"}}
	if diff := cmp.Diff(want, root.Items); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`[1]`, `1`, `{`, `{"a":}`, strings.Repeat(`{"a":`, 200)} {
		if _, err := parseParams(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	many := `{"a":[` + strings.Repeat(`1,`, 2*maxParams) + `1]}`
	a := newExactAction("w", "e", "", 0, api.ActionInput{Kind: "x.y", Params: json.RawMessage(many)}, "")
	if n := (param{Items: a.Params}).size(); n != maxParams || a.Omitted != 2*maxParams+2-maxParams {
		t.Errorf("%d are laid out and %d left out", n, a.Omitted)
	}
}

func FuzzSentence(f *testing.F) {
	f.Add("payment.initiate", intricate)
	f.Add("table.update", `{"amount":1,"currency":"EUR"}`)
	f.Fuzz(func(t *testing.T, kind, params string) {
		root, err := parseParams(json.RawMessage(params))
		if err != nil {
			return
		}
		for _, p := range sentence(kind, root.Items) {
			if strings.IndexFunc(p.Text, func(r rune) bool { return deceptive(r) }) >= 0 {
				t.Errorf("%q says %q", params, p.Text)
			}
		}
	})
}
