package campaign

import (
	"database/sql"
	"errors"
	"path/filepath"
	"time"
)

// A ledger that is away fails every statement that needs one of these tables.
// They are renamed for a while, by a connection of the harness's own: nothing
// waits then, as it would for a lock.
var needed = []string{"orders", "inbox", "books"}

// hide takes the ledger away from everybody, or brings it back.
func (w *world) hide(away bool) {
	w.mutex.Lock()
	if w.under[gone] {
		w.mutex.Unlock()
		return // until a copy is restored
	}
	changed := w.under[SpellLedger] != away
	w.under[SpellLedger] = away
	w.mutex.Unlock()
	if !changed {
		return
	}
	w.must(w.rename(ledgerFile, away), "", "the ledger cannot be taken away or brought back")
	w.disturb()
}

func (w *world) rename(file string, away bool) error {
	return w.alterFile(file, func(execute func(string) error) error {
		for _, table := range needed {
			from, to := table, table+"_away"
			if !away {
				from, to = to, from
			}
			if err := execute("ALTER TABLE " + from + " RENAME TO " + to); err != nil {
				return err
			}
		}
		return nil
	})
}

// alter changes the ledger's tables, by a connection of the harness's own.
func (w *world) alter(by func(execute func(statement string) error) error) error {
	return w.alterFile(ledgerFile, by)
}

func (w *world) alterFile(file string, by func(execute func(statement string) error) error) (err error) {
	db, err := w.openFile(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return by(func(statement string) error {
		_, err := db.ExecContext(w.ctx, statement)
		return err
	})
}

// connect does something with a connection to a ledger's file.
func (w *world) connect(file string, do func(connection any) error) (err error) {
	db, err := w.openFile(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	connection, err := db.Conn(w.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	return connection.Raw(do)
}

func (w *world) openFile(file string) (*sql.DB, error) {
	return sql.Open("sqlite", filepath.Join(w.dir, file)+"?_pragma=busy_timeout(5000)")
}

// away reports whether the ledger is.
func (w *world) away() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.under[SpellLedger]
}

// unwritten is how long the ledger stays away when it goes with a create's
// answer on its way.
const unwritten = 90 * time.Second

// loseLedger takes the ledger away for a while. It may be called on any
// goroutine.
func (w *world) loseLedger() {
	w.count()
	w.hide(true)
	w.env.RegisterDelayedCallback(func() { w.hide(false) }, unwritten)
}
