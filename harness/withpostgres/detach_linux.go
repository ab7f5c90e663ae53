package main

import "syscall"

// detach keeps a Ctrl-C meant for the command from reaching the server, and has
// the kernel end the server if we are killed and cannot.
func detach(attr *syscall.SysProcAttr) {
	attr.Setsid = true
	attr.Pdeathsig = syscall.SIGQUIT
}
