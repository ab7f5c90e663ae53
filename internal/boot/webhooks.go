package boot

import (
	"context"
	"sync"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
)

// WebhookSender returns what sends events. Receivers see the version.
func WebhookSender(settings config.Webhooks, version string) *webhook.Sender {
	return webhook.NewSender(webhook.Options{AllowPrivate: settings.WebhookAllowPrivate, Version: version})
}

// WritableBooks are what a WritingLedger may write.
type WritableBooks interface {
	payouts.WebhookBooks
	payouts.SessionBooks
}

// WritingLedger is a second connection to the ledger, of a process that only reads it
// otherwise. It writes webhook endpoints and log-outs. It is opened on first use, and kept until Close.
// It is safe for concurrent use.
type WritingLedger struct {
	mutex  sync.Mutex
	opened *ledger.Ledger
}

// Open returns the ledger. It checks the data keys.
func (w *WritingLedger) Open(ctx context.Context, url config.Secret, accepted config.Insecure, dataKeyFile string) (WritableBooks, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.opened != nil {
		return w.opened, nil
	}
	data, err := dataKeys(dataKeyFile)
	if err != nil {
		return nil, err
	}
	opened, err := Ledger(ctx, url, accepted, ledger.EncryptWith(data))
	if opened, err = useDataKeys(ctx, opened, err); err != nil {
		return nil, err
	}
	w.opened = opened
	return opened, nil
}

// Close closes the connection.
func (w *WritingLedger) Close() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.opened != nil {
		_ = w.opened.Close()
	}
	w.opened = nil
}
