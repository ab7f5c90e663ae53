package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// What is shown in place of a text that cannot be read.
const (
	Encrypted = "encrypted" // this process does not have the key
	Erased    = "erased"    // the key was destroyed
	damaged   = "damaged"   // an entry of the audit that was changed, or moved from another row
)

// private encrypts and decrypts personal data: see docs/decisions/0013-personal-data.md.
type private struct {
	ring *vault.Ring // nil: new rows are in clear
	hide bool        // what this process has no key for is shown as Encrypted: for readers
}

// EncryptWith encrypts the personal data of new rows, and decrypts that of rows that
// are encrypted. Without a ring, or with nil, new rows are in clear.
func EncryptWith(ring *vault.Ring) Option {
	return func(o *options) { o.ring = ring }
}

// rowTexts decrypts the texts of one row.
type rowTexts struct {
	key     *vault.Key // nil: the row is in clear, or hidden
	hidden  bool       // this process does not have the key
	instead string     // stands for a text that does not decrypt; empty: that is an error
	mixed   bool       // besides encrypted texts the rows have others, in clear: what the program wrote, or from before the key
}

// texts returns what decrypts a row's texts, from its column data_key.
func (p private) texts(s vault.Subject, wrapped string, erased bool) (rowTexts, error) {
	var instead string
	if erased {
		instead = Erased
	}
	key, err := p.ring.Open(s, wrapped)
	var fault *vault.Fault
	if p.hide && errors.As(err, &fault) && fault.Code == vault.CodeKeyUnknown {
		return rowTexts{hidden: true}, nil
	}
	return rowTexts{key: key, instead: instead}, err
}

// orDamaged returns the same, with damaged for texts that do not decrypt.
func (r rowTexts) orDamaged() rowTexts {
	if r.instead == "" {
		r.instead = damaged
	}
	return r
}

// open decrypts a column's text, or returns what stands for it.
func (r rowTexts) open(column, text string) (string, error) {
	plain, instead, err := r.read(column, text)
	return cmp.Or(instead, plain), err
}

// read decrypts a column's text. instead stands for one that cannot be read: a person may have
// written the same word. In clear are the texts of a row without a key, and of mixed rows. Any
// other text in clear is one that does not decrypt.
func (r rowTexts) read(column, text string) (plain, instead string, err error) {
	switch {
	case text == "" || r.mixed && !vault.Sealed(text):
		return text, "", nil
	case r.hidden:
		return "", Encrypted, nil
	}
	plain, err = r.key.Open(column, text)
	if err != nil && r.instead != "" {
		return "", r.instead, nil
	}
	return plain, "", err
}

// openAll decrypts texts in place.
func (r rowTexts) openAll(columns map[string]*string) error {
	for column, text := range columns {
		plain, err := r.open(column, *text)
		if err != nil {
			return err
		}
		*text = plain
	}
	return nil
}

// hidden reports whether what stands for a text says that the text cannot be read by design.
// A text itself is not asked, unless it is JSON otherwise.
func hidden(instead string) bool { return instead == Encrypted || instead == Erased }

func orderSubject(merchant, number string) vault.Subject {
	return vault.Subject{Table: "orders", Merchant: merchant, Number: number}
}

// orderTexts returns what decrypts the texts of an order and of its audit.
func (p private) orderTexts(merchant, number, wrapped string, erasedAt int64) (rowTexts, error) {
	return p.texts(orderSubject(merchant, number), wrapped, erasedAt != 0)
}

// open decrypts the row of an order. The row keeps its key.
func (p private) open(row orderRow) (orderRow, error) {
	texts, err := p.orderTexts(row.Merchant, row.Number, row.DataKey, row.ErasedAt)
	if err == nil {
		row.key = texts.key
		err = texts.openAll(map[string]*string{"request": &row.Request, "instructions": &row.Instructions, "reason_text": &row.ReasonText})
	}
	if err != nil {
		return row, fmt.Errorf("ledger: order %s/%s: %w", row.Merchant, row.Number, err)
	}
	if hidden(row.Request) {
		row.hidden = row.Request
	}
	if hidden(row.Instructions) {
		row.Instructions = ""
	}
	return row, nil
}

// order decrypts and decodes the row of an order.
func (p private) order(row orderRow) (order.Order, error) {
	row, err := p.open(row)
	if err != nil {
		return order.Order{}, err
	}
	return row.order()
}

// sealed returns the row as it is stored.
func (p private) sealed(row orderRow) orderRow {
	row.DataKey = row.key.Stored()
	row.Fingerprint = row.key.Salted(row.Fingerprint)
	row.Request = row.key.Seal("request", row.Request)
	row.ReasonText = row.key.Seal("reason_text", row.ReasonText)
	row.Beneficiary = p.ring.Payee(row.Beneficiary)
	return row
}

// concealed returns the request of an order whose content cannot be read: what its row
// has of it.
func (r orderRow) concealed() (order.Request, error) {
	read := amounts{currency: r.Currency}
	return order.Request{
		Kind: r.Kind, Merchant: r.Merchant, Number: r.Number, Country: r.Country, Way: r.Way, Amount: read.of(r.Amount),
	}, read.err
}

// UseDataKeys checks that this process has every data key that the ledger's data may be
// encrypted with, and the same one. It records the newest key of the process, and refuses
// one that was retired. The error wraps a *vault.Fault.
func (l *Ledger) UseDataKeys(ctx context.Context) error {
	err := l.inTx(ctx, func(t tx) error {
		var used []dataKeyRow
		if err := t.List(ctx, &used, "SELECT id, proof, retired_at FROM data_keys ORDER BY first_at, id"); err != nil {
			return err
		}
		known := make(map[string]dataKeyRow)
		for _, key := range used {
			if known[key.ID] = key; key.RetiredAt != 0 && !t.ring.Has(key.ID) {
				continue
			}
			if err := t.demand(key); err != nil {
				return err
			}
		}
		newest := t.ring.Newest()
		row, recorded := known[newest]
		switch {
		case newest == "":
			return nil
		case row.RetiredAt != 0:
			return &vault.Fault{Code: vault.CodeKeyRetired, Text: fmt.Sprintf("the data key %q was replaced, and encrypts nothing any more; PAYOUTS_DATA_KEY_FILE must have a newer key first", newest)}
		case recorded:
			return nil
		}
		_, err := t.Put(ctx, "INSERT INTO data_keys (id, proof, first_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
			newest, t.ring.Proof(newest), t.At.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: check the data keys: %w", err)
	}
	return nil
}

type dataKeyRow struct {
	ID        string `db:"id"`
	Proof     string `db:"proof"`
	RetiredAt int64  `db:"retired_at"`
}

func (p private) demand(key dataKeyRow) error {
	switch {
	case !p.ring.Has(key.ID):
		return &vault.Fault{Code: vault.CodeKeyUnknown, Text: fmt.Sprintf("the ledger has data that is encrypted with the data key %q; PAYOUTS_DATA_KEY_FILE must have it", key.ID)}
	case p.ring.Proof(key.ID) != key.Proof:
		return &vault.Fault{Code: vault.CodeKeyUnknown, Text: fmt.Sprintf("the data key %q in PAYOUTS_DATA_KEY_FILE is not the one that the ledger's data is encrypted with", key.ID)}
	}
	return nil
}
