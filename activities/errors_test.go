package activities

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// A refusal says whose it is: the gateway's, or our own, which it never heard of.
func TestARefusalSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	create := tarspay.OperationCreateWithdrawal
	for name, test := range map[string]struct {
		err     error
		outcome outcome // only the gateway's ends an order: another worker may send what this one does not
		code    string
	}{
		"an amount of ours":   {refusedHere("amount", errors.New("more decimals than the currency has")), outcomeUnsent, order.CodeRefusedHere},
		"a member of ours":    {&tarspay.Error{Class: tarspay.ClassRejected, Operation: create, NotSent: true, Err: tarspay.ErrRequest}, outcomeUnsent, order.CodeRefusedHere},
		"the gateway's":       {&tarspay.Error{Class: tarspay.ClassRejected, Operation: create, Code: "5003001", HTTPStatus: 200}, outcomeRefused, order.CodeGatewayRefused},
		"the gateway's limit": {&tarspay.Error{Class: tarspay.ClassRejected, Operation: create, Code: "500321", HTTPStatus: 200}, outcomeRefused, order.CodeGatewayRefused},
	} {
		outcome, reason := judgeCreate(test.err)
		require.Equal(t, test.outcome, outcome, name)
		require.Equal(t, test.code, reason.Code, name)
	}
	_, reason := judgeCreate(&tarspay.Error{Class: tarspay.ClassRejected, Operation: create, Code: "5003009", HTTPStatus: 200})
	require.Equal(t, "the gateway refused it: code 5003009 (wayCode not supported)", reason.Text)
	_, reason = judgeCreate(refusedHere("amount", errors.New("too large")))
	require.Contains(t, reason.Text, "the worker's own checks refuse to send it")
	require.Contains(t, reason.Text, "too large")
	require.NotContains(t, reason.Text, "gateway")
}
