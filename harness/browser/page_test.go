package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a page may take to show something: a machine under load
// takes its time.
const patience = 45 * time.Second

// page is a tab of the browser. What does not show in time fails the test,
// which then tells what shows instead.
type page struct {
	t   *testing.T
	ctx context.Context
}

// open opens an address in a tab that shares nothing with other tabs.
func (b *testBundle) open(t *testing.T, address string) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.chromium.ctx, chromedp.WithNewBrowserContext())
	detach := context.AfterFunc(b.ctx, cancel) // without the stack nothing will show
	t.Cleanup(func() { detach(); cancel() })
	p := &page{t: t, ctx: ctx}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, height)))
	p.visit(address)
	return p
}

// visit goes to an address as if it had been typed.
func (p *page) visit(address string) {
	p.t.Helper()
	do(p, "load "+address, chromedp.Navigate(address))
}

// text is what an element says, once it is visible.
func (p *page) text(selector string) string {
	p.t.Helper()
	return do(p, "show "+selector, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible))
}

// gone waits until there is no such element.
func (p *page) gone(selector string) {
	p.t.Helper()
	do(p, "hide "+selector, chromedp.WaitNotPresent(chromedp.CSS(selector)))
}

// click presses an element with the mouse, once it is visible, enabled and has
// stopped moving.
func (p *page) click(selector string) {
	p.t.Helper()
	do(p, "enable "+selector, chromedp.WaitEnabled(chromedp.CSS(selector)))
	p.rest()
	p.until("hold "+selector+" still", `selector => {
		const place = JSON.stringify(document.querySelector(selector)?.getBoundingClientRect())
		const before = window.placeBefore
		window.placeBefore = place
		return place && place === before
	}`, selector)
	do(p, "press "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// rest waits until nothing slides or fades any more. What pulsates for ever may
// go on.
func (p *page) rest() {
	p.t.Helper()
	p.until("come to rest", `() => document.fonts.status === "loaded" && document.getAnimations().every(
		moving => moving.playState !== "running" || moving.effect.getTiming().iterations === Infinity)`)
}

// fill types into a field, over what was in it.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	do(p, "clear "+selector, chromedp.Clear(chromedp.CSS(selector), chromedp.NodeVisible))
	do(p, "type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// address is where the tab is.
func (p *page) address() string {
	p.t.Helper()
	return do(p, "tell its address", chromedp.Location())
}

// until waits until a function of JavaScript says yes.
func (p *page) until(what, function string, arguments ...any) {
	p.t.Helper()
	do(p, what, chromedp.PollFunction[chromedp.Void](function,
		chromedp.WithPollingArgs(arguments...), chromedp.WithPollingInterval(lookEvery), chromedp.WithPollingTimeout(0)))
}

// screenshot takes a picture for the docs, if somebody wants one.
func (p *page) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("TEST_SCREENSHOT_DIR")
	if dir == "" {
		return
	}
	p.rest()
	picture := do(p, "have its picture taken", chromedp.CaptureScreenshot())
	require.Less(p.t, len(picture), 300<<10, "bytes of a picture that goes into the repository")
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)) // to be read by everybody
}

// do runs one step within the page's patience.
func do[T any](p *page, what string, step chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeoutCause(p.ctx, patience, errors.New("it takes too long"))
	defer cancel()
	result, err := chromedp.Run(ctx, step)
	if err != nil {
		p.t.Fatalf("the page does not %s: %v (%v)\n%s", what, err, context.Cause(ctx), p.shows())
	}
	return result
}

// shows is what a person would see now.
func (p *page) shows() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return fmt.Sprint("what it shows instead cannot be told: ", err)
	}
	return "it shows instead: " + text
}
