package http

import (
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// specOperations reads the specification once for all tests.
var specOperations = sync.OnceValues(func() (map[string]*operation, error) {
	doc, err := loadSpec()
	if err != nil {
		return nil, err
	}
	return operations(doc)
})

func operationNamed(t testing.TB, id string) *operation {
	t.Helper()
	ops, err := specOperations()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ops {
		if o.id == id {
			return o
		}
	}
	t.Fatalf("no operation %s", id)
	return nil
}

func TestCheckBody(t *testing.T) {
	const action = `"action":{"kind":"a.b","params":{}}`
	tests := []struct {
		name, operation, body string
		want                  []string // pointers
	}{
		{"good", "requestExecution", `{"workflow":"w",` + action + `}`, nil},
		{"good with spaces and escapes", "requestExecution", " { \"workflow\" : \"\\u0077\" ,\n" + action + "} \n", nil},
		{"escaped name", "requestExecution", `{"work\u0066low":"w",` + action + `}`, nil},
		{"missing", "requestExecution", `{"workflow":"w"}`, []string{"/action"}},
		{"missing deep", "requestExecution", `{"workflow":"w","action":{"kind":"a"}}`, []string{"/action/params"}},
		{"unknown field", "requestExecution", `{"workflow":"w",` + action + `,"x":{"y":[1]}}`, []string{"/x"}},
		{"unknown deep", "requestExecution", `{"workflow":"w","action":{"kind":"a","params":{},"z~/":1}}`, []string{"/action/z~0~1"}},
		{"wrong type", "requestExecution", `{"workflow":7,` + action + `}`, []string{"/workflow"}},
		{"null", "requestExecution", `{"workflow":null,` + action + `}`, []string{"/workflow"}},
		{"not an object", "requestExecution", `[1]`, []string{""}},
		{"bad pattern", "requestExecution", `{"workflow":"a b",` + action + `}`, []string{"/workflow"}},
		{"several", "requestExecution", `{"workflow":"","action":[]}`, []string{"/workflow", "/action"}},
		{"duplicate key", "requestExecution", `{"workflow":"w","workflow":"w",` + action + `}`, []string{"/workflow"}},
		{"duplicate by escape", "requestExecution", `{"workflow":"w","work\u0066low":"w",` + action + `}`, []string{"/workflow"}},
		{"duplicate in free object", "requestExecution", `{"workflow":"w","action":{"kind":"a","params":{"a":{"b":1,"b":2}}}}`, []string{"/action/params/a/b"}},
		{"invalid UTF-8", "requestExecution", "{\"workflow\":\"w\xff\"," + action + "}", []string{"/workflow"}},
		{"lone surrogate", "requestExecution", `{"workflow":"\ud800",` + action + `}`, []string{"/workflow"}},
		{"trailing value", "requestExecution", `{"workflow":"w",` + action + `}{}`, []string{""}},
		{"trailing garbage", "requestExecution", `{"workflow":"w",` + action + `}x`, []string{""}},
		{"cut off", "requestExecution", `{"workflow":"w",`, []string{""}},
		{"only spaces", "requestExecution", "  ", []string{""}},
		{"inexact integer", "requestExecution", `{"workflow":"w","action":{"kind":"a","params":{"n":9007199254740993}}}`, []string{"/action/params/n"}},
		{"inexact decimal", "requestExecution", `{"workflow":"w","action":{"kind":"a","params":{"n":[0.1,0.12345678901234567891]}}}`, []string{"/action/params/n/1"}},
		{"too large for a float", "requestExecution", `{"workflow":"w","context":{"n":1e400},` + action + `}`, []string{"/context/n"}},
		{"too deep", "requestExecution", `{"workflow":"w","context":{"n":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `},` + action + `}`, []string{""}},
		{"params is no object", "requestExecution", `{"workflow":"w","action":{"kind":"a","params":[]}}`, []string{"/action/params"}},
		{"integer with fraction", "recordPrompt", `{"model":"m","content":"c","max_output_tokens":1.5}`, []string{"/max_output_tokens"}},
		{"integer as exponent", "recordPrompt", `{"model":"m","content":"c","max_output_tokens":1e3}`, []string{"/max_output_tokens"}},
		{"negative", "recordPrompt", `{"model":"m","content":"c","max_output_tokens":-1}`, []string{"/max_output_tokens"}},
		{"beyond int64", "recordPrompt", `{"model":"m","content":"c","max_output_tokens":100000000000000000000}`, []string{"/max_output_tokens"}},
		{"messages", "recordPrompt", `{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}],"max_output_tokens":1}`, nil},
		{"message without role", "recordPrompt", `{"model":"m","messages":[{"content":"x"}],"max_output_tokens":1}`, []string{"/messages/0/role"}},
		{"both of exactly one", "recordPrompt", `{"model":"m","content":"c","messages":[{"role":"u"}],"max_output_tokens":1}`, []string{""}},
		{"none of exactly one", "recordPrompt", `{"model":"m","max_output_tokens":1}`, []string{""}},
		{"too few items", "recordPrompt", `{"model":"m","messages":[],"max_output_tokens":1}`, []string{"/messages"}},
		{"enum", "decideApproval", `{"decision":"maybe","reason":"r","action_digest":"` + strings.Repeat("a", 43) + `"}`, []string{"/decision"}},
		{"too long", "decideApproval", `{"decision":"deny","reason":"` + strings.Repeat("é", 2001) + `","action_digest":"` + strings.Repeat("a", 43) + `"}`, []string{"/reason"}},
		{"just long enough", "decideApproval", `{"decision":"deny","reason":"` + strings.Repeat("é", 2000) + `","action_digest":"` + strings.Repeat("a", 43) + `"}`, nil},
		{"time", "createAgentToken", `{"name":"n","expires_at":"tomorrow"}`, []string{"/expires_at"}},
		{"good time", "createAgentToken", `{"name":"n","expires_at":"2026-11-02T09:30:00Z"}`, nil},
		{"empty scope", "putBudget", `{"scope":{},"window":"day","limits":{"calls":1}}`, []string{"/scope"}},
		{"false where only true", "putBudget", `{"scope":{"workspace":false},"window":"day","limits":{"calls":1}}`, []string{"/scope/workspace"}},
		{"price key", "putPrices", `{"models":{"a b":{"prompt_micros_per_million":1,"output_micros_per_million":1}}}`, []string{"/models/a b"}},
		{"price", "putPrices", `{"models":{"gpt:x":{"prompt_micros_per_million":1}}}`, []string{"/models/gpt:x/output_micros_per_million"}},
		{"body where none is", "deleteRole", `{"a":1}`, []string{"/a"}},
		{"empty object where none is", "deleteRole", `{}`, nil},
	}
	pool := newScanPool()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range checkBody(pool, []byte(tt.body), operationNamed(t, tt.operation).inBody) {
				got = append(got, e.Pointer)
				if e.Detail == "" {
					t.Error("a place without a word on what is wrong")
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFieldErrorsAreBounded(t *testing.T) {
	body := `{` + strings.Repeat(`"k":1,`, 0)
	for i := range 100 {
		body += `"k` + strconv.Itoa(i) + `":1,`
	}
	places := checkBody(newScanPool(), []byte(body+`"z":1}`), operationNamed(t, "requestExecution").inBody)
	if len(places) != maxFieldErrors {
		t.Errorf("%d places, want %d", len(places), maxFieldErrors)
	}
}

func TestExactNumber(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-0": true, "0.0": true, "1": true, "0.1": true, "-12.50": true, "1e3": true, "1E+3": true, "1.50e2": true,
		"9007199254740992": true, "9007199254740993": false, "9007199254740994": true, "123456789012345678": false,
		"100000000000000000000": true, "1e308": true, "1e309": false, "1e-400": false, "0e99999999999999999999": true,
		"5e-324": true, "4.9e-324": false, "0.30000000000000004": true, "0.300000000000000040": true, "0.3000000000000000444": false,
		"1.7976931348623157e308": true, "1e99999999999999999999": false,
	} {
		if got := exactNumber([]byte(text)); got != want {
			t.Errorf("exactNumber(%s) = %v", text, got)
		}
	}
}

// FuzzExactNumber holds the shortcut for short numbers against the definition.
func FuzzExactNumber(f *testing.F) {
	f.Add(int64(123), -2)
	f.Add(int64(9007199254740993), 0)
	f.Fuzz(func(t *testing.T, digits int64, exponent int) {
		exponent %= 400
		text := strconv.FormatInt(digits, 10) + "e" + strconv.Itoa(exponent)
		want := false
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			shortest, _ := new(big.Rat).SetString(strconv.FormatFloat(v, 'e', -1, 64))
			sent, _ := new(big.Rat).SetString(text)
			want = shortest.Cmp(sent) == 0
		}
		if got := exactNumber([]byte(text)); got != want {
			t.Errorf("exactNumber(%s) = %v, want %v", text, got, want)
		}
	})
}

func FuzzCheckBody(f *testing.F) {
	op := operationNamed(f, "requestExecution")
	pool := newScanPool()
	f.Add(executionBody())
	f.Add([]byte(`{"workflow":"\ud800"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, e := range checkBody(pool, body, op.inBody) {
			if e.Detail == "" {
				t.Error("a place without a word on what is wrong")
			}
		}
	})
}

