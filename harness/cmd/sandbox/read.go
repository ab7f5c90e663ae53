package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// print writes a value as JSON with --json, else as a table.
func (c *controls) print(out io.Writer, value any, table func(io.Writer)) error {
	if c.json {
		return commandline.WriteJSON(out, value, "  ")
	}
	tabs := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	table(tabs)
	return tabs.Flush()
}

func scenariosCommand() *cobra.Command {
	c := &controls{}
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "Print the scenarios that an order can have",
		Long: "Prints the scenarios. A create selects one by its member sandboxScenario (\"fail\", \"hidden:5\",\n" +
			"\"lost-answer,fail\"), or by the last three digits before the point of its amount (1202 fails).",
		Example: "  sandbox scenarios\n  sandbox scenarios --json",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.print(cmd.OutOrStdout(), sandbox.Scenarios(), printScenarios)
		},
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

func printScenarios(w io.Writer) {
	fmt.Fprintln(w, "NAME\tDIGITS\tDECIDES\tFOR\tWHAT HAPPENS")
	for _, s := range sandbox.Scenarios() {
		name, sides := s.Name, "both"
		if s.Argument != "" {
			name += ":" + strconv.Itoa(s.Default)
		}
		if len(s.Directions) == 1 {
			sides = s.Directions[0].String()
		}
		sentence := s.Sentence
		if s.Argument != "" {
			sentence += " (the number: " + s.Argument + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, s.Digits, s.Aspect, sides, sentence)
	}
}

func infoCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		Short:   "Print the platform's public key and the sandbox's time",
		Example: "  sandbox info",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := c.client().Info(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), info, func(w io.Writer) {
				fmt.Fprintf(w, "platform public key\t%s\ntime\t%s\n", info.PlatformKey, commandline.Moment(info.Now))
				if !info.Next.IsZero() {
					fmt.Fprintf(w, "next event\t%s\n", commandline.Moment(info.Next))
				}
			})
		},
	}
}

func bookCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "book",
		Short:   "Print the balances of the merchants",
		Example: "  sandbox book\n  sandbox book --json",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := c.client().Book(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), book, func(w io.Writer) {
				fmt.Fprintln(w, "MERCHANT\tCOUNTRY\tOPENING\tAVAILABLE\tFROZEN\tORDERS")
				for _, m := range book.Merchants {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\n", m.Merchant, m.Country, m.Opening, m.Available, m.Frozen, m.Orders)
				}
			})
		},
	}
}

func ordersCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "orders [ORDER]",
		Short:   "Print all orders, or the orders with one number",
		Example: "  sandbox orders\n  sandbox orders W-1 --json",
		Args:    commandline.AtMostOne("order"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var orders []sandbox.Order
			if len(args) == 1 {
				found, err := c.client().Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				orders = found
			} else {
				book, err := c.client().Book(cmd.Context())
				if err != nil {
					return err
				}
				orders = book.Orders
			}
			orders = slices.DeleteFunc(orders, func(o sandbox.Order) bool { return c.merchant != "" && o.Merchant != c.merchant })
			return c.print(cmd.OutOrStdout(), orders, func(w io.Writer) { printOrders(w, orders) })
		},
	}
}

func printOrders(w io.Writer, orders []sandbox.Order) {
	fmt.Fprintln(w, "ID\tMERCHANT\tNUMBER\tKIND\tAMOUNT\tPAID\tSTATE\tSCENARIO\tTIMES PAID")
	for _, o := range orders {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d %s\t%s\t%d\n",
			o.ID, o.Merchant, o.Number, o.Direction, o.Amount, o.Paid.Number(), o.State, o.State, o.Scenario, len(o.PaidAt))
	}
}

func auditCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "audit",
		Short:   "Count double payments and check the sums of the records",
		Example: "  sandbox audit --json",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			audit, err := c.client().Audit(cmd.Context())
			if err != nil {
				return err
			}
			err = c.print(cmd.OutOrStdout(), audit, func(w io.Writer) {
				fmt.Fprintf(w, "orders\t%d\nstill open\t%d\ndouble payments\t%d\ncallbacks given up\t%d\n",
					audit.Orders, audit.Open, audit.DoublePayments, audit.CallbacksUnheard)
				for _, line := range slices.Concat(audit.Doubles, audit.Problems) {
					fmt.Fprintln(w, line)
				}
			})
			if err == nil && (audit.DoublePayments > 0 || len(audit.Problems) > 0) {
				return errors.New("the audit found double payments or wrong sums")
			}
			return err
		},
	}
}

func callbacksCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "callbacks ORDER",
		Short:   "Print the callbacks of an order and how they were answered",
		Example: "  sandbox callbacks W-1",
		Args:    commandline.Exactly("order"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := c.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			deliveries, err := c.client().Deliveries(cmd.Context(), o.Merchant, o.Number)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), deliveries, func(w io.Writer) { printDeliveries(w, deliveries) })
		},
	}
}

func printDeliveries(w io.Writer, deliveries []sandbox.Delivery) {
	fmt.Fprintln(w, "CALLBACK\tSAYS\tFALSE\tSENT\tSTATUS\tANSWER\tNEXT")
	for _, d := range deliveries {
		next := "no more"
		if !d.NextAt.IsZero() {
			next = commandline.Moment(d.NextAt)
		}
		if len(d.Sends) == 0 {
			fmt.Fprintf(w, "%d\t%s\t%s\t\t\t\t%s\n", d.Serial, d.State, d.Falsehood, next)
		}
		for i, s := range d.Sends {
			if i < len(d.Sends)-1 {
				next = ""
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%.40q %s\t%s\n",
				d.Serial, d.State, d.Falsehood, commandline.Moment(s.At), s.Status, s.Answer, s.Error, next)
		}
	}
}
