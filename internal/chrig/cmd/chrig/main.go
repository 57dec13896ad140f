// Command chrig serves the ClickHouse engine over HTTP and the native protocol,
// for tests: internal/chrig says what it can't show. On its first line it says
// "ready", then the two addresses. SIGTERM and SIGINT stop it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clawoffice/ledger/internal/chrig"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chrig:", err)
		os.Exit(1)
	}
}

type options struct {
	library, dir, http, native string
	untilEOF                   bool
}

func run(args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("chrig", flag.ContinueOnError)
	flags.StringVar(&o.library, "lib", "libchdb.so", "the engine: libchdb.so of the npm package @chdb/lib-linux-x64-gnu")
	flags.StringVar(&o.dir, "path", "", "the directory of its data; without it, one that is removed at the end")
	flags.StringVar(&o.http, "http", "127.0.0.1:0", "address for HTTP")
	flags.StringVar(&o.native, "native", "127.0.0.1:0", "address for the native protocol")
	flags.BoolVar(&o.untilEOF, "until-eof", false, "stop when standard input ends, as it does when the parent dies")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "chrig-")
		if err != nil {
			return fmt.Errorf("making a directory for the data: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	return serve(ctx, o, stdout)
}

// serve answers both protocols until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer) error {
	engine, err := chrig.Open(o.library, o.dir)
	if err != nil {
		return err
	}
	overHTTP, err := net.Listen("tcp", o.http)
	if err != nil {
		return fmt.Errorf("listening for HTTP: %w", err)
	}
	overNative, err := net.Listen("tcp", o.native)
	if err != nil {
		return fmt.Errorf("listening for the native protocol: %w", err)
	}
	server := &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(overHTTP) }()
	go func() { failed <- engine.ServeNative(overNative, slog.Default()) }()
	if _, err := fmt.Fprintln(stdout, "ready", overHTTP.Addr(), overNative.Addr()); err != nil {
		return fmt.Errorf("saying the addresses: %w", err)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return errors.Join(server.Close(), overNative.Close(), closed(engine))
}

// closed stops the engine. Statements that run on without their client are not
// waited for longer than a few seconds: the engine's files survive that.
func closed(engine *chrig.Engine) error {
	done := make(chan struct{})
	go func() {
		engine.Close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("statements still run; stopped without them")
	}
}
