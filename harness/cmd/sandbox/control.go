package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// controls are the flags of every command that controls a running sandbox.
type controls struct {
	at       string
	merchant string
	json     bool
}

func withControls(build func(*controls) *cobra.Command) *cobra.Command {
	c := &controls{}
	cmd := build(c)
	f := cmd.Flags()
	f.StringVar(&c.at, "at", "http://127.0.0.1:8090", "address of the control interface")
	f.StringVar(&c.merchant, "merchant", "", "merchant number, needed if several merchants have an order of that number")
	f.BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

func (c *controls) client() *sandbox.ControlClient { return sandbox.NewControlClient(c.at) }

// find returns the order with an id or a number.
func (c *controls) find(ctx context.Context, reference string) (sandbox.Order, error) {
	orders, err := c.client().Find(ctx, reference)
	if err != nil {
		return sandbox.Order{}, err
	}
	var found []sandbox.Order
	for _, o := range orders {
		if c.merchant == "" || o.Merchant == c.merchant {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return sandbox.Order{}, fmt.Errorf("there is no order %q", reference)
	case 1:
		return found[0], nil
	}
	return sandbox.Order{}, fmt.Errorf("%d orders have the number %q; give the id of one (%s …), or --merchant", len(found), reference, found[0].ID)
}

func callbackCommand(c *controls) *cobra.Command {
	var falsehood string
	cmd := &cobra.Command{
		Use:   "callback ORDER",
		Short: "Send a callback of an order now",
		Long: "Sends a callback with the order's present state. With --false the callback has a defect. Its value is the name of\n" +
			"a scenario that sends a false callback first (see: sandbox scenarios).",
		Example: "  sandbox callback W-1\n  sandbox callback P1734517376779485186 --false wrong-signature",
		Args:    commandline.Exactly("order"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if falsehood != "" {
				if err := checkName("false callback", falsehood, sandbox.FalseCallbacks(), listScenarios); err != nil {
					return err
				}
			}
			o, err := c.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			d, err := c.client().Trigger(cmd.Context(), o.Merchant, o.Number, falsehood)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), d, func(w io.Writer) { fmt.Fprintf(w, "callback %d of %s says %s\n", d.Serial, d.ID, d.State) })
		},
	}
	cmd.Flags().StringVar(&falsehood, "false", "", "name of the callback's defect")
	return cmd
}

func scenarioCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "scenario ORDER NAME",
		Short:   "Set the scenario of an order, or of a future order number",
		Example: "  sandbox scenario W-1 stuck\n  sandbox scenario W-2 lost-answer,fail --merchant M1700000001",
		Args:    commandline.Exactly("an order", "the name of a scenario"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkScenarios(args[1]); err != nil {
				return err
			}
			merchant, number := c.merchant, args[0]
			if o, err := c.find(cmd.Context(), args[0]); err == nil {
				merchant, number = o.Merchant, o.Number
			} else if merchant == "" {
				return fmt.Errorf("%w; give --merchant to set the scenario of a future order", err)
			}
			return c.client().SetScenario(cmd.Context(), merchant, number, args[1])
		},
	}
}

func moveCommand(c *controls) *cobra.Command {
	var paid string
	cmd := &cobra.Command{
		Use:     "move ORDER STATE",
		Short:   "Set the state of an order and send its callback",
		Example: "  sandbox move W-1 failed\n  sandbox move D-1 9 --paid 500",
		Args:    commandline.Exactly("an order", "its new state"),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := parseState(args[1])
			if err != nil {
				return err
			}
			o, err := c.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			o, err = c.client().Move(cmd.Context(), o.Merchant, o.Number, state, paid)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), o, func(w io.Writer) { printOrders(w, []sandbox.Order{o}) })
		},
	}
	cmd.Flags().StringVar(&paid, "paid", "", "amount paid, for a partial payment")
	return cmd
}

// parseState returns the state with a number or a name.
func parseState(text string) (tarspay.State, error) {
	var names []string
	for _, row := range tarspay.States() {
		name := strings.ReplaceAll(row.Name, " ", "-")
		if text == name || text == strconv.Itoa(int(row.State)) {
			return row.State, nil
		}
		names = append(names, name)
	}
	return 0, commandline.Misused("%s", commandline.NoneOf("the state, where it is no number,", text, names))
}

