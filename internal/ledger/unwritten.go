package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Unwritten returns the keys for which there is no order.
func (l *Ledger) Unwritten(ctx context.Context, keys []order.Key) ([]order.Key, error) {
	var unwritten []order.Key
	for some := range slices.Chunk(keys, keysPerQuery) {
		args := make([]any, 0, 2*len(some))
		for _, key := range some {
			args = append(args, key.Merchant, key.Number)
		}
		var rows []struct {
			Merchant string `db:"merchant"`
			Number   string `db:"number"`
		}
		err := l.db.List(ctx, &rows, "SELECT merchant, number FROM orders WHERE (merchant, number) IN (VALUES (?, ?)"+
			strings.Repeat(", (?, ?)", len(some)-1)+")", args...)
		if err != nil {
			return nil, fmt.Errorf("ledger: look for orders: %w", err)
		}
		existing := make(map[order.Key]bool, len(rows))
		for _, row := range rows {
			existing[order.Key{Merchant: row.Merchant, Number: row.Number}] = true
		}
		for _, key := range some {
			if !existing[key] {
				unwritten = append(unwritten, key)
			}
		}
	}
	return unwritten, nil
}

const keysPerQuery = 100

// WorkflowsCompared returns the workflow start time up to which Temporal's
// workflows have been compared with the orders. It is zero if they never were.
func (l *Ledger) WorkflowsCompared(ctx context.Context) (time.Time, error) {
	var upTo int64
	err := l.db.Get(ctx, &upTo, "SELECT up_to FROM compared_workflows WHERE id = 1")
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("ledger: how far workflows are compared: %w", err)
	}
	return moment(upTo), nil
}

// MarkWorkflowsCompared records that workflows that started before upTo have been
// compared with the orders. A time before the stored one has no effect.
func (l *Ledger) MarkWorkflowsCompared(ctx context.Context, upTo time.Time) error {
	err := l.inTx(ctx, func(t tx) error {
		_, err := t.Put(ctx, `
			INSERT INTO compared_workflows (id, up_to, at) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET up_to = excluded.up_to, at = excluded.at WHERE compared_workflows.up_to < excluded.up_to`,
			upTo.UnixMilli(), t.At.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: note how far workflows are compared: %w", err)
	}
	return nil
}
