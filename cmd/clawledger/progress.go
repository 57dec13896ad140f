package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows progress to a person at a terminal, and nothing to anybody else.
type bar struct{ *progressbar.ProgressBar }

// newBar makes a bar of total steps on w; 0 means that the total is not known.
func newBar(w io.Writer, what string, total int64) bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return bar{}
	}
	if total == 0 {
		total = -1
	}
	return bar{progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100_000_000), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(total > 0))}
}

func (b bar) at(n int64) {
	if b.ProgressBar != nil {
		_ = b.Set64(n) // a bar that can't be drawn is no reason to stop
	}
}

func (b bar) done() {
	if b.ProgressBar != nil {
		_ = b.Finish()
	}
}
