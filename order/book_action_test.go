package order_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Every book action comes back as it was sent, and is exactly one.
func TestBookActionCrosses(t *testing.T) {
	t.Parallel()
	names := order.BookActionNames()
	require.Contains(t, names, "propose_adjustment")
	require.Contains(t, names, "end_restore")
	for _, name := range names {
		content := "{}"
		switch name {
		case "stop":
			content = `{"all":true}`
		case "work_discrepancy":
			content = `{"discrepancy":7,"step":"wait","days":3}`
		}
		var action order.BookAction
		require.NoError(t, order.Read([]byte(`{"id":"1","by":"amina","why":"w","`+name+`":`+content+`}`), &action), name)
		require.Equal(t, name, action.Name())
		require.Equal(t, order.Who{ID: "1", By: "amina", Why: "w"}, action.Who)
		require.Nil(t, action.Check(), name)
		data, err := json.Marshal(action)
		require.NoError(t, err)
		var again order.BookAction
		require.NoError(t, order.Read(data, &again))
		require.Equal(t, action, again)
	}
}

func TestWhatIsNoBookAction(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"by":"a"}`: "exactly one of the members propose_adjustment, ",
		`{"by":"a","set_aside":{},"end_restore":{}}`:                         "exactly one of the members",
		`{"by":"a","end_restore":null}`:                                      "exactly one of the members",
		`{"by":"a","pay":{}}`:                                                "member pay is unknown",
		`{"by":"a","end_restore":{"at":1}}`:                                  "member end_restore.at is unknown",
		`{"by":"a","close_discrepancy":{"discrepancy":"7"}}`:                 "member close_discrepancy.discrepancy has the wrong type",
		`{"by":"a","propose_adjustment":{"amount":{"currency":"PKR"}}}`:      "member propose_adjustment.amount",
		`{"by":"a","stop":{}}`:                                               "a stop names a merchant, a country or all",
		`{"by":"a","stop":{"merchant":"M1","all":true}}`:                     "only one of them",
		`{"by":"a","stop":{"merchant":"M1","country":"PK"}}`:                 "only one of them",
		`{"by":"a","work_discrepancy":{}}`:                                   "a step is one of assign, explain, wait and reopen",
		`{"by":"a","work_discrepancy":{"step":"assign"}}`:                    "assign names whom",
		`{"by":"a","work_discrepancy":{"step":"explain","to":"b"}}`:          "and no other step does",
		`{"by":"a","work_discrepancy":{"step":"wait","days":91}}`:            "from 1 to 90",
		`{"by":"a","work_discrepancy":{"step":"explain","days":1}}`:          "days are of the step wait",
		`{"by":7,"end_restore":{}}`:                                          "member by must be a text",
		`{"by":"a","by":"b","end_restore":{}}`:                               "member by appears twice",
		`{"by":"a","confirm_adjustment":{"merchant":"M1","ref":"A","x":""}}`: "member confirm_adjustment.x is unknown",
	} {
		var action order.BookAction
		err := order.Read([]byte(text), &action)
		if err == nil {
			err = action.Check()
		}
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), text)
		require.ErrorContains(t, err, says, text)
	}
}

// Every text is bounded.
func TestTextsOfBookActionsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", order.MaxText+1)
	ref := order.AdjustmentRef{Merchant: "M1", Ref: "A"}
	for member, action := range map[string]order.BookAction{
		"id":       {Who: order.Who{ID: long}, EndRestore: &order.Installation{}},
		"by":       {Who: order.Who{By: long}, EndRestore: &order.Installation{}},
		"why":      {Who: order.Who{Why: long}, EndRestore: &order.Installation{}},
		"merchant": {ConfirmAdjustment: &order.AdjustmentRef{Merchant: long}},
		"ref":      {RejectAdjustment: &order.AdjustmentRef{Ref: long}},
		"kind":     {ProposeAdjustment: &order.AdjustmentProposal{AdjustmentRef: ref, Kind: long}},
		"evidence": {ProposeAdjustment: &order.AdjustmentProposal{AdjustmentRef: ref, Evidence: long}},
		"callback": {SetAside: &order.CallbackRef{Callback: long}},
		"currency": {CloseDay: &order.DayRef{Currency: long}},
		"day":      {CloseDay: &order.DayRef{Day: order.Date(long)}},
		"zone":     {CloseDay: &order.DayRef{Zone: long}},
		"hash":     {CloseDay: &order.DayRef{Hash: long}},
		"to":       {WorkDiscrepancy: &order.DiscrepancyWork{Step: order.StepAssign, To: long}},
		"number":   {Erase: &order.Key{Number: long}},
	} {
		refusal := action.Check()
		require.NotNil(t, refusal, member)
		require.Equal(t, order.CodeTextTooLong, refusal.Code, member)
		require.Contains(t, refusal.Text, member+" has ")
	}
	proposal := order.BookAction{ProposeAdjustment: &order.AdjustmentProposal{AdjustmentRef: order.AdjustmentRef{Ref: long}}}
	require.Equal(t, order.CodeTextTooLong, order.CodeOf(proposal.Check()))
}
