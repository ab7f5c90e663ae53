package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tarspay-payouts/orchestrator/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// A withdrawal's funds are reserved in the ledger, and the gateway has the last
// word on whether they are there: it refuses a create that its own balance does
// not cover. Asking for the balance before every create would cost a call per
// order and prove nothing, because another create may come between. So the
// create itself asks; only an order that was refused looks at the balance.

// AwaitGatewayFunds goes on until the gateway's balance covers a withdrawal that it
// has refused for want of funds, sends it again under its number, and says
// where it stands then. After its deadline the order fails, on fresh proof that
// the gateway does not have it.
func (g *Gateway) AwaitGatewayFunds(ctx context.Context, key order.Key) (Sending, error) {
	tried, err := g.attempt(ctx, key)
	if err != nil {
		return Sending{}, err
	}
	if !tried.standing.LacksGatewayFunds() {
		return tried.sending(), nil // sent, or not to be sent any more
	}
	left, err := g.fundsLeft(ctx, key)
	if err != nil {
		return Sending{}, err
	}
	if tried.short && left <= 0 {
		reason := order.Reason{Code: order.CodeGatewayShort, Text: "it waited for funds in vain: " + tried.standing.Reason.Text}
		ended, err := g.refuse(ctx, key, tried.asked, reason)
		if err != nil || !ended.LacksGatewayFunds() {
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

// fundsLeft is how long the order may still wait for funds.
func (g *Gateway) fundsLeft(ctx context.Context, key order.Key) (time.Duration, error) {
	row, err := g.ledger.Order(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, permanent(err))
	}
	now, err := g.ledger.Now(ctx)
	return g.settings.fundsBefore(row).Sub(now), err
}

// afterRefusal says where an order stands that is proved not to be at the
// gateway, by how its last create was answered. It is failed when that was a
// refusal in words that are no proof by themselves; it is held back when the
// refusal was for want of funds, they are still short, and it waits for them.
// Else it may be sent again.
func (g *Gateway) afterRefusal(ctx context.Context, row order.Order, earlier []ledger.Submission) (attempted, error) {
	last := earlier[len(earlier)-1].Reason
	var err error
	now := attempted{standing: row.Standing, asked: len(earlier)}
	switch {
	case last.Code == order.CodeGatewayDoubt:
		now.standing, err = g.refuse(ctx, row.Key(), now.asked, order.Reason{Code: order.CodeGatewayRefused, Text: last.Text})
	case last.Code == order.CodeGatewayShort && !row.WaitsForFunds:
		now.standing, err = g.refuse(ctx, row.Key(), now.asked, last)
	case last.Code == order.CodeGatewayShort:
		missing := g.missing(ctx, row)
		if missing == "" {
			if missing, now.wait, err = g.disbelieved(ctx, earlier); err != nil {
				return attempted{}, err
			}
		}
		if now.short = missing != ""; now.short {
			now.standing, err = g.hold(ctx, row.Key(), order.Reason{Code: order.CodeGatewayShort, Text: missing})
		}
	}
	return now, err
}

// missing says what keeps the gateway's balance from covering an order; empty
// when it does.
func (g *Gateway) missing(ctx context.Context, row order.Order) string {
	available, _, err := g.balance(ctx, row.Merchant)
	if err != nil {
		return "the gateway refused it for want of funds, and its balance cannot be asked just now"
	}
	if covers, err := available.Compare(row.Amount); err == nil && covers >= 0 {
		return ""
	}
	return fmt.Sprintf("the balance at the gateway, %s available, does not cover %s", available, row.Amount)
}

// disbelieved says that a balance which covers the amount is not believed yet:
// the gateway has refused it all the same, because of its fee, or of other orders
// under way. Each refusal doubles how long the next create waits, so that a day
// of them is a handful of creates.
func (g *Gateway) disbelieved(ctx context.Context, earlier []ledger.Submission) (why string, wait time.Duration, err error) {
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
	return "the gateway refused it for want of funds although its balance covers the amount, so more is needed: its fee, or what other orders take", wait, nil
}

// maxDoublings keeps the pause between two creates that were refused for want of
// funds within hours.
const maxDoublings = 8

func (g *Gateway) hold(ctx context.Context, key order.Key, reason order.Reason) (order.Standing, error) {
	held, err := g.ledger.HoldForFunds(ctx, key, reason)
	if err != nil {
		return order.Standing{}, fmt.Errorf("hold %s back for funds: %w", key, err)
	}
	return held.Standing, nil
}

// refuse ends an order that the gateway is proved not to have, when so many
// creates have been asked about.
func (g *Gateway) refuse(ctx context.Context, key order.Key, asked int, reason order.Reason) (order.Standing, error) {
	refused, err := g.ledger.RefuseAbsent(ctx, key, asked, reason)
	if errors.Is(err, ledger.ErrState) {
		refused, err = g.ledger.Order(ctx, key) // settled, or tried again, while we were on the way
	}
	if err != nil {
		return order.Standing{}, fmt.Errorf("end the refused %s: %w", key, err)
	}
	return refused.Standing, nil
}
