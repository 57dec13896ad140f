package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	ledgerhttp "github.com/clawoffice/ledger/http"
	"github.com/clawoffice/ledger/internal/eventlog/esdbface"
	"github.com/clawoffice/ledger/projections"
	"github.com/clawoffice/ledger/projections/search/index"
)

// URL is where the server answers.
func (n *node) URL() string {
	scheme := "http"
	if n.config.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + n.listener.Addr().String()
}

// parts says what /readyz shows.
func (n *node) parts() []ledgerhttp.Part {
	log, clock := n.pulse.state()
	parts := []ledgerhttp.Part{{Name: "log", Ready: log == "", Reason: log}, {Name: "clock", Ready: clock == "", Reason: clock}}
	for _, h := range n.models.Health() {
		part := ledgerhttp.Part{Name: h.Name, Ready: h.OK(), Reason: h.Reason}
		if h.Condition == projections.CatchingUp {
			part.Ready, part.Reason = false, "it is catching up with the log"
		}
		if h.Name == index.Name {
			part.Ready = true // a replica whose search is late does everything else
		}
		parts = append(parts, part)
	}
	return parts
}

// flushTime is how long a stop waits for the last traces to be sent.
const flushTime = 5 * time.Second

// tracer makes the provider of traces, nil if none are wanted.
func (n *node) tracer(ctx context.Context) (trace.TracerProvider, error) {
	if n.config.OTLPEndpoint == "" {
		return nil, nil
	}
	endpoint, err := url.Parse(n.config.OTLPEndpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, &exit{exitUsage, errors.New("--otlp-endpoint must be a URL such as http://127.0.0.1:4318")}
	}
	if strings.Trim(endpoint.Path, "/") == "" {
		endpoint.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.String()))
	if err != nil {
		return nil, fmt.Errorf("sending traces to --otlp-endpoint: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "clawledger"))))
	n.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			n.program.log.Warn("the last traces were not sent", "error", err)
		}
		return nil
	})
	return provider, nil
}

// showFace makes the read-only face for EventStoreDB clients, if it is wanted.
func (n *node) showFace(context.Context) error {
	if n.faceListener == nil {
		return nil
	}
	c := n.config
	o := esdbface.Options{ReadOnly: true, User: c.EsdbFaceUser, Logger: n.program.log}
	if c.EsdbFacePassword != "" {
		password, err := os.ReadFile(c.EsdbFacePassword)
		if err != nil {
			return fmt.Errorf("reading the password of --esdb-face: %w", err)
		}
		if o.Password = strings.TrimSpace(string(password)); o.Password == "" {
			return errors.New("the password file of --esdb-face is empty")
		}
	}
	if c.TLSCert != "" { // read at each connection, of which there are few, so that a renewed one is used
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
			return &pair, err
		}}
	}
	n.face = esdbface.New(n.log, o)
	n.later(func() error {
		n.face.Stop()
		return nil
	})
	return nil
}

func (n *node) faceAddr() string {
	return fmt.Sprintf("esdb://%s?tls=%t", n.faceListener.Addr(), n.config.TLSCert != "")
}
