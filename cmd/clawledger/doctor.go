package main

import (
	"encoding/json"
	"fmt"
)

type doctorCmd struct {
	storage `embed:""`
	Keys    string `help:"Key directory. Default: DATA/keys." placeholder:"DIR" type:"path" group:"storage"`
	Listen  string `help:"Address that serve is to listen on." default:"127.0.0.1:8080" placeholder:"ADDR" group:"network"`
	TLSCert string `name:"tls-cert" help:"Certificate that serve is to use." placeholder:"FILE" type:"path" group:"network"`
	TLSKey  string `name:"tls-key" help:"Its private key." placeholder:"FILE" type:"path" group:"network"`
	JSON    bool   `name:"json" help:"Answer JSON."`
}

func (*doctorCmd) Help() string {
	return `Changes nothing; a server may run beside it. Exit code 1 if a check failed.

Example:
  clawledger doctor --data ledger-data`
}

// The states of a finding.
const (
	fine = "ok"
	warn = "warn"
	fail = "fail"
)

// finding is what a check found, and what to do about it.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"`
}

func found(check, format string, args ...any) finding {
	return finding{Check: check, State: fine, Detail: fmt.Sprintf(format, args...)}
}

// but makes a finding one to do something about.
func (f finding) but(state, do string) finding {
	f.State, f.Do = state, do
	return f
}

func (c *doctorCmd) Run(p *program) error {
	var all []finding
	bad := false
	note := func(list ...finding) {
		for _, f := range list {
			bad = bad || f.State == fail
			if !c.JSON {
				show(p, f)
			}
		}
		all = append(all, list...)
	}
	x := examination{doctorCmd: c, program: p}
	note(x.configuration()...)
	note(x.network()...)
	note(x.disk())
	note(x.keys())
	note(x.log()...)
	if c.JSON {
		if err := json.NewEncoder(p.out).Encode(map[string]any{"ok": !bad, "checks": all}); err != nil {
			return err
		}
	}
	if bad {
		return &exit{code: exitFailed}
	}
	return nil
}

func show(p *program, f finding) {
	p.answer("%-4s  %-12s %s", f.State, f.Check, f.Detail)
	if f.Do != "" {
		p.answer("%19s→ %s", "", f.Do)
	}
}
