package payouts

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// The ledger records the actor's name, and not a name of the input.
func TestTheActorIsOnRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := order.Key{Merchant: merchant, Number: "TOPUP-7"}
	proposed, err := b.ProposeAdjustment(t.Context(), Actor{Name: "amina"}, Proposal{
		Key: key, Kind: "top_up", Amount: rupees(t, "5000"), Why: "paid in", Evidence: "slip 88",
	})
	require.NoError(t, err)
	require.Equal(t, "amina", proposed.By)
	_, err = b.ConfirmAdjustment(t.Context(), Actor{Name: "amina"}, key)
	require.Equal(t, codes.SamePerson, order.CodeOf(err))
	_, err = b.ConfirmAdjustment(t.Context(), Actor{}, key)
	require.Equal(t, order.CodeWhoMissing, order.CodeOf(err))
	booked, err := b.ConfirmAdjustment(t.Context(), Actor{Name: "dana"}, key)
	require.NoError(t, err)
	require.Equal(t, "dana", booked.DecidedBy)
	require.Equal(t, ledger.AdjustmentBooked, booked.State)

	_, _, err = b.ledger.MarkRestored(t.Context(), order.Who{By: "dana", Why: "disk lost"})
	require.NoError(t, err)
	restore, err := b.EndRestore(t.Context(), Actor{Name: "amina"}, "all found")
	require.NoError(t, err)
	require.Equal(t, "amina", restore.By)
	entries, err := b.Audit(t.Context(), Actor{}, order.Key{})
	require.NoError(t, err)
	require.Equal(t, "amina", entries[len(entries)-1].Actor)
}

// The name that is sent is the actor's, not the request's.
func TestTheActorIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.StartWithdrawal(t.Context(), Actor{Name: "bilal"}, order.Request{Merchant: merchant, Number: "INV-1", RequestedBy: "somebody else"})
	require.NoError(t, err)
	require.Equal(t, "bilal", b.orders.requests[0].RequestedBy)

	key := b.opened(t, "INV-1").Key()
	amina := Actor{Name: "amina"}
	for name, act := range map[string]func() (Order, error){
		"approve": func() (Order, error) { return b.Approve(t.Context(), amina, key, "f00d", "fine") },
		"reject":  func() (Order, error) { return b.Reject(t.Context(), amina, key, "not ours") },
		"cancel":  func() (Order, error) { return b.Cancel(t.Context(), amina, key, "by hand") },
		"note":    func() (Order, error) { return b.Note(t.Context(), amina, key, "asked") },
	} {
		b.orders.actions = nil
		_, err := act()
		require.NoError(t, err, name)
		require.Len(t, b.orders.actions, 1, name)
		require.Contains(t, fmt.Sprintf("%+v", b.orders.actions[0]), "By:amina", name)
	}
	resolved, err := b.Resolve(t.Context(), amina, key, func(country string) (order.Resolution, error) {
		require.Equal(t, "PK", country)
		return order.Resolution{State: order.Failed, By: "somebody else"}, nil
	})
	require.NoError(t, err)
	require.False(t, resolved.Pending)
	require.Contains(t, fmt.Sprintf("%+v", b.orders.actions[len(b.orders.actions)-1]), "By:amina")
}

// A number that may be a person's name is not sent, so that it does not reach the
// audit.
func TestWhatIsNoNumberIsNotSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := order.Key{Merchant: merchant, Number: "Ayesha Khan"}
	_, err := b.Note(t.Context(), Actor{Name: "amina"}, key, "text")
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
	_, err = b.Adopt(t.Context(), Actor{Name: "amina"}, key)
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
	_, err = b.RejectAdjustment(t.Context(), Actor{Name: "amina"}, key, "no")
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
	_, err = b.SetCallbackAside(t.Context(), Actor{Name: "amina"}, key.Number, "no")
	require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err))
	require.Empty(t, b.orders.actions)
	require.NotContains(t, err.Error(), "Ayesha")
}

// Without a worker it is not known whether an action on the books is done. The answer
// says where to look.
func TestActionsOnTheBooksWithoutAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	b.orders.silent = true
	amina, key := Actor{Name: "amina"}, order.Key{Merchant: merchant, Number: "TOPUP-7"}
	for look, act := range map[string]func() error{
		"adjustments of ":   func() error { _, err := b.ConfirmAdjustment(over, amina, key); return err },
		"discrepancies of ": func() error { _, err := b.CloseDiscrepancy(over, amina, 7, "w"); return err },
		"discrepancies of": func() error {
			_, err := b.WorkDiscrepancy(over, amina, order.DiscrepancyWork{DiscrepancyRef: order.DiscrepancyRef{Discrepancy: 7}, Step: order.StepExplain}, "w")
			return err
		},
		"queue of ": func() error { _, err := b.SetCallbackAside(over, amina, "f00d", "w"); return err },
		"audit of ": func() error { _, err := b.EndRestore(over, amina, "w"); return err },
	} {
		err := act()
		require.Equal(t, client.CodeNoAnswer, order.CodeOf(err), look)
		require.ErrorContains(t, err, "it may still be done as told: look with "+look)
	}
	require.Len(t, b.orders.ids, 5)
	slices.Sort(b.orders.ids)
	require.Len(t, slices.Compact(b.orders.ids), 5, "each has an id of its own")
}
