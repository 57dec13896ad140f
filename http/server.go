package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/clawoffice/ledger/commands"
	"github.com/clawoffice/ledger/domain"
	"github.com/clawoffice/ledger/http/api"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/access"
	"github.com/clawoffice/ledger/projections/approvals"
	"github.com/clawoffice/ledger/projections/directory"
	"github.com/clawoffice/ledger/projections/search/index"
	"github.com/clawoffice/ledger/projections/spending"
)

// Config says what a Server serves and how. Fields without a word on their
// default must be set.
type Config struct {
	Service   *commands.Service
	Models    *projections.Models // runs the models below
	Access    *access.Model
	Directory *directory.Model
	Approvals *approvals.Model
	Spending  *spending.Model
	Index     *index.Model
	Indexing  Indexing
	TokenHash func(token string) (domain.Digest, bool) // false for what has not the form of a token
	Operator  func(token string) bool                  // in constant time
	Keys      func() []byte                            // the JWK set
	Shared    bool                                     // other replicas write to the log
	Now       func() time.Time                         // time.Now by default

	Options
}

// Indexing looks after the search index.
//
// Engine names what holds it. Rebuild begins to make it again, unless that is
// under way; an error is one of package search. Rebuilding reports whether it is
// being made again, and how much of that is done, from 0 to 1.
type Indexing interface {
	Engine() string
	Rebuild() error
	Rebuilding() (under bool, done float64)
}

// Options are the parts of Config that have to do with HTTP alone. Their zero
// value serves plain HTTP on loopback, and logs and traces nothing.
type Options struct {
	Parts func() []Part           // what /readyz shows; none by default
	Pages map[string]http.Handler // further handlers by path prefix, such as "/console/"; none by default

	Limits   Limits
	Timeout  time.Duration // of one request but a stream; 30 s
	CertFile string        // PEM; none is plain HTTP
	KeyFile  string
	Insecure bool // plain HTTP beyond loopback

	Registry *prometheus.Registry // a new one by default
	Tracer   trace.TracerProvider // none by default
	Logger   *slog.Logger         // discards by default
}

// wiring is what a Server is made of inside.
type wiring struct {
	handlers api.StrictServerInterface
	gate     Gate
	trail    Trail
	keys     func() []byte
	counts   counts // may be nil
	Options
}

// counts knows figures of the whole service.
type counts interface {
	Unresolved(ctx context.Context) (int, error)
}

// Server is the HTTP side of one replica. Make it with New, run it with Serve,
// end it with Shutdown.
type Server struct {
	gate     Gate
	trail    Trail
	keys     func() []byte
	parts    func() []Part
	counts   counts
	timeout  time.Duration
	insecure bool

	limits   *limiter
	problems *problems
	metrics  *metrics
	registry *prometheus.Registry
	tracing  tracing
	log      *slog.Logger
	fixed    fixedHeaders
	scans    *sync.Pool
	other    *routeMetrics // what no operation has

	router   *mux.Router
	cert     *certificate
	server   *http.Server
	stop     sync.Once
	stopping chan struct{}
}

// New makes a Server. It reads the specification and fails when the generated
// code does not belong to it, or when the certificate can't be read.
func New(c Config) (*Server, error) {
	if c.Service == nil || c.Models == nil || c.Access == nil || c.Directory == nil || c.Approvals == nil || c.Spending == nil || c.Index == nil || c.Indexing == nil || c.TokenHash == nil || c.Operator == nil || c.Keys == nil {
		return nil, errors.New("http: Config needs Service, Models, Access, Directory, Approvals, Spending, Index, Indexing, TokenHash, Operator and Keys")
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	look := newLookout(c.Models, c.Shared).look
	h := &handlers{service: c.Service, access: c.Access, models: c.Models, directory: c.Directory, approvals: c.Approvals, spending: c.Spending, index: c.Index, indexing: c.Indexing, shared: c.Shared, look: look, now: now}
	rights := &rights{service: c.Service, access: c.Access, models: c.Models, tokenHash: c.TokenHash, operator: c.Operator, look: look, now: now}
	s, err := newServer(wiring{handlers: h, gate: rights, trail: rights, keys: c.Keys, counts: c.Directory, Options: c.Options})
	h.server = s
	return s, err
}

func newServer(c wiring) (*Server, error) {
	s := &Server{gate: c.gate, trail: c.trail, keys: c.keys, parts: c.Parts, counts: c.counts, timeout: or(c.Timeout, 30*time.Second),
		insecure: c.Insecure, limits: newLimiter(c.Limits), registry: c.Registry, tracing: newTracing(c.Tracer),
		log: c.Logger, scans: newScanPool(), fixed: newFixedHeaders(), stopping: make(chan struct{})}
	s.defaults()
	var err error
	if s.metrics, err = newMetrics(s.registry, s.limits); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if err = s.countUnresolved(); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s.other = s.metrics.route("none")
	if c.CertFile != "" {
		if s.cert, err = newCertificate(c.CertFile, c.KeyFile, func(err error) { s.log.Error("TLS", "error", err) }); err != nil {
			return nil, err
		}
	}
	if err := s.route(c); err != nil {
		return nil, err
	}
	s.server = s.httpServer()
	return s, nil
}

func (s *Server) defaults() {
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.registry == nil {
		s.registry = prometheus.NewRegistry()
	}
	if s.parts == nil {
		s.parts = func() []Part { return nil }
	}
	s.problems = &problems{codes: codeRows(), log: s.log}
}

// route reads the specification and mounts everything.
func (s *Server) route(c wiring) error {
	doc, err := readSpec()
	if err != nil {
		return err
	}
	ops, err := operations(doc)
	if err != nil {
		return err
	}
	for _, op := range ops {
		op.metrics = s.metrics.route(op.id)
	}
	routes, err := s.generatedRoutes(ops, c.handlers)
	if err != nil {
		return err
	}
	s.router = s.newRouter(routes)
	page, err := readDocs()
	if err != nil {
		return err
	}
	s.mountService(ops, page)
	for prefix, h := range c.Pages {
		s.router.PathPrefix(prefix).Handler(untimed(h))
	}
	if c.Pages[console] != nil {
		for _, path := range []string{"/", strings.TrimSuffix(console, "/")} {
			s.router.Path(path).Methods(http.MethodGet).Handler(http.RedirectHandler(console, http.StatusSeeOther))
		}
	}
	return nil
}

// console is the prefix of the pages that a person who comes without a path wants.
const console = "/console/"

// untimed gives pages the connection's context instead of one request's: what
// they ask of the API has its own time, or none where it streams.
func untimed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		next.ServeHTTP(w, r.WithContext(callContext{c.base, c}))
	})
}

