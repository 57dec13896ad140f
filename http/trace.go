package http

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracing makes one span per request. Spans carry the operation and the
// status, and nothing of what a request holds.
type tracing struct{ tracer trace.Tracer }

func newTracing(provider trace.TracerProvider) tracing {
	if provider == nil {
		return tracing{}
	}
	return tracing{provider.Tracer("github.com/clawoffice/ledger/http")}
}

// start answers a context with a span below the caller's. It does nothing
// without a provider.
func (t tracing) start(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	return t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
}

// end closes the span with what became of the request.
func (t tracing) end(span trace.Span, c *call, method string) {
	if span == nil {
		return
	}
	if c.op != nil {
		span.SetName(method + " " + c.op.template)
		span.SetAttributes(attribute.String("http.route", c.op.template))
	}
	span.SetAttributes(attribute.String("http.request.method", method),
		attribute.Int("http.response.status_code", c.status), attribute.String("clawledger.request_id", c.id))
	if c.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, c.code)
	}
	span.End()
}
