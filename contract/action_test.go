package contract

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Every action comes back as it was sent.
func TestActionCrosses(t *testing.T) {
	t.Parallel()
	for _, kind := range order.ActionTypes {
		action, err := kind.Read([]byte(`{"by":"amina"}`))
		require.NoError(t, err)
		require.Equal(t, kind.Name, action.Name())
		input := OperatorActionInput{Key: order.Key{Merchant: "M1", Number: "N1"}, Action: Action{order.Marked(action, "1")}}
		data, err := json.Marshal(input)
		require.NoError(t, err)
		var read OperatorActionInput
		require.NoError(t, order.Read(data, &read))
		require.Equal(t, order.WithID(action, "1"), read.Action.Action)
		require.Equal(t, read.Action.Action, order.Marked(read.Action.Action, "2"), "it has an ID")
	}
}

func TestWhatIsNoAction(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"action":{}}`: "member action: an action is exactly one of approve, ",
		`{"action":{"note":{"by":"a","text":"t"},"cancel":{"by":"a","why":"w"}}}`: "member action: an action is exactly one of",
		`{"action":{"pay":{}}}`:              "member action: an action is exactly one of",
		`{"action":{"approve":{"by":7}}}`:    "member action: member by must be a text",
		`{"action":{"approve":{"bye":"a"}}}`: "member action: member bye is unknown",
		`{"action":"approve"}`:               "member action: an action is exactly one of",
	} {
		var read OperatorActionInput
		err := order.Read([]byte(text), &read)
		require.Equal(t, order.CodeInvalidRequest, order.CodeOf(err), text)
		require.ErrorContains(t, err, says, text)
	}
	var none OperatorActionInput
	require.NoError(t, order.Read([]byte(`{"action":null}`), &none))
	require.Nil(t, none.Action.Action)
	data, err := json.Marshal(none.Action)
	require.NoError(t, err)
	require.Equal(t, "null", string(data))
}
