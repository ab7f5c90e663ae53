package payouts

import (
	"github.com/tarspay-payouts/orchestrator/internal/shell"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AskStarter returns the command of starter for a use case on an order, as Parts.Ask.
func AskStarter(useCase UseCase, key order.Key) string {
	switch {
	case useCase == UseWait:
		return "starter status " + orderArguments(key) + " --wait"
	case useCase == UseAdjustments:
		return "starter adjust list --merchant " + shell.Word(key.Merchant)
	case useCase == UseReport:
		return "starter report --day " + shell.Word(key.Number) + " --merchant " + shell.Word(key.Merchant)
	case useCase == UseBatch:
		return "starter batch show " + shell.Word(key.Number)
	case useCase == UseAudit && key == (order.Key{}):
		return "starter audit --installation"
	case key == (order.Key{}):
		return "starter " + string(useCase)
	}
	return "starter " + string(useCase) + " " + orderArguments(key)
}

// AskStarterFor is AskStarter for a use case about a code or a country.
func AskStarterFor(useCase UseCase, what string) string {
	if useCase == UseWays {
		return "starter ways --country " + shell.Word(what)
	}
	return "starter " + string(useCase) + " " + shell.Word(what)
}

// orderArguments returns the arguments that name an order on a command line.
func orderArguments(key order.Key) string {
	return shell.Word(key.Number) + " --merchant " + shell.Word(key.Merchant)
}
