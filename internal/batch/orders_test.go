package batch

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A list has fee and what was paid, the end of what has ended, and no formula.
func TestWriteOrders(t *testing.T) {
	t.Parallel()
	amount := func(text string) money.Amount {
		a, err := money.Parse(text, "PKR")
		require.NoError(t, err)
		return a
	}
	at := time.Date(2026, 5, 4, 17, 0, 0, 0, time.FixedZone("PKT", 5*60*60))
	paid := Listed{
		View: order.View{
			Kind: order.Withdrawal, Merchant: "M1", Number: "A-1", Country: "PK", Way: "easypaisa", Payee: "A*** K***", Amount: amount("1500"), RequestedBy: "=amina",
			Metadata: map[string]string{"run": "May; 2", "desk": "1"},
			Standing: order.Standing{State: order.Succeeded, GatewayID: "P1", Paid: amount("1500"), FeeText: "12.345"},
		},
		CreatedAt: at, ChangedAt: at.Add(time.Minute),
	}
	open := Listed{
		View: order.View{
			Kind: order.Withdrawal, Merchant: "M1", Number: "-A-2", Amount: amount("1234567.5"), NotBefore: at,
			Standing: order.Standing{State: order.Scheduled, Fee: amount("15"), Reason: order.Reason{Code: "WAITS", Text: "for \"its\" time, still"}},
		},
		CreatedAt: at, ChangedAt: at.Add(time.Minute),
	}
	var file bytes.Buffer
	require.NoError(t, WriteOrders(&file, func(yield func(Listed, error) bool) { _ = yield(paid, nil) && yield(open, nil) }))
	require.Equal(t, `created_at,ended_at,kind,merchant,number,country,way,payee,currency,amount,fee,paid,state,code,reason,gateway_id,requested_by,not_before,metadata
2026-05-04T12:00:00Z,2026-05-04T12:01:00Z,withdrawal,M1,A-1,PK,easypaisa,A*** K***,PKR,1500.00,12.345,1500.00,succeeded,,,P1,'=amina,,desk=1; run=May; 2
2026-05-04T12:00:00Z,,withdrawal,M1,'-A-2,,,,PKR,1234567.50,15.00,,scheduled,WAITS,"for ""its"" time, still",,,2026-05-04T12:00:00Z,
`, file.String())
	broken := errors.New("the ledger is away")
	require.ErrorIs(t, WriteOrders(&file, func(yield func(Listed, error) bool) { yield(Listed{}, broken) }), broken)
}
