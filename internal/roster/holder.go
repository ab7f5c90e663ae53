package roster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/trusted"
)

// Holder has the roster in force, and loads the next one when the file changes. It
// is safe for concurrent use.
//
// The signatures of a roster are in a file with the same name plus .sig. It
// contains the output of two calls of `ssh-keygen -Y sign -n payouts`, one after
// the other.
type Holder struct {
	path    string
	accept  func(next *Roster, text, signatures []byte) error
	newer   func(inForce *Roster) (*Roster, error)
	now     func() time.Time
	loading sync.Mutex // one check of the file at a time; held while accept writes
	looked  time.Time  // when the files were last checked
	seen    [2]fileMark
	read    bool       // the files were read at least once: a missing one has the mark of none
	mu      sync.Mutex // of what a transaction reads, which must not wait for accept
	current *Roster
	problem error // why the file is not in force
}

// Options are the options of Open.
type Options struct {
	// InForce is the text of the roster that the installation uses. If it is
	// empty, the roster in the file is the first one, and comes into force without
	// signatures.
	InForce []byte
	// Accept is called before a roster comes into force, also for the first one.
	// After an error the roster does not come into force, and Accept is called
	// again later. signatures is the file of signatures; nil of the first roster. It
	// may be nil.
	Accept func(next *Roster, text, signatures []byte) error
	// Newer returns a roster that other processes have put in force since the one in force, or
	// nil. It is called at each check of the file. It may be nil.
	Newer func(inForce *Roster) (*Roster, error)
	// Now is time.Now if nil.
	Now func() time.Time
}

// lookEvery is the shortest time between two checks of the file. A revocation
// takes effect within that time.
const lookEvery = time.Second

// Open reads the roster of a file. If the installation uses another roster, the
// file must be its successor. Otherwise the used roster stays in force, and
// Problem says why.
func Open(path string, options Options) (*Holder, error) {
	h := &Holder{path: path, accept: options.Accept, newer: options.Newer, now: options.Now}
	if h.now == nil {
		h.now = time.Now
	}
	if len(options.InForce) > 0 {
		current, err := Parse(options.InForce, "the roster in force")
		if err != nil {
			return nil, fmt.Errorf("roster: the one in force: %w", err)
		}
		h.current = current
		h.Current()
		return h, nil
	}
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	h.looked, h.seen, h.read = h.now(), h.marks(), true
	first, err := Parse(text, path)
	if err != nil {
		return nil, err
	}
	if err := h.accepted(first, text, nil); err != nil {
		return nil, err
	}
	h.current = first
	return h, nil
}

