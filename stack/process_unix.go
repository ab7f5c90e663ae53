//go:build unix && !linux

package stack

import "syscall"

// ownGroup keeps a Ctrl-C meant for the parent from reaching the children,
// which are stopped in order instead.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
