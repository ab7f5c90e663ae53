package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// These commands are for a payment that reached the gateway but no order. Its id
// is a trxId in Bangladesh and a UTR in India.

func (s *starter) trxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trx",
		Short: "Payments without an order, by the trxId (" + payouts.Having(tarspay.OperationTrxQuery) + ")",
		Long: `A payer has paid and the order does not move: ask about the wallet's transaction id
and put it on the order.

--json: {"payment"}, {"supplement"} and {"submitted"}, as the commands below say.`,
		Example: "  starter trx query 9FGT6H2K1L",
	}
	cmd.AddCommand(
		s.paymentCommand(payments{
			use: "query TRXID", id: "trxId", operation: tarspay.OperationTrxQuery, example: "  starter trx query 9FGT6H2K1L",
		}),
		s.supplementCommand(payments{
			use: "supplement TRXID --number NUMBER", id: "trxId", operation: tarspay.OperationTrxSupplement,
			example: "  starter trx supplement 9FGT6H2K1L --number CART-1",
		}),
		s.trxSubmitCommand(),
	)
	return cmd
}

func (s *starter) utrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "utr",
		Short: "Payments without an order, by the bank's UTR (" + payouts.Having(tarspay.OperationUTRQuery) + ")",
		Long: `A payer has paid and the order does not move: ask about the bank's reference of the
payment and put it on the order.

--json: {"payment"} and {"supplement"}, as the commands below say.`,
		Example: "  starter utr query 412345678901 --number CART-1",
	}
	cmd.AddCommand(
		s.paymentCommand(payments{
			use: "query UTR --number NUMBER", id: "UTR", operation: tarspay.OperationUTRQuery, numbered: true,
			example: "  starter utr query 412345678901 --number CART-1",
		}),
		s.supplementCommand(payments{
			use: "supplement UTR --number NUMBER", id: "UTR", operation: tarspay.OperationUTRSupplement,
			example: "  starter utr supplement 412345678901 --number CART-1",
			note: `
No page of the gateway shows its path: ask its support and set
PAYOUTS_UTR_SUPPLEMENT_PATH; until then the supplement is off.
`,
		}),
	)
	return cmd
}

// payments is a country's id of payments, with its calls.
type payments struct {
	use, id, example, note string
	operation              tarspay.Operation
	numbered               bool // the query wants the order number as well
}

// paymentDocument is {"payment":{…}}.
type paymentDocument struct {
	Payment payouts.Payment `json:"payment"`
}

func (s *starter) paymentCommand(p payments) *cobra.Command {
	var from callerFlags
	var number string
	cmd := &cobra.Command{
		Use:   p.use,
		Short: "The gateway's record of a payment, and its possible orders",
		Long: `Asks the gateway about a payment by its ` + p.id + `: whether it can be put on an order that
did not move, its amount, and the order that has used it already, if there is one.

--json: {"payment":{"supplement","message","amount","used_by"}}, where supplement is
possible, impossible, or unsupported: then the gateway's operations have to do it.` + callsGateway,
		Example:           p.example,
		Args:              commandline.Exactly(p.id),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := needID(p.id, args[0])
			if p.numbered {
				wrong.need("number", number, "--number is needed: the order that the payment was for")
			}
			c, err := s.caller(p.operation, from, wrong)
			if err != nil {
				return err
			}
			defer c.CloseIdle()
			found, err := c.Payment(cmd.Context(), p.operation, args[0], number)
			if err != nil {
				return err
			}
			s.showPayment(found, c.Profile)
			return nil
		},
	}
	s.addCaller(cmd, &from)
	if p.numbered {
		cmd.Flags().StringVar(&number, "number", "", "the order that the payment was for")
		s.complete(cmd, "number", func(*cobra.Command) []string { return nil })
	}
	return cmd
}

// needID checks the id of a payment. It never repeats the value, which may be a
// phone number by mistake.
func needID(name, id string) problems {
	var wrong problems
	wrong.need("id", id, "the "+name+" is empty")
	return wrong
}

func (s *starter) showPayment(p payouts.Payment, profile *tarspay.Profile) {
	s.show(paymentDocument{p}, func(w io.Writer) {
		amount := p.Amount
		if amount != "" {
			amount += " " + profile.Currency
		}
		describe(w, "payment", []fact{{"supplement", p.Supplement}, {"amount", amount}, {"used by", p.UsedBy}, {"gateway says", p.Message}})
	})
}