// Current returns the roster in force. At most once per second it checks whether
// the file has changed, or whether another process has a newer roster. A file that is not
// a successor has no effect, see Problem.
func (h *Holder) Current() *Roster {
	h.loading.Lock()
	defer h.loading.Unlock()
	now := h.now()
	if past := now.Sub(h.looked); past >= 0 && past < lookEvery {
		return h.InForce()
	}
	next, problem := h.fromFile(now)
	if next == nil && h.newer != nil {
		next, problem = h.fromOthers(problem)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problem = problem
	if next != nil {
		h.current = next
	}
	return h.current
}

// fromFile returns the roster of the file if it may follow, and why the file is not in force.
func (h *Holder) fromFile(now time.Time) (next *Roster, problem error) {
	h.looked = now
	marks := h.marks()
	if h.read && marks == h.seen && h.Problem() == nil && !h.fresh(marks) {
		return nil, nil //nolint:nilnil // nothing follows, and nothing is wrong
	}
	// The marks are taken before the files are read, so a change in between is
	// found at the next check.
	h.seen, h.read = marks, true
	return h.loadSuccessor(now)
}

// fromOthers returns the roster that other processes have put in force. problem is that of the
// file.
func (h *Holder) fromOthers(problem error) (*Roster, error) {
	next, err := h.newer(h.InForce())
	switch {
	case err != nil:
		return nil, errors.Join(problem, fmt.Errorf("roster: one is stored that may not follow: %w", err))
	case next == nil:
		return nil, problem
	}
	return next, Problems{{CodeNotNext, h.path, 1, "the roster in force is " + next.Hash() + ", and the file has another one: put the newer one in its place"}}
}

// Watch checks the file every second until the context ends, also while nobody asks who may
// act: else a roster that was replaced within that time would never have been in force, and
// the next one would not follow. tell is called once for each reason why the file is not in
// force, and with nil when it is again.
func (h *Holder) Watch(ctx context.Context, tell func(problem error)) {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	told := ""
	for {
		h.Current()
		if ctx.Err() != nil {
			return
		}
		problem, text := h.Problem(), ""
		if problem != nil {
			text = problem.Error()
		}
		if text != told {
			tell(problem)
		}
		told = text
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// InForce returns the roster in force. It does not check the file: it is for a
// caller within a transaction of the database that Accept writes to, who has called
// Current before.
func (h *Holder) InForce() *Roster {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// Problem returns why the file is not in force, or nil. It does not check the
// file.
func (h *Holder) Problem() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.problem
}

// loadSuccessor loads the file if it is the successor of the roster in force. It returns
// nil if the file has the roster in force.
func (h *Holder) loadSuccessor(now time.Time) (*Roster, error) {
	text, err := read(h.path)
	if err != nil {
		return nil, err
	}
	inForce := h.InForce()
	if hashOf(text) == inForce.hash {
		return nil, nil //nolint:nilnil // nothing follows, and nothing is wrong
	}
	signatures, err := read(h.path + ".sig")
	if err != nil {
		if _, wrong := Parse(text, h.path); wrong != nil {
			return nil, wrong // said before anybody signs it
		}
		return nil, err
	}
	next, err := Succeeds(inForce, text, h.path, SplitSignatures(signatures), now)
	if err != nil {
		return nil, err
	}
	if err := h.accepted(next, text, signatures); err != nil {
		return nil, err
	}
	return next, nil
}

func (h *Holder) accepted(next *Roster, text, signatures []byte) error {
	if h.accept == nil {
		return nil
	}
	if err := h.accept(next, bytes.Clone(text), signatures); err != nil {
		return fmt.Errorf("roster: %s is not in force: %w", h.path, err)
	}
	return nil
}

// ReadFile reads the roster of a file, whether it may come into force or not. The error is a
// Problems.
func ReadFile(path string) (*Roster, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(text, path)
}

// read reads a whole file. It refuses a file that others can change.
func read(path string) ([]byte, error) {
	text, err := trusted.Read(path, MaxBytes, trusted.Write)
	var open *trusted.OpenError
	switch {
	case errors.As(err, &open):
		return nil, Problems{{CodeUnreadable, path, 1, "the file is one that " + open.Error()}}
	case err != nil:
		return nil, Problems{{CodeUnreadable, path, 1, fmt.Sprintf("the file cannot be read: %v", err)}}
	}
	return text, nil
}

// fileMark identifies a state of a file.
type fileMark struct {
	size    int64
	changed int64 // in nanoseconds; 0: there is no such file
}

func (h *Holder) marks() [2]fileMark {
	var marks [2]fileMark
	for i, path := range []string{h.path, h.path + ".sig"} {
		if info, err := os.Stat(path); err == nil {
			marks[i] = fileMark{info.Size(), info.ModTime().UnixNano()}
		}
	}
	return marks
}

// clockGrain is longer than the resolution of any file system's times.
const clockGrain = 2 * time.Second

// fresh reports whether a file was changed so recently that a further change may
// have left the same mark.
func (h *Holder) fresh(marks [2]fileMark) bool {
	for _, mark := range marks {
		if mark.changed != 0 && h.now().Sub(time.Unix(0, mark.changed)) < clockGrain+lookEvery {
			return true
		}
	}
	return false
}
