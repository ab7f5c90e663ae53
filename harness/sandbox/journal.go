package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// journal is the state file: one line of JSON for each change, written as it happens. A line
// has the complete new value, so the last line of an object counts. A process that is killed
// loses at most the line that it was writing. Lines are not synced to disk, so a crash of the
// machine may lose some.
//
// When the file is opened, it is compacted: the current values are written to a new file,
// which then replaces the old one.
type journal struct {
	file *os.File
	err  error // the first; nothing is written after it
}

// record is one line. What it leaves out stays as it was.
type record struct {
	Order *order `json:"order,omitempty"`

	Merchant string `json:"merchant,omitempty"`
	Number   string `json:"number,omitempty"`
	Tries    *tries `json:"tries,omitempty"`

	Switches map[string]bool `json:"switches,omitempty"`
	KeySince time.Time       `json:"key_since,omitzero"`
	Key      string          `json:"key,omitempty"` // entered while the sandbox ran

	Funded *int64  `json:"funded,omitempty"` // all together, minor units
	Taken  *taking `json:"taken,omitempty"`  // one of them, which the history lists

	Clock time.Duration `json:"clock,omitempty"`
}

// maxLineBytes bounds a line of the state file.
const maxLineBytes = 8 << 20

// write adds a line. On a nil journal it does nothing.
func (j *journal) write(r record) {
	if j == nil || j.err != nil {
		return
	}
	_, j.err = j.file.Write(append(encodeJSON(r), '\n'))
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.err, j.file.Close())
}

// save writes an order as it stands. The lock is held.
func (g *Gateway) save(o *order) { g.journal.write(record{Order: o}) }

// restore reads the state file, if one is asked for, and takes up what it
// says: orders, counters, switches, callbacks not yet heard.
func (g *Gateway) restore() error {
	path := g.options.StateFile
	if path == "" {
		return nil
	}
	orders, order, err := g.readJournal(path)
	if err != nil {
		return err
	}
	for _, id := range order {
		if err := g.reinstate(orders[id]); err != nil {
			return err
		}
	}
	g.journal, err = g.rewrite(path)
	return err
}

// readJournal reads the lines of a file; there need not be one. A last line
// that broke off is left out.
func (g *Gateway) readJournal(path string) (orders map[string]*order, booked []string, err error) {
	orders = make(map[string]*order)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return orders, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLineBytes)
	for number := 1; lines.Scan(); number++ {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			if lines.Scan() {
				return nil, nil, fmt.Errorf("line %d is damaged", number)
			}
			break
		}
		if err := g.recall(r); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", number, err)
		}
		if r.Order != nil {
			if orders[r.Order.ID] == nil {
				booked = append(booked, r.Order.ID)
			}
			orders[r.Order.ID] = r.Order
		}
	}
	return orders, booked, lines.Err()
}

// recall takes up a line that is not an order.
func (g *Gateway) recall(r record) error {
	if r.Clock > 0 && !g.clock.stepped {
		g.clock.add(r.Clock - g.clock.lead())
	}
	if r.Merchant == "" {
		return nil
	}
	a := g.book.accounts[r.Merchant]
	if a == nil {
		return fmt.Errorf("merchant %q is not configured", r.Merchant)
	}
	if r.Tries != nil {
		g.book.tries[key{r.Merchant, r.Number}] = r.Tries
	}
	if r.Funded != nil {
		a.fund(*r.Funded)
	}
	if r.Taken != nil {
		a.take(*r.Taken)
		g.book.remember(r.Taken.ID)
	}
	if r.Switches != nil {
		a.switches, a.keySince = r.Switches, r.KeySince
	}
	if r.Key != "" {
		return a.setKey(r.Key)
	}
	return nil
}

// reinstate enters an order that was read: balances follow from its state, and
// what was to happen to it happens from now on.
func (g *Gateway) reinstate(o *order) error {
	a := g.book.accounts[o.Merchant]
	if a == nil {
		return fmt.Errorf("order %s: merchant %q is not configured", o.ID, o.Merchant)
	}
	if o.Amount.Currency() != a.profile.Currency {
		return fmt.Errorf("order %s: the merchant had another currency", o.ID)
	}
	g.book.index(o)
	g.book.remember(o.ID)
	e := o.effect()
	a.available += e.available
	a.frozen += e.frozen
	if len(o.Steps) > 0 {
		g.awaitStep(o)
	}
	for _, d := range o.Deliveries {
		d.order = o
	}
	for _, d := range o.Deliveries {
		g.awaitSend(d)
	}
	return nil
}

// rewrite makes the file anew with what counts and leaves it open for more.
func (g *Gateway) rewrite(path string) (*journal, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	j := &journal{file: file}
	if lead := g.clock.lead(); lead > 0 {
		j.write(record{Clock: lead})
	}
	for _, a := range g.book.accounts {
		j.write(record{Merchant: a.Number, Switches: a.switches, KeySince: a.keySince, Key: a.entered, Funded: &a.funded})
		for i := range a.taken {
			j.write(record{Merchant: a.Number, Taken: &a.taken[i]})
		}
	}
	for k, t := range g.book.tries {
		j.write(record{Merchant: k.merchant, Number: k.number, Tries: t})
	}
	for _, o := range g.book.orders {
		j.write(record{Order: o})
	}
	if j.err == nil {
		j.err = os.Rename(file.Name(), path)
	}
	if j.err != nil {
		_ = file.Close()
		_ = os.Remove(file.Name())
		return nil, j.err
	}
	return j, nil
}
