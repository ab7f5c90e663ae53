package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Time limits. They are short because a person waits.
const (
	instructionsTime = 30 * time.Second // a deposit's instructions: a worker asks the gateway
	endTime          = 10 * time.Minute // --wait, unless --timeout says otherwise
	reconcileTime    = 2 * time.Minute  // a reconciliation of balances, likewise
	transactionsTime = time.Hour        // and of transactions: a call for each order
)

// connect returns the parts of the use cases for the settings.
type connect func(config.Starter) payouts.Parts

// service returns the use cases with the settings of the environment. The error is
// that of the settings.
func (s *starter) service() (*payouts.Service, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	s.signing = settings.Signing
	parts := s.connect(settings)
	parts.Merchants, parts.Access, parts.UnknownAlarm = settings.Merchants, settings.Access, settings.UnknownAlarm
	parts.Now, parts.Ask, parts.AskFor = s.now, ask, askFor
	return payouts.New(parts), nil
}

// ask returns the command for a use case on an order.
func ask(useCase payouts.UseCase, key order.Key) string {
	switch {
	case useCase == payouts.UseWait:
		return "starter status " + orderArguments(key) + " --wait"
	case useCase == payouts.UseAdjustments:
		return "starter adjust list --merchant " + shellWord(key.Merchant)
	case useCase == payouts.UseBatch:
		return "starter batch show " + shellWord(key.Number)
	case useCase == payouts.UseAudit && key == (order.Key{}):
		return "starter audit --installation"
	case key == (order.Key{}):
		return "starter " + string(useCase)
	}
	return "starter " + string(useCase) + " " + orderArguments(key)
}

// askFor returns the command for a use case about a code or a country.
func askFor(useCase payouts.UseCase, what string) string {
	if useCase == payouts.UseWays {
		return "starter ways --country " + shell.Word(what)
	}
	return "starter " + string(useCase) + " " + shell.Word(what)
}

// self returns the user as the actor of commands that only read.
func (s *starter) self() payouts.Actor { return payouts.Actor{Name: s.user} }

// flagged adds the names of flags to an *order.Invalid of a use case. It returns
// other errors unchanged.
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
