package esdbface

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/clawoffice/ledger/internal/eventlog"
)

const (
	// lanes is how many streams one BatchAppend call writes at a time. Batches
	// for one stream share a lane and keep the order in which they came.
	lanes = 64
	// pendingBytes bounds the batches waiting in lanes, openBytes and
	// openBatches those still being received.
	pendingBytes = 16 << 20
	openBytes    = 16 << 20
	openBatches  = 1000
)

// batch is one append inside a BatchAppend call, made of one or more chunks.
type batch struct {
	correlation [16]byte
	stream      string
	options     *streams.BatchAppendReq_Options
	want        expectation
	events      []eventlog.Event
	size        int
	received    time.Time
	refused     bool // already answered; the rest of its chunks is skipped
}

// batcher serves one BatchAppend call.
type batcher struct {
	face *Face
	ss   streams.Streams_BatchAppendServer
	ctx  context.Context

	open map[[16]byte]*batch
	held int // bytes in open

	seed    maphash.Seed
	lanes   [lanes]chan *batch
	working sync.WaitGroup
	pending *semaphore.Weighted

	sending sync.Mutex
}

// BatchAppend takes many appends over one call and answers each by its
// correlation id, in whatever order they finish.
func (s *streamsService) BatchAppend(ss streams.Streams_BatchAppendServer) error {
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	b := &batcher{face: s.face, ss: ss, ctx: ctx, open: map[[16]byte]*batch{},
		seed: maphash.MakeSeed(), pending: semaphore.NewWeighted(pendingBytes)}
	defer b.drain()
	requests, failed := b.receive()
	for {
		select {
		case req := <-requests:
			if err := b.take(req); err != nil {
				return err
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-s.face.stopping.Done():
			return status.Error(codes.Unavailable, "Server Is Not Ready: it is shutting down")
		}
	}
}

// receive makes the blocking Recv selectable. Its goroutine ends with the call.
func (b *batcher) receive() (<-chan *streams.BatchAppendReq, <-chan error) {
	requests, failed := make(chan *streams.BatchAppendReq), make(chan error, 1)
	go func() {
		for {
			req, err := b.ss.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case requests <- req:
			case <-b.ctx.Done():
				return
			}
		}
	}()
	return requests, failed
}

// drain lets every batch that was taken finish and answer.
func (b *batcher) drain() {
	for _, lane := range b.lanes {
		if lane != nil {
			close(lane)
		}
	}
	b.working.Wait()
}

// take adds a chunk to its batch and passes the batch on when it is complete.
// An error ends the whole call; what is wrong with one batch is its answer.
func (b *batcher) take(req *streams.BatchAppendReq) error {
	id, err := parseUUID(req.GetCorrelationId())
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "correlation %v", err)
	}
	current := b.open[id]
	if current == nil {
		if len(b.open) >= openBatches {
			return status.Errorf(codes.ResourceExhausted, "more than %d unfinished batches in one call", openBatches)
		}
		current = &batch{correlation: id, options: req.GetOptions(), received: time.Now(),
			stream: string(req.GetOptions().GetStreamIdentifier().GetStreamName())}
		b.open[id] = current
		current.want, err = batchExpectation(req.GetOptions())
		if err == nil {
			err = b.face.writable(current.stream)
		}
		b.refuse(current, err)
	}
	if !current.refused {
		b.refuse(current, b.add(current, req))
	}
	if b.held > openBytes {
		return status.Errorf(codes.ResourceExhausted, "more than %d bytes in unfinished batches of one call", openBytes)
	}
	if !req.GetIsFinal() {
		return nil
	}
	delete(b.open, id)
	b.held -= current.size
	if current.refused {
		return nil
	}
	return b.pass(current)
}

func (b *batcher) add(current *batch, req *streams.BatchAppendReq) error {
	for _, p := range req.GetProposedMessages() {
		ev, size, err := proposed(p)
		if err != nil {
			return err
		}
		current.size, b.held = current.size+size, b.held+size
		if current.size > eventlog.MaxAppend {
			return eventlog.ErrTooLarge
		}
		current.events = append(current.events, ev)
	}
	return nil
}

// refuse answers a batch that can't be stored and lets go of its events.
func (b *batcher) refuse(current *batch, err error) {
	if err == nil {
		return
	}
	b.held -= current.size
	current.refused, current.events, current.size = true, nil, 0
	b.answer(current, eventlog.Appended{}, err)
}

// pass queues a batch on its stream's lane. It waits while too much is
// pending, and so lets flow control slow the client down.
func (b *batcher) pass(current *batch) error {
	if err := b.pending.Acquire(b.ctx, int64(current.size)); err != nil {
		return status.FromContextError(err).Err()
	}
	lane := &b.lanes[maphash.String(b.seed, current.stream)%lanes]
	if *lane == nil {
		*lane = make(chan *batch, 16)
		queue := *lane
		b.working.Go(func() {
			for next := range queue {
				b.store(next)
				b.pending.Release(int64(next.size))
			}
		})
	}
	select {
	case *lane <- current:
		return nil
	case <-b.ctx.Done():
		return status.FromContextError(b.ctx.Err()).Err()
	}
}

// store appends one batch within its deadline. A panic ends this batch only.
func (b *batcher) store(current *batch) {
	var err error
	defer b.answerPanic(current)
	ctx, cancel := current.deadline(b.ctx)
	defer cancel()
	at, err := b.face.append(ctx, current.stream, current.want, current.events)
	b.answer(current, at, err)
}

func (b *batcher) answerPanic(current *batch) {
	if caught := recover(); caught != nil {
		b.face.logger.Error("esdbface: panic in a batch append", panicked(caught))
		b.answer(current, eventlog.Appended{}, status.Error(codes.Internal, "the server failed on this batch; its log has the details"))
	}
}

// deadline is when the client stops waiting, by its own choice of form.
func (c *batch) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	switch v := c.options.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline:
		return context.WithDeadline(ctx, c.received.Add(v.Deadline.AsDuration()))
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		return context.WithDeadline(ctx, v.Deadline_21_10_0.AsTime())
	default:
		return ctx, func() {}
	}
}
