package crypto

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDigest(t *testing.T) {
	// SHA-256 of nothing, FIPS 180-4.
	if got := Digest(nil); got != "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" {
		t.Errorf("digest %s", got)
	}
}

// The canonical form, spelled out: members sorted, no spaces, shortest numbers.
func TestActionDigestIsOfTheCanonicalForm(t *testing.T) {
	rows := []struct{ name, params, canonical string }{
		{"empty", `{}`, `{}`},
		{"absent", ``, `{}`},
		{"sorted", ` { "b" : 1 , "a" : [ true , null , "x" ] } `, `{"a":[true,null,"x"],"b":1}`},
		{"numbers", `{"a":1.0,"b":1e3,"c":0.10,"d":1E21,"e":-0,"f":1e-7}`, `{"a":1,"b":1000,"c":0.1,"d":1e+21,"e":0,"f":1e-7}`},
		{"strings", `{"a":"\u20ac\u000a\u0041\/<>&"}`, `{"a":"€\nA/<>&"}`},
		{"order by UTF-16", "{\"\uFB33\":1,\"\U0001F600\":2}", "{\"\U0001F600\":2,\"\uFB33\":1}"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := ActionDigest("acme", "ex_1", "payment.initiate", json.RawMessage(row.params), "invoices", 3)
			if err != nil {
				t.Fatal(err)
			}
			want := Digest([]byte(`{"execution":"ex_1","kind":"payment.initiate","params":` + row.canonical +
				`,"policy":{"id":"invoices","version":3},"v":"claw-action/1","workspace":"acme"}`))
			if got != want {
				t.Errorf("digest %s, want %s", got, want)
			}
		})
	}
	got, err := ActionDigest("acme", "ex_1", "llm.call", nil, "", 0)
	want := Digest([]byte(`{"execution":"ex_1","kind":"llm.call","params":{},"policy":{"id":"","version":0},"v":"claw-action/1","workspace":"acme"}`))
	if err != nil || got != want {
		t.Errorf("without a policy: digest %s, error %v", got, err)
	}
}

func TestActionDigestRefuses(t *testing.T) {
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	rows := []struct {
		name, params string
		want         error
	}{
		{"no object", `[1]`, ErrParams},
		{"null", `null`, ErrParams},
		{"no JSON", `{`, ErrJSON},
		{"two values", `{} {}`, ErrJSON},
		{"member twice", `{"a":1,"a":2}`, ErrJSON},
		{"member twice, differently spelled", `{"a":1,"\u0061":2}`, ErrJSON},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", ErrJSON},
		{"lone surrogate", `{"a":"\ud800"}`, ErrJSON},
		{"bad member name", `{"a\x":1}`, ErrJSON},
		{"too deep", strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), ErrParams},
		{"extremely deep", `{"a":` + strings.Repeat(`[`, 1<<20), ErrJSON},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := ActionDigest("acme", "ex_1", "tool.call", json.RawMessage(row.params), "", 0)
			if got != "" || !errors.Is(err, row.want) || !errors.Is(err, ErrParams) {
				t.Errorf("digest %q, error %v; want %v", got, err, row.want)
			}
		})
	}
	for name, params := range map[string]string{"widest": wide(4096), "many small objects": `{"a":[` + strings.Repeat(`{"b":1,"c":2},`, 70_000) + `{}]}`,
		"deepest": strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64)} {
		if _, err := ActionDigest("acme", "ex_1", "tool.call", json.RawMessage(params), "", 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExactNumbers(t *testing.T) {
	exact := []string{`0`, `-0`, `0.0`, `0e999999999999999999999`, `1`, `-1`, `0.1`, `12.50`, `1e3`, `1E+3`, `1.0e-3`, `9007199254740992`, `9007199254740994`,
		`999999999999999`, `100000000000000000000000`, `1e21`, `1e308`, `5e-324`, `1.7976931348623157e308`, `0.30000000000000004`,
		`123456789012345.6`, `0.000000000000000000000000000001`, `1` + strings.Repeat("0", 300), `1e00000000000000000000000000000000003`,
		`0.` + strings.Repeat("0", 5000) + `1e5000`}
	for _, n := range exact {
		if err := ExactNumbers([]byte(n)); err != nil {
			t.Errorf("%.40s: %v", n, err)
		}
	}
	inexact := []string{`9007199254740993`, `-9007199254740993`, `12345678901234567890`, `0.1000000000000000055511151231257827`, `1e309`, `-1e309`,
		`1e-400`, `1e-99999999999999999999`, `1e99999999999999999999`, `3.14159265358979323846`, `2e-324`, `0.12345678901234567890`}
	for _, n := range inexact {
		var e *InexactNumber
		if err := ExactNumbers([]byte(`{"a":[0,{"b/c":` + n + `}]}`)); !errors.As(err, &e) || e.Pointer != "/a/1/b~1c" {
			t.Errorf("%s: error %v", n, err)
		}
	}
	for _, text := range []string{``, ` `, `01`, `1 2`, `+1`, `.5`, `5.`, `NaN`, `{"a":1,}`, `"\xff"`} {
		if err := ExactNumbers([]byte(text)); !errors.Is(err, ErrJSON) {
			t.Errorf("%q: error %v, want %v", text, err, ErrJSON)
		}
	}
	for _, text := range []string{`"9007199254740993"`, ` {"a":"1e999"} `, `[]`, `true`} {
		if err := ExactNumbers([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