func TestClassPattern(t *testing.T) {
	c := newCompiler()
	for _, p := range []string{`^[A-Za-z0-9._:-]{1,128}$`, `^[A-Z]{3}$`, `^[a-z]+$`, `^[a-z0-9_]*$`} {
		fast := classPattern(p)
		if fast == nil {
			t.Fatalf("%s has no table", p)
		}
		for _, s := range []string{"", "a", "EUR", "EURO", "a b", "é", "a\n", strings.Repeat("a", 128), strings.Repeat("a", 129), "Z9._:-"} {
			delete(c.patterns, p)
			slow := mustRegexp(t, p)
			if fast([]byte(s)) != slow(s) {
				t.Errorf("%s on %q: table says %v", p, s, fast([]byte(s)))
			}
		}
	}
	if classPattern(`^(a|b)$`) != nil || classPattern(`[a]`) != nil {
		t.Error("a pattern of another form must not become a table")
	}
}

func TestContentType(t *testing.T) {
	for header, want := range map[string]bool{"application/json": true, "application/json; charset=utf-8": true, "application/json;charset=UTF-8": true,
		"": false, "text/plain": false, "application/json; charset=latin1": false, "application/x-www-form-urlencoded": false} {
		if got := jsonType(header); got != want {
			t.Errorf("jsonType(%q) = %v", header, got)
		}
	}
}

