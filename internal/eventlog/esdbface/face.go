package esdbface

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/clawoffice/ledger/internal/eventlog"
)

// Options say how a face is served. The zero value is an open, unencrypted,
// writable face, fit for loopback only.
type Options struct {
	ReadOnly bool // refuse Append, BatchAppend, Delete and Tombstone

	// User and Password, when User is set, must come as basic auth with every
	// call but ServerFeatures and Gossip, which clients call without. Clients
	// send credentials only over TLS.
	User, Password string

	TLS       *tls.Config // nil means plain text
	Advertise string      // host:port told to clients that ask for members; "" is the address they dialled

	// MayTombstone says which streams a client may remove for good. Nil allows
	// every stream.
	MayTombstone func(stream string) bool

	MaxStreams uint32        // concurrent calls per connection; 0 means 1000, and 100 when read-only, as a real server
	Grace      time.Duration // how long Stop waits for calls under way; 0 means 5 s
	Logger     *slog.Logger  // nil discards
}

const (
	defaultMaxStreams  = 1000
	readOnlyMaxStreams = 100
	defaultGrace       = 5 * time.Second

	// streamWorkers are goroutines kept for calls, which else spend a good part
	// of a short call growing a new stack. More calls at a time get their own.
	streamWorkers = 128

	maxReceive         = 16 << 20 // bytes in one message, as a real server's
	readOnlyMaxReceive = 64 << 10 // of a face that takes only questions
	maxHeaders         = 32 << 10 // bytes of a call's headers, which come before its credentials are checked
	// pingFloor allows the pings clients send every 10 s, also when idle;
	// without it grpc closes an idle subscription after three of them.
	pingFloor = time.Second
)

// Face is an EventStoreDB server over a log. It does not own the log.
type Face struct {
	log    eventlog.Log
	opts   Options
	logger *slog.Logger
	server *grpc.Server

	stopping context.Context // ends when Stop begins, and with it every subscription
	stop     context.CancelFunc
}

// New makes a face over log. The caller closes log after Stop.
func New(log eventlog.Log, opts Options) *Face {
	if opts.MaxStreams == 0 {
		opts.MaxStreams = defaultMaxStreams
		if opts.ReadOnly {
			opts.MaxStreams = readOnlyMaxStreams
		}
	}
	if opts.Grace == 0 {
		opts.Grace = defaultGrace
	}
	f := &Face{log: log, opts: opts, logger: opts.Logger}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	f.stopping, f.stop = context.WithCancel(context.Background())
	f.server = grpc.NewServer(f.serverOptions()...)
	streams.RegisterStreamsServer(f.server, &streamsService{face: f})
	registerDiscovery(f.server, opts.Advertise)
	return f
}

func (f *Face) serverOptions() []grpc.ServerOption {
	guard := newGuard(f.opts.User, f.opts.Password, f.logger)
	receive := maxReceive
	if f.opts.ReadOnly {
		receive = readOnlyMaxReceive
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(receive),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.InTapHandle(guard.tap),
		grpc.MaxConcurrentStreams(f.opts.MaxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingFloor, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.WaitForHandlers(true), // so that no call touches the log after Stop
		grpc.UnaryInterceptor(guard.unary),
		grpc.StreamInterceptor(guard.stream),
	}
	if f.opts.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(f.opts.TLS)))
	}
	return options
}

// Serve answers calls on l until Stop, which closes l. It returns nil after
// Stop, and what was wrong with l otherwise.
func (f *Face) Serve(l net.Listener) error { return f.server.Serve(l) }

// Stop ends subscriptions and reads, lets appends under way finish for the
// grace period and then cuts what is left. When it returns, no call uses the
// log any more. A face can't be served again.
func (f *Face) Stop() {
	f.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.server.GracefulStop()
	}()
	timer := time.NewTimer(f.opts.Grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		f.logger.Warn("esdbface: calls outlived the grace period and are cut", "grace", f.opts.Grace)
		f.server.Stop()
		<-done
	}
}
