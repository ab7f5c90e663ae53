package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
)

// errNoChromium is what a person reads when nothing worked.
var errNoChromium = errors.New("no Chromium or Chrome found, and none could be installed: " +
	"install one (Debian: apt-get install chromium; Ubuntu: snap install chromium; Fedora: dnf install chromium; " +
	"Alpine: apk add chromium; macOS: brew install --cask chromium)")

// findOrInstall returns the path of a Chromium. It looks and installs once,
// however many tests ask. The error is errNoChromium, with what was tried.
var findOrInstall = sync.OnceValues(func() (string, error) {
	if path := find(names, places); path != "" {
		return path, nil
	}
	if err := install(); err != nil {
		return "", fmt.Errorf("%w (%w)", errNoChromium, err)
	}
	if path := find(names, places); path != "" {
		return path, nil
	}
	return "", errNoChromium
})

// names are what a Chromium is called on the PATH, the free one first.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome-headless-shell"}

// places are where a Chromium is kept off the PATH.
var places = []string{
	"/usr/lib/chromium/chromium",                   // Debian, Alpine
	"/usr/lib64/chromium-browser/chromium-browser", // Fedora
	"/opt/google/chrome/chrome",                    // Google's packages
	"/snap/bin/chromium",                           // Ubuntu
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

func find(names, places []string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// install asks Debian's package manager, as root only: nobody else's machine
// is changed unasked. It says what it does before it does it.
func install() error {
	if os.Geteuid() != 0 {
		return errors.New("installing one needs root")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get to install one with")
	}
	fmt.Fprintln(os.Stderr, "no Chromium on this machine; installing Debian's package with apt-get, about a minute")
	// Not bound to a context: a package manager killed half-way leaves a mess.
	cmd := exec.CommandContext(context.Background(), "sh", "-c",
		"apt-get update -q && apt-get install -q -y --no-install-recommends chromium")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get: %w", err)
	}
	return nil
}
