package boot

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Connections are what the use cases of a process need. Each is made when it is first
// asked for, and kept until Close. They are safe for concurrent use.
type Connections struct {
	settings config.Starter
	errs     io.Writer // of the Temporal client's log, for who looks for a fault

	mutex  sync.Mutex
	ledger *ledger.Ledger
	orders *client.Client
	hangUp func()
}

// Connect connects nothing yet.
func Connect(settings config.Starter, errs io.Writer) *Connections {
	return &Connections{settings: settings, errs: errs}
}

// Ledger opens the ledger. The error is LEDGER_NOT_SET when none is configured, that of
// the settings, or an *ledger.Error.
func (c *Connections) Ledger(ctx context.Context) (payouts.Ledger, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.ledger != nil {
		return c.ledger, nil
	}
	url, err := c.settings.Ledger()
	if err != nil {
		return nil, err
	}
	if url == "" {
		return nil, order.Refuse(payouts.CodeNoLedger, "this reads the ledger: set PAYOUTS_DATABASE_URL, or PAYOUTS_DATABASE_URL_FILE, as for the worker")
	}
	c.ledger, err = Ledger(ctx, url, c.settings.AllowInsecure)
	if err != nil {
		return nil, err
	}
	return c.ledger, nil
}

// Orders dials Temporal. The error is TEMPORAL_UNREACHABLE or that of the settings.
func (c *Connections) Orders(ctx context.Context) (payouts.Orders, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.orders != nil {
		return c.orders, nil
	}
	keys, err := c.settings.ReadKeyRing()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if c.settings.LogLevel <= slog.LevelDebug {
		log = c.settings.Logger(c.errs)
	}
	temporal, err := ReadTemporal(keys, log)
	if err != nil {
		return nil, err
	}
	c.orders, c.hangUp, err = temporal.Orders(ctx)
	if err != nil {
		return nil, err
	}
	return c.orders, nil
}

// Gateway makes a merchant's client. The error is that of the settings.
func (c *Connections) Gateway(merchant string) (*tarspay.Client, error) {
	key, err := c.settings.PrivateKey(merchant)
	if err != nil {
		return nil, err
	}
	made, err := Gateway(c.settings.Access, merchant, key)
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_…", Text: "cannot be used: " + err.Error()}}}
	}
	return made, nil
}

// Close ends what was made.
func (c *Connections) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.ledger != nil {
		_ = c.ledger.Close()
	}
	if c.hangUp != nil {
		c.hangUp()
	}
	c.ledger, c.orders, c.hangUp = nil, nil, nil
}
