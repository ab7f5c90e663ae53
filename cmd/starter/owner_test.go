package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// A number that is none is not looked for, and a merchant that is named is not
// looked up.
func TestTheMerchantIsNotLookedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := starter{
		load: func() (config.Starter, error) { return b.settings, nil },
		connect: func(config.Starter) payouts.Parts {
			return payouts.Parts{
				Orders: func(context.Context) (payouts.Orders, error) { panic("asked") },
				Ledger: func(context.Context) (payouts.Ledger, error) { panic("asked") },
			}
		},
	}
	_, err := s.key(t.Context(), "", "Ayesha Khan")
	require.ErrorContains(t, err, "--merchant is needed: PAYOUTS_MERCHANTS lists")
	key, err := s.key(t.Context(), merchantVN, "INV-1")
	require.NoError(t, err)
	require.Equal(t, merchantVN, key.Merchant)
}

// With one merchant only the ledger is asked, whether the number was rejected for
// another merchant. It does not matter if it does not answer.
func TestTheOnlyMerchantIsNotLookedUpInTemporal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settings.Merchants = b.settings.Merchants[:1]
	s := starter{
		load: func() (config.Starter, error) { return b.settings, nil },
		connect: func(config.Starter) payouts.Parts {
			return payouts.Parts{
				Orders: func(context.Context) (payouts.Orders, error) { panic("asked") },
				Ledger: func(context.Context) (payouts.Ledger, error) { return nil, errors.New("away") },
			}
		},
	}
	key, err := s.key(t.Context(), "", "INV-1")
	require.NoError(t, err)
	require.Equal(t, merchant, key.Merchant)
}

// With one merchant there is one country: neither is asked for.
func TestOneMerchantNeedsNoName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.settings.Merchants = b.settings.Merchants[:1]
	b.temporal.started = client.Started{WorkflowID: workflowID}
	got := b.run(t.Context(), "withdraw", "--number", "INV-1", "--way", "easypaisa", "--amount", "1500",
		"--name", "Test Person", "--account", "03001234567", "--phone", "03001234567")
	require.Equal(t, exitDone, got.code, got.errs)
	require.Equal(t, merchant, b.temporal.requests[0].Merchant)
	require.Equal(t, "PK", b.temporal.requests[0].Country)
}
