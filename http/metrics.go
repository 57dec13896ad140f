package http

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures this package keeps. Labels are route templates and
// codes, never ids.
type metrics struct {
	requests        *prometheus.CounterVec
	seconds         *prometheus.HistogramVec
	unauthenticated prometheus.Counter
	denied          prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, l *limiter) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clawledger_http_requests_total",
			Help: "Requests answered, by operation and status."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "clawledger_http_request_seconds",
			Help:    "Time from the first byte of a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"operation"}),
		unauthenticated: prometheus.NewCounter(prometheus.CounterOpts{Name: "clawledger_http_unauthenticated_total",
			Help: "Requests without a valid token."}),
		denied: prometheus.NewCounter(prometheus.CounterOpts{Name: "clawledger_http_denied_total",
			Help: "Requests refused for want of a right."}),
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawledger_http_in_flight",
		Help: "Requests being served."}, func() float64 { return float64(l.inFlight.Load()) })
	limit := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawledger_http_in_flight_limit",
		Help: "Requests served at once at most."}, func() float64 { return float64(l.InFlight) })
	streams := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawledger_http_streams",
		Help: "Event streams being served."}, func() float64 { return float64(l.streams.Load()) })
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.unauthenticated, m.denied, inFlight, limit, streams} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// routeMetrics keeps one operation's series at hand, since looking labels up
// costs more than counting.
type routeMetrics struct {
	all       *metrics
	operation string
	seconds   prometheus.Observer
	byStatus  [600]atomic.Pointer[prometheus.Counter]
}

func (m *metrics) route(operation string) *routeMetrics {
	return &routeMetrics{all: m, operation: operation, seconds: m.seconds.WithLabelValues(operation)}
}

func (r *routeMetrics) observe(status int, took time.Duration) {
	r.seconds.Observe(took.Seconds())
	if status < 0 || status >= len(r.byStatus) {
		status = 0
	}
	counter := r.byStatus[status].Load()
	if counter == nil {
		made := r.all.requests.WithLabelValues(r.operation, strconv.Itoa(status))
		r.byStatus[status].Store(&made)
		counter = &made
	}
	(*counter).Inc()
}
