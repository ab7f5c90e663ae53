package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/order"
)

// The metadata of an order is in its request, which is encrypted. To find orders by it,
// the ledger has a keyed hash of each entry, as it has one of the payee.

// metadataRow is the hash of one entry of an order's metadata.
type metadataRow struct {
	OrderID  int64  `db:"order_id"`
	Place    int    `db:"place"`
	Merchant string `db:"merchant"`
	Hash     string `db:"hash"`
}

// metadataHash returns the hash of an entry before it is keyed. No payee has the same.
func metadataHash(key, value string) string {
	sum := sha256.Sum256([]byte("metadata\n" + key + "\n" + value))
	return hex.EncodeToString(sum[:])
}

// metadataRows returns the rows of an order's metadata, with the newest data key.
func (p private) metadataRows(id int64, request order.Request) []metadataRow {
	given := request.GivenMetadata()
	rows := make([]metadataRow, 0, len(given))
	for i, key := range slices.Sorted(maps.Keys(given)) {
		rows = append(rows, metadataRow{OrderID: id, Place: i + 1, Merchant: request.Merchant, Hash: p.ring.Payee(metadataHash(key, given[key]))})
	}
	return rows
}

// writeMetadata inserts the hashes of an order's metadata. Without metadata it does
// nothing.
func (t tx) writeMetadata(ctx context.Context, id int64, request order.Request) error {
	rows := t.metadataRows(id, request)
	if len(rows) == 0 {
		return nil
	}
	return t.PutRows(ctx, new([]metadataRow), `
		INSERT INTO order_metadata (order_id, place, merchant, hash) VALUES (:order_id, :place, :merchant, :hash)
		RETURNING order_id, place, merchant, hash`, rows)
}

// rehashMetadata writes the hashes of an order's metadata with the newest data key.
func (t tx) rehashMetadata(ctx context.Context, id int64, request order.Request) error {
	for _, row := range t.metadataRows(id, request) {
		_, err := t.Put(ctx, "UPDATE order_metadata SET hash = ? WHERE order_id = ? AND place = ? AND hash <> ''", row.Hash, row.OrderID, row.Place)
		if err != nil {
			return err
		}
	}
	return nil
}

// withMetadata adds that an order has all of the metadata. The error is a *vault.Fault if
// this process lacks a data key that hashes may be made with: it would not find all.
func (l *Ledger) withMetadata(ctx context.Context, where *conditions, filter Filter) error {
	if len(filter.Metadata) == 0 {
		return nil
	}
	var used []dataKeyRow
	if err := l.db.List(ctx, &used, "SELECT id, proof, retired_at FROM data_keys WHERE retired_at = 0 ORDER BY first_at, id"); err != nil {
		return err
	}
	for _, key := range used {
		if err := l.private.demand(key); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(filter.Metadata)) {
		var entry conditions
		entry.equal("m.merchant", filter.Merchant)
		entry.among("m.merchant", filter.Merchants)
		entry.among("m.hash", l.private.ring.Payees(metadataHash(key, filter.Metadata[key])))
		entry.add("m.hash <> ''") // for the index
		where.add("id IN (SELECT m.order_id FROM order_metadata m WHERE "+strings.Join(entry.parts, " AND ")+")", entry.args...)
	}
	return nil
}
