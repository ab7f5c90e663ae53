package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	width, height = 1400, 900 // of a window, in pixels
	startLimit    = time.Minute
	stopLimit     = 15 * time.Second // then it is killed
)

// chromium is a browser of our own: a process that we have started, of a user
// without a past.
type chromium struct {
	ctx  context.Context // the driver's; that of a tab derives from it
	free context.CancelFunc
	home string // removed by stop
}

// start starts the Chromium at a path and returns when it answers.
func start(path string) (*chromium, error) {
	home, err := os.MkdirTemp("", "payouts-browser-")
	if err != nil {
		return nil, fmt.Errorf("make a home for the browser: %w", err)
	}
	// The driver's own flags make it headless, silent and forgetful, with a
	// directory for its data that goes with it. As root there is no sandbox.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_CACHE_HOME="+filepath.Join(home, "cache")),
		chromedp.WindowSize(width, height),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// These tests visit this machine only, and so does the browser.
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	c := &chromium{home: home}
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	c.free = free
	// The context of the first call is the browser's life, so that it cannot
	// bear a deadline.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(quiet))
	c.ctx = ctx
	late := time.AfterFunc(startLimit, cancel)
	defer late.Stop()
	if err := chromedp.Do(ctx); err != nil {
		free()
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), os.RemoveAll(home))
	}
	return c, nil
}

// quiet is the driver's log: whatever it finds wrong comes back as an error.
func quiet(string, ...any) {}

// stop ends the browser and returns when it is gone, and what it wrote with it.
func (c *chromium) stop() error {
	ctx, cancel := context.WithTimeout(c.ctx, stopLimit)
	defer cancel()
	err := chromedp.Cancel(ctx)
	c.free()
	if err = errors.Join(err, os.RemoveAll(c.home)); err != nil {
		return fmt.Errorf("stop the browser: %w", err)
	}
	return nil
}
