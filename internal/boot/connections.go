package boot

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/webhook"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Connections are the connections that use cases need. Each is opened on first use
// and kept until Close. They are safe for concurrent use.
type Connections struct {
	errs io.Writer // for the Temporal client's log at level debug

	mutex  sync.Mutex
	ledger *ledger.Ledger
	hooks  WritingLedger
	sender *webhook.Sender
	orders *client.Client
	hangUp func()
}

// Connect returns Connections. It opens none yet.
func Connect(errs io.Writer) *Connections { return &Connections{errs: errs} }

// Parts returns the parts of a service with these settings. A connection keeps the
// settings of its first use.
func (c *Connections) Parts(settings config.Starter) payouts.Parts {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.sender == nil {
		c.sender = WebhookSender(settings.Webhooks, "starter")
	}
	return payouts.Parts{
		Sender:   c.sender,
		Webhooks: func(ctx context.Context) (payouts.WebhookBooks, error) { return c.openWebhooks(ctx, settings) },
		Ledger:   func(ctx context.Context) (payouts.Ledger, error) { return c.openLedger(ctx, settings) },
		Orders:   func(ctx context.Context) (payouts.Orders, error) { return c.dialTemporal(ctx, settings) },
		Gateway:  func(merchant string) (*tarspay.Client, error) { return dialGateway(settings, merchant) },
	}
}

// openLedger opens the ledger for reading only. The error is LEDGER_NOT_SET when none is configured, that of
// the settings, or an *ledger.Error.
func (c *Connections) openLedger(ctx context.Context, settings config.Starter) (payouts.Ledger, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.ledger != nil {
		return c.ledger, nil
	}
	url, err := settings.Ledger()
	if err != nil {
		return nil, err
	}
	if url == "" {
		return nil, payouts.ErrNoLedger
	}
	data, err := dataKeys(settings.DataKeyFile)
	if err != nil {
		return nil, err
	}
	opened, err := Ledger(ctx, url, settings.AllowInsecure, ledger.ReadOnly(), ledger.EncryptWith(data))
	if err != nil {
		return nil, err
	}
	c.ledger = opened
	return opened, nil
}

// openWebhooks opens the ledger for writing webhook endpoints. The errors are those of
// openLedger.
func (c *Connections) openWebhooks(ctx context.Context, settings config.Starter) (payouts.WebhookBooks, error) {
	url, err := settings.Ledger()
	if err != nil {
		return nil, err
	}
	if url == "" {
		return nil, payouts.ErrNoLedger
	}
	return c.hooks.Open(ctx, url, settings.AllowInsecure, settings.DataKeyFile)
}

// dialTemporal dials Temporal. The error is TEMPORAL_UNREACHABLE or that of the settings.
func (c *Connections) dialTemporal(ctx context.Context, settings config.Starter) (payouts.Orders, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.orders != nil {
		return c.orders, nil
	}
	keys, err := settings.ReadKeyRing()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if settings.LogLevel <= slog.LevelDebug {
		log = settings.Logger(c.errs)
	}
	temporal, err := ReadTemporal(keys, log)
	if err != nil {
		return nil, err
	}
	dialled, hangUp, err := temporal.Orders(ctx)
	if err != nil {
		return nil, err
	}
	c.orders, c.hangUp = dialled, hangUp
	return dialled, nil
}

// dialGateway returns a merchant's gateway client. The error is that of the
// settings.
func dialGateway(settings config.Starter, merchant string) (*tarspay.Client, error) {
	key, err := settings.PrivateKey(merchant)
	if err != nil {
		return nil, err
	}
	made, err := Gateway(settings.Access, merchant, key)
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: "PAYOUTS_…", Text: "cannot be used: " + err.Error()}}}
	}
	return made, nil
}

// Close closes the open connections.
func (c *Connections) Close() {
	c.hooks.Close()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.sender != nil {
		c.sender.Close()
	}
	if c.ledger != nil {
		_ = c.ledger.Close()
	}
	if c.hangUp != nil {
		c.hangUp()
	}
	c.ledger, c.orders, c.hangUp = nil, nil, nil
}
