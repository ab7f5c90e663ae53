package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

// service is the use cases, over what the settings name. The error is that of the
// settings.
func (s *starter) service() (*payouts.Service, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	return payouts.New(payouts.Parts{
		Merchants: settings.Merchants, Access: settings.Access, UnknownAlarm: settings.UnknownAlarm,
		Ledger: func(ctx context.Context) (payouts.Ledger, error) {
			l, hangUp, err := s.ledger(ctx)
			s.kept(hangUp)
			return l, err
		},
		Orders: func(ctx context.Context) (payouts.Orders, error) {
			temporal, hangUp, err := s.temporal(ctx)
			s.kept(hangUp)
			return temporal, err
		},
		Gateway: s.gateway(settings), Now: s.now, Ask: ask,
	}), nil
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
