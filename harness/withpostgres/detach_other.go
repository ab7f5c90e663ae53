//go:build !linux

package main

import "syscall"

// detach keeps a Ctrl-C meant for the command from reaching the server.
func detach(attr *syscall.SysProcAttr) {
	attr.Setsid = true
}
