package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// openDir makes the directory and keeps a second stack out of it.
func (s *Stack) openDir() error {
	dir := s.options.Dir
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "payouts-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	s.dir = dir
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	// The kernel frees the lock when the process ends, however it ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return fmt.Errorf("another stack runs on %s; stop it, or use another directory", dir)
	}
	s.lock = lock
	return nil
}

// closeDir frees the directory, and removes it unless it is kept.
func (s *Stack) closeDir(kept bool) error {
	if s.lock == nil {
		return nil
	}
	_ = s.lock.Close()
	if kept {
		return nil
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the data directory: %w", err)
	}
	return nil
}
