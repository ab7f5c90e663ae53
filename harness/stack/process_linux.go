package stack

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ownGroup keeps a Ctrl-C meant for the parent from reaching the children,
// which are stopped in order instead, and has the kernel kill them if the
// parent dies and cannot.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// childrenOf are the running processes by their parents.
func childrenOf() map[int][]int {
	children := make(map[int][]int)
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if stat := statOf(pid); len(stat) > statParent {
			children[stat[statParent]] = append(children[stat[statParent]], pid)
		}
	}
	return children
}

// Places in what statOf returns; proc(5) counts from the pid, which is 1.
const (
	statParent = 1  // of the process
	statCPU    = 11 // four: in user mode, in the kernel, and both of its ended children
	statCPUEnd = statCPU + 4
)

// statOf returns the fields of /proc/PID/stat from the state on, with texts as 0; nil if the
// process has ended.
func statOf(pid int) []int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	// "pid (name) state parent …", and a name may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	stat := make([]int, len(fields))
	for i, field := range fields {
		stat[i], _ = strconv.Atoi(field) // the state is a letter
	}
	return stat
}

// clockTick is the unit in which the kernel tells times, on every machine.
const clockTick = time.Second / 100

// cpuTime is the time that processes and their ended children have computed.
func cpuTime(pids []int) (time.Duration, error) {
	var ticks int
	for _, pid := range pids {
		stat := statOf(pid)
		if len(stat) < statCPUEnd {
			continue // it has ended: its parent's time holds its own
		}
		for _, n := range stat[statCPU:statCPUEnd] {
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}