func (s *Server) mountService(ops map[string]*operation, page http.Handler) {
	handlers := map[string]http.Handler{
		"getKeys":      s.openPage(http.HandlerFunc(s.jwks)),
		"getHealth":    http.HandlerFunc(s.healthz),
		"getReadiness": http.HandlerFunc(s.readyz),
		"getMetrics":   s.metricsPage(),
	}
	for _, op := range ops {
		if h := handlers[op.id]; h != nil {
			s.router.Path(op.template).Methods(op.method).Handler(noting(op, h))
		}
	}
	s.router.Path("/openapi.yaml").Methods(http.MethodGet).Handler(s.openPage(http.HandlerFunc(serveSpecification)))
	s.router.Path("/docs").Methods(http.MethodGet).Handler(s.openPage(page))
}

// noting tells the call which operation it is.
func noting(op *operation, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callOf(r.Context()).op = op
		next.ServeHTTP(w, r)
	})
}

// readTime is how long a request may take to arrive.
const readTime = 60 * time.Second

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTime,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Serve answers requests on l until Shutdown, and then answers nil. Without a
// certificate it refuses a listener that others than this machine can reach,
// with ErrPlainHTTP, unless the configuration says insecure. It closes l.
func (s *Server) Serve(l net.Listener) error {
	var err error
	switch {
	case s.cert != nil:
		s.server.TLSConfig = s.cert.config()
		err = s.server.ServeTLS(l, "", "")
	case s.insecure || loopback(l.Addr()):
		err = s.server.Serve(l)
	default:
		_ = l.Close()
		return fmt.Errorf("listen on %s: %w", l.Addr(), ErrPlainHTTP)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops listening, ends event streams with a comment, waits until the
// requests under way were answered, and closes the connections. When ctx ends
// first it closes them all the same and answers ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() { close(s.stopping) })
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
	}
	return err
}

// ServeHTTP answers one request, whatever becomes of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ResponseWriter: w, started: time.Now(), id: requestID(r), base: r.Context(), path: r.URL.Path, key: r.Header.Get("Idempotency-Key")}
	s.setHeaders(w.Header(), c, r)
	if c.released = probe(r); !c.released && !take(&s.limits.inFlight, 1, int64(s.limits.InFlight)) {
		s.problems.write(c, c, errOverloaded)
		s.other.observe(c.status, time.Since(c.started))
		return
	}
	c.release = func() {
		if !c.released {
			c.released = true
			s.limits.inFlight.Add(-1)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	ctx, span := s.tracing.start(ctx, r)
	defer func() {
		s.recovered(c, recover())
		cancel()
		c.release()
		s.tracing.end(span, c, r.Method)
		s.finish(c, r)
	}()
	s.router.ServeHTTP(c, r.WithContext(callContext{ctx, c}))
}

// probe reports whether a request asks how the service is, which must be
// answered most of all when it has too much to do. It holds nothing meanwhile.
func probe(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// recovered answers a panic in a handler as an internal error. Of the value
// only the type is logged, since the value may hold content.
func (s *Server) recovered(c *call, panicked any) {
	if panicked == nil {
		return
	}
	s.log.Error("panic while serving", "request_id", c.id, "operation", c.operationID(), "panic", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
	if c.status == 0 {
		s.problems.write(c, c, errors.New("panic"))
	}
}

// finish counts and logs a request. Query strings and bodies are never logged.
func (s *Server) finish(c *call, r *http.Request) {
	took := time.Since(c.started)
	m := s.other
	if c.op != nil {
		m = c.op.metrics
	}
	m.observe(c.status, took)
	level := slog.LevelDebug
	if c.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if !s.log.Enabled(c.base, level) {
		return
	}
	s.log.LogAttrs(c.base, level, "request", slog.String("request_id", c.id), slog.String("method", r.Method),
		slog.String("operation", c.operationID()), slog.Int("status", c.status), slog.String("code", c.code),
		slog.String("workspace", string(c.caller.Workspace)), slog.String("actor", c.caller.Actor.String()),
		slog.Duration("took", took))
}