func fundCommand(c *controls) *cobra.Command {
	var out bool
	cmd := &cobra.Command{
		Use:   "fund AMOUNT",
		Short: "Move a merchant's own money into its balance, or out of it",
		Long: "Moves a merchant's own money into its available balance, as a top-up at the gateway does. With --out\n" +
			"it moves money from the balance to the merchant's bank. The gateway sends no callback for it.",
		Example: "  sandbox fund 50000 --merchant M1700000001\n  sandbox fund 2000 --out --merchant M1700000001",
		Args:    commandline.Exactly("amount"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := c.client().Fund(cmd.Context(), c.merchant, args[0], out)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), m, func(w io.Writer) {
				fmt.Fprintf(w, "%s has %s available and %s frozen\n", m.Merchant, m.Available, m.Frozen)
			})
		},
	}
	cmd.Flags().BoolVar(&out, "out", false, "move money to the merchant's bank")
	return cmd
}

func switchCommand(c *controls) *cobra.Command {
	var names []string
	for _, row := range sandbox.Switches() {
		names = append(names, fmt.Sprintf("  %-20s %s", row.Name, row.Sentence))
	}
	return &cobra.Command{
		Use:     "switch NAME on|off",
		Short:   "Turn a condition of one or all merchants on or off",
		Long:    "Turns a condition on or off for --merchant, or for every merchant:\n\n" + strings.Join(names, "\n"),
		Example: "  sandbox switch key-expired on --merchant M1700000001\n  sandbox switch outage off",
		Args:    commandline.Exactly("the name of a switch", "on or off"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] != "on" && args[1] != "off" {
				return commandline.Misused("the second argument must be on or off")
			}
			if err := checkSwitch(args[0]); err != nil {
				return err
			}
			return c.client().Switch(cmd.Context(), c.merchant, args[0], args[1] == "on")
		},
	}
}

func keyCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:   "key PUBLIC-KEY",
		Short: "Replace a merchant's public key, as in the gateway's console",
		Long: "Replaces the public key of --merchant. Afterwards the gateway refuses calls that are signed with the\n" +
			"old key (5003005).",
		Example: "  sandbox key 02… --merchant M1700000001",
		Args:    commandline.Exactly("public key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.client().SetKey(cmd.Context(), c.merchant, args[0])
		},
	}
}

func faultsCommand(c *controls) *cobra.Command {
	var seed uint64
	var rate int
	var faults map[string]int
	cmd := &cobra.Command{
		Use:     "faults",
		Short:   "Replace the seeded fault plan; without flags, end it",
		Example: "  sandbox faults --seed 7 --rate 20\n  sandbox faults --seed 7 --fault lost-answer=50\n  sandbox faults",
		Args:    commandline.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFaults(faults); err != nil {
				return err
			}
			return c.client().SetFaults(cmd.Context(), faultPlan(seed, rate, faults))
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the plan")
	cmd.Flags().IntVar(&rate, "rate", 0, "draw every fault so often in a thousand")
	cmd.Flags().StringToIntVar(&faults, "fault", nil, "draw a fault so often in a thousand, as `name=rate`; repeatable")
	return cmd
}

func advanceCommand(c *controls) *cobra.Command {
	return &cobra.Command{
		Use:     "advance DURATION",
		Short:   "Advance the sandbox's clock and run the events that become due",
		Example: "  sandbox advance 90s\n  sandbox advance 360h",
		Args:    commandline.Exactly("duration"),
		RunE: func(cmd *cobra.Command, args []string) error {
			by, err := time.ParseDuration(args[0])
			if err != nil {
				return commandline.Misused("the duration must be like 90s, 15m or 360h")
			}
			info, err := c.client().Advance(cmd.Context(), by)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), info, func(w io.Writer) { fmt.Fprintln(w, "the sandbox's time is", commandline.Moment(info.Now)) })
		},
	}
}
