package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// How long to wait for what. A person sits in front of it.
const (
	instructionsTime = 30 * time.Second // a deposit's instructions: a worker asks the gateway
	endTime          = 10 * time.Minute // --wait, unless --timeout says otherwise
	reconcileTime    = 2 * time.Minute  // a reconciliation of balances, likewise
	transactionsTime = time.Hour        // and of transactions: a call for each order
)

// connect makes what the use cases need of the settings.
type connect func(config.Starter) payouts.Parts

// service is the use cases, over what the settings name. The error is that of the
// settings.
func (s *starter) service() (*payouts.Service, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	parts := s.connect(settings)
	parts.Merchants, parts.Access, parts.UnknownAlarm = settings.Merchants, settings.Access, settings.UnknownAlarm
	parts.Now, parts.Ask = s.now, ask
	return payouts.New(parts), nil
}

// ask writes a use case on an order as a command.
func ask(useCase payouts.UseCase, key order.Key) string {
	if useCase == payouts.UseWait {
		return "starter status " + orderArguments(key) + " --wait"
	}
	return "starter " + string(useCase) + " " + orderArguments(key)
}

// self is who runs the program, for what only reads.
func (s *starter) self() payouts.Actor { return payouts.Actor{Name: s.user} }

func by(name string) payouts.Actor { return payouts.Actor{Name: name} }

// flagged names the flags that an *order.Invalid of a use case is about. Other errors
// pass.
func flagged(err error) error {
	var invalid *order.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	named := slices.Clone(invalid.Problems)
	for i, p := range named {
		if p.Code == payouts.CodeMissing && strings.HasPrefix(p.Message, p.Field+" is needed") {
			named[i].Message = "--" + p.Message
		}
	}
	return &order.Invalid{Problems: named}
}
