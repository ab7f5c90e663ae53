package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/order"
)

// planted are personal values. None may ever be printed.
var planted = []string{"Zubaida Planted", "03009998887", "03001112223", "zubaida@planted.example", "W-PLANTED-7"}

func TestPersonalDataIsNeverPrinted(t *testing.T) {
	t.Parallel()
	full := append(withdraw[:len(withdraw):len(withdraw)], "--field", "remark="+planted[4])
	paying := append(depositing[:len(depositing):len(depositing)], "--name", planted[0], "--phone", planted[1], "--field", "remark="+planted[4])
	with := func(args []string, more ...string) []string { return append(args[:len(args):len(args)], more...) }
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"started":                  {full, exitOtherwise},
		"waited for":               {with(full, "--wait"), exitOtherwise},
		"deposit":                  {paying, exitOtherwise},
		"wrong amount":             {with(full, "--amount", planted[0]), exitUsage},
		"wrong country":            {with(full, "--country", planted[0]), exitUsage},
		"wrong merchant":           {with(full, "--merchant", planted[0]), exitUsage},
		"wrong number":             {with(full, "--number", planted[0]), exitUsage},
		"wrong field":              {with(full, "--field", planted[1]+"=1"), exitUsage},
		"field without a name":     {with(full, "--field", planted[0]), exitUsage},
		"field twice":              {with(full, "--field", "customerName="+planted[0]), exitUsage},
		"wrong duration":           {with(full, "--timeout", planted[1]), exitUsage},
		"wrong switch":             {with(full, "--wait="+planted[1]), exitUsage},
		"misspelt flag":            {with(full, "--acount="+planted[1]), exitUsage},
		"a flag out of a value":    {with(full, "--"+planted[0]), exitUsage},
		"one dash":                 {with(full, "-"+planted[1]), exitUsage},
		"one dash and a letter":    {with(full, "-p"+planted[1]), exitUsage},
		"three dashes":             {with(full, "---"+planted[1]), exitUsage},
		"an equals sign alone":     {with(full, "--="+planted[1]), exitUsage},
		"forgotten quotes":         {with(full, strings.Fields(planted[0])...), exitUsage},
		"in the place of a number": {[]string{"status", planted[0], planted[1], "--merchant", merchant}, exitUsage},
		"in the place of a command": {
			[]string{planted[0]}, exitUsage,
		},
		"a wrong way": {[]string{
			"withdraw", "--number", "INV-1", "--country", "VN", "--way", planted[0], "--amount", "100000",
			"--name", planted[0], "--account", planted[1], "--phone", planted[2],
		}, exitUsage},
		"a wrong state": {[]string{"list", "--state", planted[0]}, exitUsage},
		"a wrong kind":  {[]string{"list", "--kind", planted[0]}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{test.args, append([]string{"--json"}, test.args...)} {
				b := setup(t)
				b.temporal.started = client.Started{WorkflowID: workflowID, RunID: "run-1"}
				b.temporal.view = withdrawal(t, order.Failed)
				got := b.run(t.Context(), args...)
				require.Equal(t, test.code, got.code, got.errs)
				for _, value := range append(strings.Fields(planted[0]), planted...) {
					require.NotContains(t, strings.ToLower(got.out+got.errs), strings.ToLower(value))
				}
				if test.code == exitUsage {
					require.Empty(t, b.temporal.requests)
				}
			}
		})
	}
}

// The gateway knows the people too, and some of what it answers names them.
func TestPersonalDataOfTheGatewayIsNeverPrinted(t *testing.T) {
	t.Parallel()
	b := setupGateway(t)
	b.create(t, inThailand, thai("INV-1", "success"))
	b.gateway.Advance(time.Minute)
	for _, args := range [][]string{
		{"transactions", "--merchant", inThailand},
		{"transactions", "--merchant", inThailand, "--csv"},
		{"transactions", "--merchant", inThailand, "--json"},
		{"check-account", "--way", "VCB", "--account", planted[1], "--name", planted[0]},
		{"check-account", "--way", "VCB", "--account", planted[1] + "9", "--name", planted[0]}, // somebody else's: the answer has a name
		{"check-account", "--way", planted[0], "--account", planted[1], "--name", planted[0]},
		{"check-account", "--way", "VCB", "--account", planted[1], "--name", planted[0] + "\a"},
		{"trx", "query", planted[1]},
		{"trx", "supplement", planted[1], "--number", "CART-1"},
		{"trx", "submit", planted[0], "--gateway-id", "P1"},
		{"utr", "query", planted[1], "--number", "CART-1"},
		{"deposit-by-trx", planted[1]},
		{"codes", planted[1]},
		{"states", planted[1]},
	} {
		got := b.run(t.Context(), args...)
		require.NotEmpty(t, got.out+got.errs, args)
		for _, value := range append(strings.Fields(planted[0]), planted...) {
			require.NotContains(t, strings.ToLower(got.out+got.errs), strings.ToLower(value), args)
		}
	}
	require.NotZero(t, b.calls.Load())
}
