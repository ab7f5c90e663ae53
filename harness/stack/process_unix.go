//go:build unix && !linux

package stack

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ownGroup keeps a Ctrl-C meant for the parent from reaching the children,
// which are stopped in order instead.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// childrenOf are the running processes by their parents.
func childrenOf() map[int][]int {
	children := make(map[int][]int)
	text, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output() //nolint:noctx // prints a list and ends
	if err != nil {
		return children // then only the process itself is killed
	}
	for line := range strings.Lines(string(text)) {
		var pid, parent int
		if _, err := fmt.Sscan(line, &pid, &parent); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// cpuTime is told by Linux only.
func cpuTime([]int) (time.Duration, error) { return 0, errors.ErrUnsupported }
