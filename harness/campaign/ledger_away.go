package campaign

import (
	"database/sql"
	"errors"
	"path/filepath"
	"time"
)

// hiddenTables are renamed while the ledger is away, so statements that use them fail at
// once. A lock would make them wait.
var hiddenTables = []string{"orders", "inbox", "books"}

// setLedgerAway makes the ledger fail, or work again.
func (w *world) setLedgerAway(away bool) {
	w.mutex.Lock()
	if w.under[ledgerLost] {
		w.mutex.Unlock()
		return // only restoring a copy ends that
	}
	changed := w.under[SpellLedger] != away
	w.under[SpellLedger] = away
	w.mutex.Unlock()
	if !changed {
		return
	}
	w.must(w.rename(ledgerFile, away), "", "the ledger's tables cannot be renamed")
	w.wakeSweep()
}

func (w *world) rename(file string, away bool) error {
	return w.execFile(file, func(execute func(string) error) error {
		for _, table := range hiddenTables {
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

// execLedger runs statements on the ledger, past package ledger.
func (w *world) execLedger(by func(execute func(statement string) error) error) error {
	return w.execFile(ledgerFile, by)
}

func (w *world) execFile(file string, by func(execute func(statement string) error) error) (err error) {
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

// connect calls do with a driver connection to a ledger's file.
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

// ledgerAway reports whether the ledger fails.
func (w *world) ledgerAway() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.under[SpellLedger]
}

// answerLossTime is how long the ledger fails when it starts to fail at the answer to a
// create.
const answerLossTime = 90 * time.Second

// loseLedger makes the ledger fail for answerLossTime. It may be called on any goroutine.
func (w *world) loseLedger() {
	w.count()
	w.setLedgerAway(true)
	w.env.RegisterDelayedCallback(func() { w.setLedgerAway(false) }, answerLossTime)
}
