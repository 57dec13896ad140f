package http

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// executionBody is about 500 bytes, as agents send them.
func executionBody() []byte {
	return []byte(`{"workflow":"invoices","action":{"kind":"payment.initiate","params":{"amount":"250.00","currency":"EUR",` +
		`"iban":"DE02120300000000202051","reference":"INV-2041","creditor":{"name":"Example Supplies GmbH","country":"DE"},` +
		`"lines":[{"sku":"A-1","qty":3,"price":41.5},{"sku":"B-7","qty":1,"price":125.5}]}},"subject":"customer-4711",` +
		`"context":{"run":"nightly","attempt":1,"source":"mailbox","confidence":0.93,"notes":"` + strings.Repeat("x", 90) + `"}}`)
}

// discard is a ResponseWriter that costs nothing, so that the benchmark shows this package alone.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func benchmarkCall(b *testing.B, method, path string, body []byte) {
	s, _, _, _ := newFakeServer(b)
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+agentToken)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "7d1c2c2e-invoice-2041")
	probe := httptest.NewRecorder()
	send := func(w http.ResponseWriter) {
		r.ContentLength = int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(w, r)
	}
	if send(probe); probe.Code >= 300 {
		b.Fatalf("%d %s", probe.Code, probe.Body)
	}
	b.ReportAllocs()
	for b.Loop() {
		send(&discard{h: http.Header{}})
	}
}

func BenchmarkRequestExecution(b *testing.B) {
	benchmarkCall(b, http.MethodPost, "/v1/workspaces/acme/executions", executionBody())
}

func BenchmarkGetWorkspace(b *testing.B) {
	benchmarkCall(b, http.MethodGet, "/v1/workspaces/acme", nil)
}

func BenchmarkCheckBody(b *testing.B) {
	s, _, _, _ := newFakeServer(b)
	doc, err := loadSpec()
	if err != nil {
		b.Fatal(err)
	}
	ops, err := operations(doc)
	if err != nil {
		b.Fatal(err)
	}
	op, body := ops["POST /v1/workspaces/{ws}/executions"], executionBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if places := checkBody(s.scans, body, op.inBody); places != nil {
			b.Fatal(places)
		}
	}
}

func BenchmarkRouterLast(b *testing.B) {
	s, _, _, _ := newFakeServer(b)
	r := httptest.NewRequest(http.MethodGet, "/v1/workspaces/acme/nothing/of/the/kind", nil)
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(&discard{h: http.Header{}}, r)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newFakeServer(b)
	}
}

// BenchmarkStillAllowed is what asking twice who calls costs with the real
// model of rights.
func BenchmarkStillAllowed(b *testing.B) {
	w := newWorld(b)
	caller, err := w.server.gate.Identify(b.Context(), w.agent)
	if err != nil {
		b.Fatal(err)
	}
	c := &call{op: operationNamed(b, "requestExecution"), caller: caller, token: w.agent}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.server.stillAllowed(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}
