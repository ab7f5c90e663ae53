package stack

import "syscall"

// ownGroup keeps a Ctrl-C meant for the parent from reaching the children,
// which are stopped in order instead, and has the kernel kill them if the
// parent dies and cannot.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
