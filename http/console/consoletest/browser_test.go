package consoletest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// browser is one Chromium for all tests. Each test has a context of its own in
// it, with cookies and storage of its own.
type browser struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	unread []string // what of the browser's own reports could not be read
}

// startBrowser starts Chromium, which reaches nothing but this machine.
func startBrowser(path, directory string) (*browser, error) {
	b := &browser{}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(directory, "browser")), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1440, 900),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	}
	for _, flag := range []string{"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions",
		"disable-breakpad", "disable-dev-shm-usage", "disable-hang-monitor", "disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
		"metrics-recording-only", "hide-scrollbars", "no-pings"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	if os.Getuid() == 0 { // Chromium's sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(b.note), chromedp.WithBrowserOption(chromedp.WithDialTimeout(patience)))
	b.ctx, b.cancel = ctx, func() { cancel(); stop() }
	started := make(chan error, 1)
	go func() { started <- chromedp.Run(ctx) }()
	select {
	case err := <-started:
		if err != nil {
			b.cancel()
			return nil, fmt.Errorf("start %s: %w", path, err)
		}
		return b, nil
	case <-time.After(patience):
		b.cancel()
		return nil, errors.New("the browser does not start")
	}
}

// note keeps what chromedp says. A Chromium that is newer than it reports some
// things in words that it does not know; watch looks for failures in two places.
func (b *browser) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unread = append(b.unread, fmt.Sprintf(format, args...))
}

// executor is a context for what is asked of the browser itself.
func (b *browser) executor() context.Context {
	return cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
}

func (b *browser) close() error {
	b.cancel()
	return nil
}
