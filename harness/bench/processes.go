package bench

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
)

// usage is the CPU time of each process, by name. The name here is this process, which starts
// orders, waits for them, and runs the floor's workflows.
type usage map[string]time.Duration

const here = "bench"

// usage reads the CPU time of every process. It returns nil if the system does not support it.
func (r *rig) usage() (usage, error) {
	names := append(stack.Processes(), stack.API, stack.Postgres)
	told := make(usage)
	for _, name := range names {
		if !r.stack.Running(name) {
			continue // a PostgreSQL that is not the stack's
		}
		spent, err := r.stack.CPU(name)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("CPU time of %s: %w", name, err)
		}
		told[name] = spent
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return nil, fmt.Errorf("CPU time of the benchmark: %w", err)
	}
	told[here] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return told, nil
}

// add adds the CPU time between two readings.
func (u usage) add(before, after usage) {
	for name := range after {
		u[name] += after[name] - before[name]
	}
}

// per returns the CPU time per order, in milliseconds.
func (u usage) per(n int) map[string]float64 {
	each := make(map[string]float64)
	for name, spent := range u {
		each[name] = digits(float64(spent.Microseconds()) / 1000 / float64(n))
	}
	return each
}
