package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
)

func (s *starter) statusCommand() *cobra.Command {
	var merchant string
	var waiting waitFlags
	cmd := &cobra.Command{
		Use:   "status NUMBER",
		Short: "Where an order stands",
		Long: `Says where an order stands and what happens next, deposit or withdrawal.

Where the ledger has the order (PAYOUTS_DATABASE_URL), it decides; the order's
workflow is asked what happens next. Without a ledger the workflow tells all, or
Temporal's list if no worker answers.

The exit code is 7 when nobody sees to the order: no workflow drives it
(WORKFLOW_MISSING), another one has its id (NUMBER_SQUATTED), or it has a workflow
and the ledger does not have it (ORDER_NOT_IN_LEDGER). It is then under "problem".

--json: {"order":{"kind","merchant","number","country","way","payee","amount",
"state","gateway_id","paid","fee","fee_text","reason":{"code","text"},"instructions":{
"pay_url","pay_data","pay_data_type","account_name","account_number","bank","phone",
"pay_code","pay_ways":[{"way","type","code","logo"}],"expires_at"},
"fingerprint","next","unrecorded"},"source","changed_at","problem":{"code","text"}}.
What is not known is left out; changed_at is when the order came to stand there; unrecorded is true of a request that was refused before
anything was written down, whose number may be used again. An amount is {"value","currency"}; fee_text is the gateway's fee in its words
where fee is not exactly that; payee is whom a withdrawal pays and who pays a
deposit, masked; source is workflow, ledger or list.`,
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
			document, err := s.status(cmd.Context(), key)
			if err != nil {
				return err
			}
			s.show(document, func(w io.Writer) { writeOrder(w, document) })
			return document.trouble()
		},
	}
	s.addMerchant(cmd, &merchant)
	waiting.add(cmd, "10m")
	return cmd
}

func (s *starter) statusAtEnd(ctx context.Context, key order.Key, waiting waitFlags) error {
	known := s.record(ctx, key)
	if known.ended() {
		return s.ended(known.document())
	}
	temporal, hangUp, err := s.temporal(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	if !known.found {
		there, err := s.find(ctx, temporal, key)
		if err != nil {
			return err
		}
		if there.Squatted != "" {
			return order.Refuse(order.CodeNumberSquatted, "%s", there.Squatted)
		}
	}
	return s.await(ctx, temporal, key, waiting, nil)
}

func (s *starter) addMerchant(cmd *cobra.Command, merchant *string) {
	cmd.Flags().StringVar(merchant, "merchant", "", "merchant number; not needed when only one has the order, or there is only one")
	s.complete(cmd, "merchant", s.merchantNames)
}

// key names an order. A merchant that is not given is the only one there is, or
// the only one that has an order of the number. The error is an *order.Invalid.
func (s *starter) key(ctx context.Context, merchant, number string) (order.Key, error) {
	if merchant == "" {
		var err error
		if merchant, err = s.owner(ctx, number, s.inBooks, s.underWay); err != nil {
			return order.Key{}, err
		}
	}
	return s.namedKey(merchant, number)
}

// namedKey is key without a look for the merchant.
func (s *starter) namedKey(merchant, number string) (order.Key, error) {
	key, err := s.merchantKey(merchant)
	var wrong problems
	wrong.need("number", number, "the order number is empty")
	var invalid *order.Invalid
	if errors.As(err, &invalid) {
		wrong = append(invalid.Problems, wrong...)
	} else if err != nil {
		return order.Key{}, err
	}
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	key.Number = number
	return key, nil
}

// bookedKey is key for what only the ledger tells.
func (s *starter) bookedKey(ctx context.Context, merchant, number string) (order.Key, error) {
	if merchant == "" {
		var err error
		if merchant, err = s.owner(ctx, number, s.inBooks); order.CodeOf(err) == order.CodeOrderNotFound {
			if started, no := s.owner(ctx, number, s.underWay); no == nil { // rejected before it was written down
				merchant, err = started, nil
			}
		}
		if err != nil {
			return order.Key{}, err
		}
	}
	return s.namedKey(merchant, number)
}

// merchantKey names a merchant: the one that is given, or the only one there
// is. The error is an *order.Invalid.
func (s *starter) merchantKey(merchant string) (order.Key, error) {
	settings, err := s.settings()
	if err != nil {
		return order.Key{}, err
	}
	var wrong problems
	if numbers := settings.Merchants.Numbers(); merchant == "" {
		switch len(numbers) {
		case 1:
			merchant = numbers[0]
		case 0:
			wrong.add(codeMissing, "merchant", "--merchant is needed: PAYOUTS_MERCHANTS is not set")
		default:
			slices.Sort(numbers)
			wrong.add(codeMissing, "merchant", "--merchant is needed: PAYOUTS_MERCHANTS lists %s", strings.Join(numbers, ", "))
		}
	}
	if len(wrong) > 0 {
		return order.Key{}, &order.Invalid{Problems: wrong}
	}
	return order.Key{Merchant: merchant}, nil
}
