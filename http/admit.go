package http

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// guarded is a generated handler behind everything that must be true first.
func (s *Server) guarded(op *operation, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		c.op = op
		defer s.depart(c)
		if err := s.admit(w, r, c); err != nil {
			s.problems.write(w, c, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit runs the checks in their order. What it takes for the call, depart
// gives back, also after a refusal.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := s.authenticate(r, c); err != nil {
		return err
	}
	var err error
	if c.leave, err = s.limits.enter(r, c); err != nil {
		return err
	}
	if err := s.authorize(r, c); err != nil {
		return err
	}
	if err := c.checkParameters(r); err != nil {
		return err
	}
	if err := s.readBody(w, r, c); err != nil {
		return err
	}
	// Last, so that nobody holds a place while sending a slow body.
	if err := s.takeTurn(r.Context(), c, c.started); err != nil {
		return err
	}
	// The body and the turn may have been long in coming.
	return s.stillAllowed(r.Context(), c)
}

// depart gives back what the call holds.
func (s *Server) depart(c *call) {
	c.giveTurnBack()
	s.limits.bodyBytes.Add(-c.reserved)
	c.reserved = 0
	if c.leave != nil {
		c.leave()
	}
}

// stillAllowed asks again what was asked at the door, after time went by in
// which the token or the right may have been taken away. It asks the memory
// only, so it is cheap enough for every call.
func (s *Server) stillAllowed(ctx context.Context, c *call) error {
	if c.op.rule.open {
		return nil
	}
	caller, err := s.gate.Identify(ctx, c.token)
	switch {
	case errors.Is(err, ErrUnknownToken), err == nil && caller != c.caller:
		s.metrics.unauthenticated.Inc()
		return errUnauthenticated
	case err != nil:
		return err
	}
	return s.permitted(ctx, c)
}

// takeTurn waits for a place among the requests that are worked on. Calls
// outside any workspace are few and need none; answers that go on for long would
// keep theirs, and have a limit of their own.
func (s *Server) takeTurn(ctx context.Context, c *call, now time.Time) (err error) {
	if c.caller.Workspace == "" || c.op != nil && c.op.streams {
		return nil
	}
	c.turn, err = s.limits.turns.enter(ctx, c.caller.Workspace, now)
	return err
}

// giveTurnBack lets others work while this call waits or ends.
func (c *call) giveTurnBack() {
	if c.turn != nil {
		c.turn()
		c.turn = nil
	}
}

// aside runs a wait of a read. It holds no place meanwhile, so that calls that
// wait don't keep others of the workspace from being worked on; how many of one
// credential wait is bounded. Afterwards the caller's rights are asked again.
func (s *Server) aside(ctx context.Context, wait func() error) error {
	c := callOf(ctx)
	waiting := &s.limits.credentials.get(string(c.caller.Credential)).waiting
	if !take(waiting, 1, int64(s.limits.WaitsPerCredential)) {
		return errRateLimited
	}
	c.giveTurnBack()
	err := wait()
	waiting.Add(-1)
	if err != nil {
		return err
	}
	if err := s.takeTurn(ctx, c, time.Now()); err != nil {
		return err
	}
	return s.stillAllowed(ctx, c)
}