func TestParameters(t *testing.T) {
	s, _, _, _ := newFakeServer(t)
	tests := []struct{ name, path, header, value, want string }{
		{"unknown query", "/v1/workspaces/acme?x=1", "", "", "invalid_parameter"},
		{"twice", "/v1/workspaces/acme?min_position=1&min_position=2", "", "", "invalid_parameter"},
		{"bad form", "/v1/workspaces/acme?min_position=%zz", "", "", "invalid_parameter"},
		{"limit too large", "/v1/workspaces/acme/executions?limit=1001", "", "", "invalid_parameter"},
		{"limit no number", "/v1/workspaces/acme/executions?limit=ten", "", "", "invalid_parameter"},
		{"status unknown", "/v1/workspaces/acme/executions?status=lost", "", "", "invalid_parameter"},
		{"bad path", "/v1/workspaces/acme/executions/a%20b", "", "", "invalid_parameter"},
		{"bad header", "/v1/workspaces/acme/events/stream", "Last-Event-Id", "a b", "invalid_parameter"},
		{"good", "/v1/workspaces/acme?min_position=7", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.Header.Set("Authorization", "Bearer "+ownerToken)
			if tt.header != "" {
				r.Header.Set(tt.header, tt.value)
			}
			if got := problemCode(t, s, r); got != tt.want {
				t.Errorf("code %q, want %q", got, tt.want)
			}
		})
	}
}