// supplementDocument is {"supplement":{…}}.
type supplementDocument struct {
	Supplement supplement `json:"supplement"`
}

type supplement struct {
	Done      bool   `json:"done"`
	Message   string `json:"message"`
	Number    string `json:"number"`
	GatewayID string `json:"gateway_id"`
}

func (s *starter) supplementCommand(p payments) *cobra.Command {
	var from callerFlags
	var number string
	cmd := &cobra.Command{
		Use:   p.use,
		Short: "Assign a payment to the order it was meant for",
		Long: `Puts a payment on a deposit whose payer has paid although the order did not move.
Query the payment first. The books follow what the gateway then says of the order:
by callback, or at once with starter poll. Exit code 4 when the gateway does not do
it; exit code 7 when its answer did not come: look at the order before you repeat.
` + p.note + `
--json: {"supplement":{"done","message","number","gateway_id"}}.` + callsGateway,
		Example:           p.example,
		Args:              commandline.Exactly(p.id),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := needID(p.id, args[0])
			wrong.need("number", number, "--number is needed: the order that the payment was for")
			c, err := s.caller(p.operation, from, wrong)
			if err != nil {
				return err
			}
			defer c.CloseIdle()
			result, err := c.Supplement(cmd.Context(), p.operation, args[0], number)
			if err != nil {
				return err
			}
			return s.showSupplement(result, number)
		},
	}
	s.addCaller(cmd, &from)
	cmd.Flags().StringVar(&number, "number", "", "the order that the payment was for")
	s.complete(cmd, "number", func(*cobra.Command) []string { return nil })
	return cmd
}

func (s *starter) showSupplement(result tarspay.SupplementResult, number string) error {
	document := supplementDocument{supplement{Done: result.Done, Message: result.Message, Number: number, GatewayID: result.GatewayID}}
	s.show(document, func(w io.Writer) {
		title, next := "the payment is not on order "+number, ""
		if result.Done {
			title, next = "the payment is on order "+number, "the books follow by callback, or at once with: starter poll "+number
		}
		describe(w, title, []fact{{"gateway id", result.GatewayID}, {"gateway says", result.Message}, {"next", next}})
	})
	if !result.Done {
		return outcome(exitOtherwise)
	}
	return nil
}

func (s *starter) trxSubmitCommand() *cobra.Command {
	var from callerFlags
	var number, gatewayID string
	cmd := &cobra.Command{
		Use:   "submit TRXID {--number NUMBER | --gateway-id ID}",
		Short: "Tell the gateway what the payer paid with (own cashier)",
		Long: `Tells the gateway the wallet's transaction id of a deposit that was paid through a
cashier page of your own. Without it the gateway never looks for the payment, and
no callback comes. With --number the gateway is asked for its own number first.

--json: {"submitted":{"gateway_id"}}.` + callsGateway,
		Example: `  starter trx submit 9FGT6H2K1L --number CART-1
  starter trx submit 9FGT6H2K1L --gateway-id P1795000000000000001`,
		Args:              commandline.Exactly("trxId"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := needID("trxId", args[0])
			if (number == "") == (gatewayID == "") {
				wrong.add(codeUsage, "number", "give either --number or --gateway-id")
			}
			c, err := s.caller(tarspay.OperationTrxSubmit, from, wrong)
			if err != nil {
				return err
			}
			defer c.CloseIdle()
			submitted, err := c.Submit(cmd.Context(), args[0], tarspay.Reference{OrderNumber: number, GatewayID: gatewayID})
			if err != nil {
				return err
			}
			var document submittedDocument
			document.Submitted.GatewayID = submitted
			s.show(document, func(w io.Writer) {
				printf(w, "the gateway looks for the payment of %s now; its callback follows\n", printable(submitted))
			})
			return nil
		},
	}
	s.addCaller(cmd, &from)
	addGatewayID(cmd, &gatewayID)
	cmd.Flags().StringVar(&number, "number", "", "the order that was paid")
	s.complete(cmd, "number", func(*cobra.Command) []string { return nil })
	return cmd
}

// submittedDocument is {"submitted":{"gateway_id":…}}.
type submittedDocument struct {
	Submitted struct {
		GatewayID string `json:"gateway_id"`
	} `json:"submitted"`
}
