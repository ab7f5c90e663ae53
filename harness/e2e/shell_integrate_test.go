package e2e

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

const integratePage = "docs/integrate.md"

// integrateScript returns the script of docs/integrate.md, which is played in dir.
func integrateScript(h *house, dir string) script {
	const (
		receiver = "python3 examples/python/receive.py 3900 events.jsonl &"
		received = "cat events.jsonl"
		payOne   = "sh examples/curl/first_payout.sh M1700000001 "
		curl     = `curl -s -H "$AUTH" `
		read     = curl + `"$PAYOUTS_API_ADDRESS/v1/orders/M1700000001/`
		approve  = "starter approve FIRST-6 --fingerprint 908c4601 --by "
	)
	delivered := func(context.Context) (string, error) {
		text, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		return string(text), err
	}
	return script{
		oneTerminal: true,
		before: map[string]func(*testing.T){
			receiver: func(t *testing.T) { portIsFree(t, h, "127.0.0.1:3900") },
			received: func(t *testing.T) {
				until(t, h, "the delivery", delivered, func(text string) bool { return strings.Contains(text, "FIRST-4") })
			},
			"starter queue": func(t *testing.T) { h.needsPerson(t, ledger.QueueApproval, "FIRST-6") },
		},
		serves: map[string]string{
			"starter listen --forward-to http://127.0.0.1:3900/ --events withdrawal.succeeded": "signed with whsec_",
		},
		outcomes: map[string]outcome{
			curl + `"$PAYOUTS_API_ADDRESS/v1/merchants"`: {says: []string{`{"merchant":"M1700000001","country":"PK","currency":"PKR"}`}},
			payOne + "FIRST-1 1500":                      {says: []string{`"number":"FIRST-1"`, `"state":"succeeded"`, `"paid":{"value":"1500.00","currency":"PKR"}`}},
			read + `FIRST-1?wait=30s"`:                   {says: []string{`"state":"succeeded"`, `"fee":{"value":"15.00","currency":"PKR"}`}},
			payOne + "FIRST-2 1202":                      {says: []string{`"state":"failed"`, `"reason":{"code":"GATEWAY_FAILED"`}},
			payOne + "FIRST-1 1600":                      {exit: 22, says: []string{`"status":409`, "ORDER_CONFLICT"}},
			curl + `-H "Content-Type: application/json" -d '{"merchant": "M1700000001", "number": "FIRST-3", "way": "easypaissa",` +
				` "amount": {"value": "1500", "currency": "PKR"}}' "$PAYOUTS_API_ADDRESS/v1/withdrawals"`: {says: []string{
				`"status":400`, `"code":"MISSING_FIELD","field":"customerAccountNumber"`, `"code":"UNKNOWN_BANK","field":"way"`,
			}},
			`curl -s -H "Authorization: Bearer wrong" "$PAYOUTS_API_ADDRESS/v1/orders"`: {says: []string{`"status":401`, "KEY_UNKNOWN"}},
			"python3 examples/python/pay_many.py people.csv booked.csv": {says: []string{
				"500 of 500 payments are under way\n", "500 of 500 payments succeeded; see booked.csv\n",
			}},
			"head -3 booked.csv":            {says: []string{"M1700000001,MAY-002,succeeded,1500.00,15.00,P"}},
			curl + `"$EVENTS&cursor=$NEXT"`: {says: []string{`"type":"withdrawal.succeeded"`, `"next":"`}},
			"cat endpoint.json":             {says: []string{`"secret":"whsec_`, `"state":"active"`}},
			payOne + "FIRST-4 1500":         {says: []string{`"state":"succeeded"`}},
			received:                        {says: []string{`"type": "withdrawal.succeeded"`, `"number": "FIRST-4"`}},
			`curl -s -o /dev/null -w '%{http_code}\n' -d '{"type": "withdrawal.succeeded"}' http://127.0.0.1:3900/`: {says: []string{"400\n"}},
			"starter withdraw --number FIRST-5 --country PK --way easypaisa --amount 1500" +
				` --name "Ayesha Khan" --account 03007654321 --phone 03007654321 --wait`: {says: []string{"FIRST-5", "succeeded", "requested by  erp"}},
			"starter status FIRST-5":                            {says: []string{"succeeded"}},
			"starter events --from 1h --type withdrawal.failed": {says: []string{"FIRST-2", "withdrawal.failed"}},
			read + `FIRST-6"`:                                   {says: []string{`"state":"awaiting_approval"`, "START_UNSIGNED", `"fingerprint":"908c4601`}},
			"starter queue":                                     {says: []string{"starter approve FIRST-6 --merchant M1700000001 --fingerprint 908c4601"}},
			approve + "amina":                                   {says: []string{"approved by amina", "another person must approve it, too"}},
			approve + "dana":                                    {says: []string{"approved by dana"}},
			read + `FIRST-6?wait=30s"`:                          {says: []string{`"state":"succeeded"`}},
		},
		after: map[string]func(*testing.T){"Five hundred payouts": func(t *testing.T) {
			row, err := h.books.Order(h.ctx, order.Key{Merchant: "M1700000001", Number: "MAY-500"})
			require.NoError(t, err)
			require.Equal(t, order.Succeeded, row.State)
		}},
	}
}

// portIsFree waits until the port of a line can be listened on. Another run of the tests on
// this machine may have it.
func portIsFree(t *testing.T, h *house, address string) {
	t.Helper()
	until(t, h, address+" to be free", func(ctx context.Context) (bool, error) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return false, nil //nolint:nilerr // it is asked again
		}
		return true, listener.Close()
	}, func(free bool) bool { return free })
}
