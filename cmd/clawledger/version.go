package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"

	"github.com/clawoffice/ledger/internal/ledger"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Answer JSON."`
}

// build says what this program was made of.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   int    `json:"record_format"`
}

func buildOf() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Format: ledger.Format}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (c *versionCmd) Run(p *program) error {
	b := buildOf()
	if c.JSON {
		return json.NewEncoder(p.out).Encode(b)
	}
	p.answer("clawledger %s (%s, %s, record format %d)", b.Version, b.Go, b.Platform, b.Format)
	if b.Revision != "" {
		p.answer("revision %s of %s%s", b.Revision, b.Time, map[bool]string{true: ", modified"}[b.Modified])
	}
	return nil
}
