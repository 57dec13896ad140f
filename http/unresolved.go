package http

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// countTime bounds a count for a page that nobody waits long for.
const countTime = time.Second

var errNoCounts = errors.New("http: this server was made without counts")

// unresolved counts the executions without a recorded outcome.
func (s *Server) unresolved(ctx context.Context) (int, error) {
	if s.counts == nil {
		return 0, errNoCounts
	}
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	return s.counts.Unresolved(ctx)
}

// countUnresolved registers the gauge. It is NaN while the lists can't be read.
func (s *Server) countUnresolved() error {
	return s.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clawledger_unresolved_executions",
		Help: "Executions, of all workspaces, that started and did not end, or whose prompts have no outcome."}, func() float64 {
		n, err := s.unresolved(context.Background())
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	}))
}
