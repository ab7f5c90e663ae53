package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/activities"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A note, which nobody signs, has the mark of an erasure that somebody signs later. The erasure
// happens.
func TestANoteDoesNotUseUpABookAction(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		o.SetErasing(ledger.Erasing{Record: func(ledger.Erasure) error { return nil }})
		cancelled := o.cancels("W-1")
		who := o.proves("amina", "asked by the payee", func(who order.Who) envelope.Envelope {
			return envelope.Erase(who, cancelled.Key(), installation, o.now(), time.Hour)
		})
		for _, id := range []string{"erase  " + who.ID, "book erase  " + who.ID} {
			_, refusal, _, err := o.Act(t.Context(), cancelled.Key(), order.Note{ID: id, By: "mallory", Text: "hello"}, false)
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		require.NotEmpty(t, o.row(cancelled.Key()).Details)
		_, refusal, err := o.EraseOrder(t.Context(), cancelled.Key(), who)
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Empty(t, o.row(cancelled.Key()).Details)
	})
}

// People write the words that stand for texts that cannot be read. The audit is whole.
func TestWordsThatStandForHiddenTexts(t *testing.T) {
	onSealed(t, func(o *office, keys *seal.Keys) {
		t := o.t
		for i, word := range []string{ledger.Erased, ledger.Encrypted, "damaged"} {
			waiting := o.waits(fmt.Sprint("W-", i))
			_, refusal, _, err := o.Act(t.Context(), waiting.Key(), order.Note{ID: envelope.NewID(), By: "anybody", Text: word}, false)
			require.NoError(t, err)
			require.Nil(t, refusal)
			e, refusal := envelope.Of(order.Cancellation{By: "amina", Why: word}, waiting, installation, o.now(), time.Hour)
			require.Nil(t, refusal)
			signed, err := envelope.Sign(e, keyOf(t, "amina"))
			require.NoError(t, err)
			_, refusal = o.sends(waiting.Key(), signed)
			require.Nil(t, refusal)
		}
		require.Empty(t, o.broken(keys))
		o.writes("UPDATE orders SET reason_code = 'CANCELLED_AGAIN' WHERE number = 'W-0'")
		require.NotEmpty(t, o.broken(keys), "such a reason is compared as any other")
	})
}

// Whoever writes rows chooses the id of a stop. Two persons resume it; that does not prove the
// end of a stop that began afterwards.
func TestAPlantedStopProvesNoLaterEnd(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		insert := "INSERT INTO stops (id, merchant, country, at, actor, why) "
		if !strings.HasPrefix(o.url, "sqlite:") {
			insert += "OVERRIDING SYSTEM VALUE "
		}
		o.writes(insert + fmt.Sprintf("VALUES (1000, 'M1', '', %d, 'fara', 'a drill')", o.now().UnixMilli()))
		for _, by := range []string{"amina", "bilal"} {
			_, refusal, err := o.ResumePayouts(t.Context(), 1000, o.proves(by, "the drill is over", func(who order.Who) envelope.Envelope {
				return envelope.Resume(who, order.StopScope{Merchant: "M1"}, 1000, installation, o.now(), time.Hour)
			}))
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		key := o.opens(o.signs(o.request("W-1", ""), "chen", same)).Key()
		stop, refusal, err := o.StopPayouts(t.Context(), order.StopScope{Merchant: "M1"}, order.Who{By: "amina", Why: "fraud"})
		require.NoError(t, err)
		require.Nil(t, refusal)
		o.writes(fmt.Sprintf("UPDATE stops SET proposer = 'bilal', ended_by = 'erin', ended_at = %d WHERE id = %d", o.now().UnixMilli(), stop.ID))
		held, _, err := o.HeldBack(t.Context(), key)
		require.NoError(t, err)
		require.NotNil(t, held)
		_, err = o.NextSubmission(t.Context(), key, 0)
		require.Error(t, err)
	})
}

// Whoever has rights in the namespace schedules the activity that ends a callback unconfirmed,
// for another order. The callback stays.
func TestACallbackOfAnotherOrderIsNotEnded(t *testing.T) {
	onSealed(t, func(o *office, _ *seal.Keys) {
		t := o.t
		for _, number := range []string{"W-1", "W-2"} {
			o.opens(o.signs(o.request(number, ""), "chen", same))
		}
		id, _, err := o.StoreCallback(t.Context(), tarspay.Callback{Merchant: "M1", OrderNumber: "W-1", GatewayID: "G1"}, []byte("{}"), "00", nil)
		require.NoError(t, err)
		other := order.Key{Merchant: "M1", Number: "W-2"}
		books := activities.NewBooks(o.Ledger, activities.Settings{})
		require.NoError(t, books.Unconfirmed(t.Context(), other, id))
		entry, err := o.Callback(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, ledger.Stored, entry.Status)
		last := o.audit(other)[len(o.audit(other))-1]
		require.Equal(t, codes.CallbackForeign, last.Reason.Code)
	})
}
