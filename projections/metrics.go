package projections

import (
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
)

// counters are the metrics of one projection.
type counters struct {
	applied  prometheus.Counter
	refused  prometheus.Counter
	handling prometheus.Observer
	flushes  prometheus.Observer
	failures prometheus.Counter
	rebuilds prometheus.Counter
	stopped  prometheus.Gauge
}

// metrics are those of all projections, labelled by name. Positions and lag
// are worked out when somebody asks.
type metrics struct {
	messages *prometheus.CounterVec
	handling *prometheus.HistogramVec
	flushes  *prometheus.HistogramVec
	failures *prometheus.CounterVec
	rebuilds *prometheus.CounterVec
	stopped  *prometheus.GaugeVec
}

func newMetrics() *metrics {
	labels := []string{"projection"}
	name := func(s string) string { return "clawledger_projection_" + s }
	return &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("records_total"),
			Help: "Records handled, by outcome."}, []string{"projection", "outcome"}),
		handling: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name("handling_seconds"),
			Help: "Time to take a record into the model.", Buckets: prometheus.ExponentialBuckets(1e-6, 10, 7)}, labels),
		flushes: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name("flush_seconds"),
			Help: "Time to commit a batch.", Buckets: prometheus.ExponentialBuckets(1e-4, 4, 9)}, labels),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("flush_failures_total"),
			Help: "Batches that could not be committed."}, labels),
		rebuilds: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("rebuilds_total"),
			Help: "Times the model's file was of no use and made again."}, labels),
		stopped: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name("stopped"),
			Help: "1 once the projection met a record that it can't apply."}, labels),
	}
}

func (m *metrics) of(name string) *counters {
	c := &counters{
		applied: m.messages.WithLabelValues(name, "applied"), refused: m.messages.WithLabelValues(name, "refused"),
		handling: m.handling.WithLabelValues(name), flushes: m.flushes.WithLabelValues(name),
		failures: m.failures.WithLabelValues(name), rebuilds: m.rebuilds.WithLabelValues(name),
		stopped: m.stopped.WithLabelValues(name),
	}
	c.stopped.Set(0)
	return c
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.messages, m.handling, m.flushes, m.failures, m.rebuilds, m.stopped}
}

// counted is the middleware that counts what was refused. Records that were
// taken are counted one by one where they are.
func (c *counters) counted(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		out, err := h(m)
		if err != nil {
			c.refused.Inc()
		}
		return out, err
	}
}

// lag answers, when asked, how far each model is behind the log. Positions may
// have gaps, so their difference only tells more from less.
type lag struct {
	models    *Models
	positions *prometheus.Desc
	seconds   *prometheus.Desc
}

func newLag(m *Models) *lag {
	labels := []string{"projection"}
	return &lag{m,
		prometheus.NewDesc("clawledger_projection_lag_positions", "Distance from the log's newest position; positions may have gaps.", labels, nil),
		prometheus.NewDesc("clawledger_projection_lag_seconds", "Time since the model is known to have held everything.", labels, nil)}
}

// Describe names the metrics.
func (l *lag) Describe(ch chan<- *prometheus.Desc) {
	ch <- l.positions
	ch <- l.seconds
}

// Collect answers the metrics as they are now.
func (l *lag) Collect(ch chan<- prometheus.Metric) {
	head := float64(l.models.head.Load())
	for _, h := range l.models.Health() {
		ch <- prometheus.MustNewConstMetric(l.positions, prometheus.GaugeValue, max(0, head-float64(h.Position)), h.Name)
		if h.Behind >= 0 {
			ch <- prometheus.MustNewConstMetric(l.seconds, prometheus.GaugeValue, h.Behind.Seconds(), h.Name)
		}
	}
}
