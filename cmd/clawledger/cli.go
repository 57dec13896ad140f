package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line. A field with the tag cmd is a command.
type cli struct {
	Config    kong.ConfigFlag `help:"Read flags from this YAML file: one \"name: value\" a line, or under the command's name." placeholder:"FILE" group:"common"`
	LogFormat string          `help:"How log lines look: ${enum}." enum:"text,json" default:"text" group:"common"`
	LogLevel  string          `help:"Least important log lines to show: ${enum}." enum:"debug,info,warn,error" default:"info" group:"common"`

	Serve   serveCmd   `cmd:"" group:"run" help:"Run the ledger's server."`
	Doctor  doctorCmd  `cmd:"" group:"run" help:"Check configuration, keys, disk, clock and log, and say what to do."`
	Demo    demoCmd    `cmd:"" group:"run" help:"Fill a running server with a lifelike workspace."`
	Bench   benchCmd   `cmd:"" group:"run" help:"Measure a server under load."`
	Face    faceCmd    `cmd:"" group:"run" help:"Serve a SQLite log to EventStoreDB clients, for tests and trials."`
	Verify  verifyCmd  `cmd:"" group:"audit" help:"Check every record's signature, chain and digest, with the public keys alone."`
	Keys    keysCmd    `cmd:"" group:"data" help:"List or rotate keys."`
	Backup  backupCmd  `cmd:"" group:"data" help:"Copy the log of a running or stopped server."`
	Restore restoreCmd `cmd:"" group:"data" help:"Make a data directory from a backup."`
	Migrate migrateCmd `cmd:"" group:"data" help:"Move an embedded log to EventStoreDB."`
	Rebuild rebuildCmd `cmd:"" group:"data" help:"Make the read models again from the log."`
	Version versionCmd `cmd:"" group:"run" help:"Say which build this is."`
}

const description = `The ClawOffice ledger records what AI agents do, before they do it, as signed and encrypted events.

Examples:
  clawledger serve --data ledger-data
  clawledger verify --data ledger-data
  clawledger backup --data ledger-data --to /backups/monday

Every flag can also be an environment variable, as --tls-cert is CLAWLEDGER_TLS_CERT, or a line of the --config file. A flag goes before the environment, and that before the file.`

// program is what a command has to work with.
type program struct {
	ctx      context.Context
	out, err io.Writer // answers; and progress, log and what is for people only
	log      *slog.Logger
	now      func() time.Time
}

// exit says with which code the program ends. A nil error has been shown.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return fmt.Sprintf("exit %d: %v", e.code, e.err) }
func (e *exit) Unwrap() error { return e.err }

// Exit codes that are the same for every command. verify has a 1 of its own.
const (
	exitFailed = 1
	exitUsage  = 2
)

// stopped is how kong's parsing ends for --help.
type stopped int

// run does one command and answers the program's exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			asked, ok := p.(stopped)
			if !ok {
				panic(p)
			}
			code = int(asked)
		}
	}()
	var c cli
	parser, err := newParser(&c, out, errs)
	if err != nil {
		return complain(errs, &exit{exitUsage, err})
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(errs, "clawledger: %v\nTry \"clawledger --help\", or --help after a command.\n", err)
		return exitUsage
	}
	p := &program{ctx: ctx, out: out, err: errs, log: newLogger(errs, c.LogFormat, c.LogLevel), now: time.Now}
	return complain(errs, chosen.Run(p))
}

func newParser(c *cli, out, errs io.Writer) (*kong.Kong, error) {
	return kong.New(c, kong.Name("clawledger"), kong.Description(description), kong.Writers(out, errs),
		kong.Exit(func(code int) { panic(stopped(code)) }),
		kong.Configuration(readConfig), kong.DefaultEnvars("CLAWLEDGER"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run"}, {Key: "audit", Title: "Audit"}, {Key: "data", Title: "Keys and data"},
			{Key: "storage", Title: "Storage"}, {Key: "network", Title: "Network"}, {Key: "telemetry", Title: "Telemetry"},
			{Key: "common", Title: "Common flags"},
		}))
}

// complain shows an error to the person and answers the exit code.
func complain(errs io.Writer, err error) int {
	if err == nil {
		return 0
	}
	code := exitFailed
	var e *exit
	if errors.As(err, &e) {
		code, err = e.code, e.err
	}
	if err != nil {
		_, _ = fmt.Fprintf(errs, "clawledger: %v\n", err)
	}
	return code
}

// newLogger makes the program's log, which goes to stderr.
func newLogger(w io.Writer, format, level string) *slog.Logger {
	options := &slog.HandlerOptions{Level: map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}[level]}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// say writes a line for people.
func (p *program) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.err, format+"\n", args...)
}

// answer writes a line of the command's result.
func (p *program) answer(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

// exists reports whether there is something at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
