package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	heartbeat    = 14 * time.Second // a comment comes at least every 15
	stillReading = time.Second
	streamWrites = 20 * time.Second // a client that takes nothing for so long is dropped
)

// message is one server-sent event. Data holds no line break but \n.
type message struct {
	id    string
	event string
	data  []byte
}

// eventStream writes server-sent events. Send blocks while the client is slow;
// the source must not hold anything that others wait for meanwhile.
type eventStream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

// openStream takes the connection out of the server's time limits and begins
// the answer.
func openStream(w http.ResponseWriter) (*eventStream, error) {
	e := &eventStream{w: w, ctrl: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return e, errors.Join(e.ctrl.SetReadDeadline(time.Time{}), e.comment("begin"))
}

// send writes messages and flushes once.
func (e *eventStream) send(batch ...message) error {
	if err := e.ctrl.SetWriteDeadline(time.Now().Add(streamWrites)); err != nil {
		return err
	}
	for _, m := range batch {
		if m.id != "" {
			fmt.Fprintf(e.w, "id: %s\n", m.id)
		}
		if m.event != "" {
			fmt.Fprintf(e.w, "event: %s\n", m.event)
		}
		text := strings.ReplaceAll(string(m.data), "\n", "\ndata: ")
		if _, err := fmt.Fprintf(e.w, "data: %s\n\n", text); err != nil {
			return err
		}
	}
	return e.ctrl.Flush()
}

func (e *eventStream) comment(text string) error {
	if err := e.ctrl.SetWriteDeadline(time.Now().Add(streamWrites)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.w, ": %s\n\n", text); err != nil {
		return err
	}
	return e.ctrl.Flush()
}

// follow writes what batches yields until the source ends, the client goes or
// the server stops. still is asked before every batch, and every second, whether
// the caller may go on reading: what is recorded after a right was taken away
// is not shown to who had it.
func (s *Server) follow(ctx context.Context, w http.ResponseWriter, batches <-chan []message, still func() bool) error {
	e, err := openStream(w)
	if err != nil {
		return err
	}
	look := time.NewTicker(stillReading)
	defer look.Stop()
	wrote := time.Now()
	for err == nil {
		var batch []message
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopping:
			return e.comment("this replica is stopping; reconnect")
		case <-look.C:
		case next, ok := <-batches:
			if !ok {
				return e.comment("the source ended; reconnect")
			}
			batch = next
		}
		switch {
		case !still():
			return e.comment("this token may not read here any more")
		case len(batch) > 0:
			err, wrote = e.send(batch...), time.Now()
		case time.Since(wrote) >= heartbeat:
			err, wrote = e.comment("still here"), time.Now()
		}
	}
	return err
}
