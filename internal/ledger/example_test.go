package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A withdrawal's life: what it reserves when it is opened leaves when the
// gateway says that it is paid.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	books, err := ledger.Open(ctx, "sqlite:"+filepath.Join(dir, "ledger.db"))
	check(err)
	defer func() { check(books.Close()) }()
	check(books.Migrate(ctx))

	// Once per merchant and currency: what the gateway says is there.
	check(books.OpenBooks(ctx, "M1700000001", rupees("1000"), rupees("0")))

	request := order.Request{
		Kind: order.Withdrawal, Merchant: "M1700000001", Number: "PAYROLL-7", Country: "PK", Way: "JAZZCASH", Amount: rupees("250"),
	}
	row, opening, err := books.OpenOrder(ctx, request, ledger.Terms{})
	check(err)
	fmt.Println(opening, row.State)

	// Before the create is sent, and after.
	attempt, err := books.NextSubmission(ctx, request.Key(), 0)
	check(err)
	row, err = books.CompleteSubmission(ctx, request.Key(), attempt.Attempt, ledger.Answer{Outcome: ledger.Accepted, GatewayID: "P1"})
	check(err)
	fmt.Println(row.State)

	settlement, err := books.Settle(ctx, request.Key(), rules.Finding{
		Source: rules.FromQuery, Verdict: rules.Paid, GatewayID: "P1", Paid: rupees("250"), Fee: rupees("3.50"),
	})
	check(err)
	fmt.Println(settlement.Order.State)

	transfers, err := books.Transfers(ctx, request.Key())
	check(err)
	for _, t := range transfers {
		fmt.Println(t.Reason, t.From, "->", t.To, t.Amount)
	}
	verification, err := books.Verify(ctx)
	check(err)
	fmt.Println("clean:", verification.Clean())
	// Output:
	// opened reserved
	// submitted
	// succeeded
	// reserve available -> in_flight 250.00 PKR
	// payout in_flight -> paid_out 250.00 PKR
	// fee available -> fees 3.50 PKR
	// clean: true
}

func rupees(text string) money.Amount {
	amount, err := money.Parse(text, "PKR")
	check(err)
	return amount
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
