package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A withdrawal's funds are reserved in the ledger, but the gateway decides whether
// they suffice: it refuses a create that its own balance does not cover. Querying
// the balance before every create would cost a call per order and prove nothing,
// because another create may come between. So the create is sent without a query.
// Only after a refusal is the balance queried.

// AwaitGatewayFunds waits until the gateway's balance covers a withdrawal that the
// gateway has refused because its balance was too low. Then it sends the
// withdrawal again under its number and returns the standing. After the deadline
// the order fails, but only on fresh proof that the gateway does not have it.
func (g *Gateway) AwaitGatewayFunds(ctx context.Context, key order.Key) (Sending, error) {
	tried, err := g.attempt(ctx, key)
	if err != nil {
		return Sending{}, err
	}
	if !rules.LacksGatewayFunds(tried.standing) {
		return tried.sending(), nil // sent, or no longer to be sent
	}
	left, err := g.fundsLeft(ctx, key)
	if err != nil {
		return Sending{}, err
	}
	if tried.short && left <= 0 {
		reason := order.Reason{Code: order.CodeGatewayShort, Text: "the funds did not come by the deadline: " + tried.standing.Reason.Text}
		ended, err := g.failAbsent(ctx, key, tried.asked, reason)
		if err != nil || !rules.LacksGatewayFunds(ended) {
			return Sending{Standing: ended, Sent: true}, err
		}
	}
	wait := tried.wait
	if wait == 0 {
		wait = g.settings.PollLadder.Step(int(activity.GetInfo(ctx).Attempt))
	}
	if left > 0 {
		wait = min(wait, left)
	}
	return Sending{}, later(ErrorPending, tried.standing.Reason.Text, wait)
}

// fundsLeft returns how long the order may still wait for funds.
func (g *Gateway) fundsLeft(ctx context.Context, key order.Key) (time.Duration, error) {
	row, err := g.ledger.Order(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, permanent(err))
	}
	now, err := g.ledger.Now(ctx)
	return g.settings.fundsBefore(row).Sub(now), err
}

// afterRefusal decides about an order that the gateway is proved not to have, by
// the answer to its last create:
//
//   - after a refusal that is no proof by itself, the order fails;
//   - after a refusal for lack of funds, an order that does not wait for funds fails;
//   - after a refusal for lack of funds, an order that waits for funds is held while the
//     balance does not cover it;
//   - otherwise the create may be sent again.
func (g *Gateway) afterRefusal(ctx context.Context, row order.Order, earlier []ledger.Submission) (attempted, error) {
	last := earlier[len(earlier)-1].Reason
	var err error
	now := attempted{standing: row.Standing, asked: len(earlier)}
	switch {
	case last.Code == codes.GatewayDoubt:
		now.standing, err = g.failAbsent(ctx, row.Key(), now.asked, order.Reason{Code: order.CodeGatewayRefused, Text: last.Text})
	case last.Code == order.CodeGatewayShort && !row.WaitsForFunds:
		now.standing, err = g.failAbsent(ctx, row.Key(), now.asked, last)
	case last.Code == order.CodeGatewayShort:
		missing := g.shortfall(ctx, row)
		if missing == "" {
			if missing, now.wait, err = g.pauseAfterRefusals(ctx, earlier); err != nil {
				return attempted{}, err
			}
		}
		if now.short = missing != ""; now.short {
			now.standing, err = g.holdForFunds(ctx, row.Key(), order.Reason{Code: order.CodeGatewayShort, Text: missing})
		}
	}
	return now, err
}

// shortfall returns a text if the gateway's balance does not cover an order, or
// cannot be queried. It returns "" if the balance covers the order.
func (g *Gateway) shortfall(ctx context.Context, row order.Order) string {
	available, _, err := g.balance(ctx, row.Merchant)
	if err != nil {
		return "the gateway refused the order because its balance is too low, and the balance cannot be queried now"
	}
	if covers, err := available.Compare(row.Reservation()); err == nil && covers >= 0 {
		return ""
	}
	needed := row.Amount.String()
	if row.ExpectedFee.IsPositive() {
		needed += " and the expected fee of " + row.ExpectedFee.String()
	}
	return fmt.Sprintf("the balance at the gateway, %s available, does not cover %s", available, needed)
}

// pauseAfterRefusals returns how long the next create has to wait, and why,
// although the gateway's balance covers the amount. The gateway refused the last
// create all the same, because of a fee that is not known or of other orders in progress. Each
// refusal doubles the pause, so that a day has only a few creates. It returns ""
// if the pause is over.
func (g *Gateway) pauseAfterRefusals(ctx context.Context, earlier []ledger.Submission) (why string, wait time.Duration, err error) {
	refusals := 0
	for _, submission := range slices.Backward(earlier) {
		if submission.Reason.Code != order.CodeGatewayShort {
			break
		}
		refusals++
	}
	pause := g.settings.NotFoundGrace << min(refusals-1, maxDoublings)
	now, err := g.ledger.Now(ctx)
	if wait = earlier[len(earlier)-1].EndedAt.Add(pause).Sub(now); err != nil || wait <= 0 {
		return "", 0, err
	}
	return "the gateway refused the order for lack of funds although its balance covers the amount: its fee or other orders need more", wait, nil
}

// maxDoublings limits the pause between two creates that were refused for lack of
// funds to hours.
const maxDoublings = 8

func (g *Gateway) holdForFunds(ctx context.Context, key order.Key, reason order.Reason) (order.Standing, error) {
	held, err := g.ledger.HoldForFunds(ctx, key, reason)
	if err != nil {
		return order.Standing{}, fmt.Errorf("hold %s back for funds: %w", key, err)
	}
	return held.Standing, nil
}

// failAbsent fails an order that the gateway is proved not to have. asked is the
// number of creates before the query that proved it.
func (g *Gateway) failAbsent(ctx context.Context, key order.Key, asked int, reason order.Reason) (order.Standing, error) {
	refused, err := g.ledger.RefuseAbsent(ctx, key, asked, reason)
	if errors.Is(err, ledger.ErrState) {
		refused, err = g.ledger.Order(ctx, key) // another process has settled it or sent it again meanwhile
	}
	if err != nil {
		return order.Standing{}, fmt.Errorf("end the refused %s: %w", key, err)
	}
	return refused.Standing, nil
}
