package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) statusCommand() *cobra.Command {
	var merchant string
	var waiting waitFlags
	cmd := &cobra.Command{
		Use:   "status NUMBER",
		Short: "The state of an order, and what happens next",
		Long: `Says where an order stands and what happens next, deposit or withdrawal.

The state comes from the ledger (PAYOUTS_DATABASE_URL), if the ledger has the order.
The order's workflow says what happens next. Without a ledger the state comes from the
workflow, or from Temporal's list if no worker answers. "told by" says which it was.

The exit code is 7 when nothing drives the order: it has no workflow
(WORKFLOW_MISSING), another workflow has its id (NUMBER_SQUATTED), or only Temporal has
the order and the ledger does not (ORDER_NOT_IN_LEDGER). "problem" says which.

--json: {"order":{"kind","merchant","number","country","way","payee","requested_by",
"not_before","metadata","amount","state","gateway_id","paid","fee","fee_text",
"expected_fee","reason":{"code","text"},"instructions":{"pay_url","pay_data","pay_data_type","account_name","account_number","bank","phone",
"pay_code","pay_ways":[{"way","type","code","logo"}],"expires_at"},
"fingerprint","hidden","next","unrecorded"},"source","changed_at","problem":{"code","text"}}.
Unknown members are left out. changed_at is when the state last changed. requested_by
is who started the order, as typed then. hidden is "encrypted" if this machine lacks
PAYOUTS_DATA_KEY_FILE, or "erased": then payee, requester and fingerprint are left out. unrecorded is true if the request was refused
before it was written to the ledger; its number may be used again. An amount is
{"value","currency"}. fee_text is the fee as the gateway wrote it, if fee is not exactly
that. expected_fee is the fee on top of a withdrawal that is reserved with its amount. payee is whom a withdrawal pays, or who pays a deposit, masked. source is
workflow, ledger or list.`,
		Example: `  starter status INV-1
  starter status INV-1 --merchant M1700000001 --json
  starter status INV-1 --wait --timeout 1h`,
		Args:              commandline.Exactly("order number"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := s.key(cmd.Context(), merchant, args[0])
			if err != nil {
				return err
			}
			if waiting.wait {
				return s.statusAtEnd(cmd.Context(), key, waiting)
			}
			service, err := s.useCases()
			if err != nil {
				return err
			}
			document, err := service.Status(cmd.Context(), s.self(), key)
			if err != nil {
				return err
			}
			s.show(document, func(w io.Writer) { writeOrder(w, document) })
			return trouble(document)
		},
	}
	s.addMerchant(cmd, &merchant)
	waiting.add(cmd, "10m")
	return cmd
}

func (s *starter) statusAtEnd(ctx context.Context, key order.Key, waiting waitFlags) error {
	service, err := s.useCases()
	if err != nil {
		return err
	}
	return s.await(ctx, service.Wait, key, waiting, nil)
}

func (s *starter) addMerchant(cmd *cobra.Command, merchant *string) {
	cmd.Flags().StringVar(merchant, "merchant", "", "merchant number; not needed when only one of PAYOUTS_MERCHANTS has the order, or there is only one")
	s.complete(cmd, "merchant", s.merchantNames)
}

// key returns the key of an order. Without --merchant it uses the only configured
// merchant, or the only merchant that has an order of the number. The error is an
// *order.Invalid.
func (s *starter) key(ctx context.Context, merchant, number string) (order.Key, error) {
	return s.namedKey(ctx, merchant, number, false)
}

// bookedKey is key for commands that read only the ledger.
func (s *starter) bookedKey(ctx context.Context, merchant, number string) (order.Key, error) {
	return s.namedKey(ctx, merchant, number, true)
}

func (s *starter) namedKey(ctx context.Context, merchant, number string, booked bool) (order.Key, error) {
	service, err := s.useCases()
	if err != nil {
		return order.Key{}, err
	}
	var wrong problems
	key := order.Key{Merchant: merchant, Number: number}
	if merchant == "" {
		key, err = service.Owner(ctx, s.self(), number, booked)
		if err != nil && order.CodeOf(err) != order.CodeInvalidRequest {
			return order.Key{}, err
		}
		wrong.merge(flagged(err))
	}
	wrong.need("number", number, "the order number is empty")
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	return key, nil
}

// merchantKey returns the key of the given merchant, or of the only configured
// one. The error is an *order.Invalid.
func (s *starter) merchantKey(merchant string) (order.Key, error) {
	settings, err := s.settings()
	if err == nil && merchant == "" {
		merchant, err = payouts.OnlyMerchant(settings.Merchants)
	}
	return order.Key{Merchant: merchant}, flagged(err)
}
