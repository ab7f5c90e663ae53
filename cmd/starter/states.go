package main

import (
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/commandline"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) statesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "states [STATE]",
		Short: "What the gateway's states mean on each side",
		Long: `Explains the gateway's state numbers, all or one: what each means for a deposit and
for a withdrawal, whether the gateway ends there, whether its payAmount counts, and
whether a callback tells of it or only a query.

--json: {"states":[{"state","name","deposit":{"documented","final","paid",
"called_back","text","confidence"},"withdrawal":{…}}]}, where confidence is that of the
text; that a state is final is inferred for all.`,
		Example: `  starter states
  starter states 6`,
		Args:              commandline.AtMostOne("state"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			document, err := statesOf(args)
			if err != nil {
				return err
			}
			s.show(document, func(w io.Writer) { writeStates(w, document.States) })
			return nil
		},
	}
}

// statesDocument is {"states":[…]}.
type statesDocument struct {
	States []gatewayState `json:"states"`
}

type gatewayState struct {
	State      tarspay.State `json:"state"`
	Name       string        `json:"name"`
	Deposit    stateMeaning  `json:"deposit"`
	Withdrawal stateMeaning  `json:"withdrawal"`
}

type stateMeaning struct {
	Documented bool   `json:"documented"`
	Final      bool   `json:"final"`
	Paid       bool   `json:"paid"`        // payAmount counts
	CalledBack bool   `json:"called_back"` // a callback tells of it
	Text       string `json:"text"`

	Confidence tarspay.Confidence `json:"confidence"` // how sure the text is
}

// statesOf returns the named state, or all states.
func statesOf(args []string) (statesDocument, error) {
	var document statesDocument
	for _, row := range tarspay.States() {
		document.States = append(document.States, gatewayState{row.State, row.Name, stateMeaning(row.Deposit), stateMeaning(row.Withdrawal)})
	}
	if len(args) == 0 {
		return document, nil
	}
	number, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return statesDocument{}, &order.Invalid{Problems: []order.Problem{{Code: codeUsage, Field: "state", Message: "a state of the gateway is a number; starter states lists them"}}}
	}
	asked := tarspay.State(number)
	if !asked.Documented() {
		document.States = []gatewayState{{
			asked, asked.String(), stateMeaning(asked.Meaning(tarspay.DirectionDeposit)), stateMeaning(asked.Meaning(tarspay.DirectionWithdrawal)),
		}}
		return document, nil
	}
	document.States = slices.DeleteFunc(document.States, func(s gatewayState) bool { return s.State != asked })
	return document, nil
}

func writeStates(w io.Writer, states []gatewayState) {
	var rows [][]string
	for _, s := range states {
		for _, side := range []struct {
			name string
			stateMeaning
		}{{"deposit", s.Deposit}, {"withdrawal", s.Withdrawal}} {
			rows = append(rows, []string{
				strconv.Itoa(int(s.State)), s.Name, side.name, yes(side.Final), yes(side.Paid), yes(side.CalledBack), string(side.Confidence), side.Text,
			})
		}
	}
	table(w, []string{"STATE", "NAME", "OF A", "FINAL", "PAID", "CALLED BACK", "CONFIDENCE", "MEANING"}, rows)
	if len(states) == 1 && !states[0].State.Documented() {
		printf(w, "an order in this state is queried until its state changes\n")
	}
}
