package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A sentence says what a person gave and what to give.
func TestSentencesNameTheFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"withdraw", "--merchant is needed: PAYOUTS_MERCHANTS lists " + merchant},
		{"audit", "give an order's NUMBER, or --merchant for what is on record of a merchant, --installation, or --verify"},
		{"withdraw --merchant " + merchant + " --number N --way easypaisa --amount 1_0", "--amount must be a plain number such as"},
	} {
		got := setup(t).run(t.Context(), strings.Fields(c.args)...)
		assert.Equal(t, exitUsage, got.code, c.args)
		assert.Contains(t, got.errs, c.want, c.args)
	}
}

// An order that ended with a code has another exit code than the refusal.
func TestCodesOfEndedOrders(t *testing.T) {
	t.Parallel()
	for code, exits := range map[string]string{
		"UNKNOWN_MERCHANT": "3; 4 of an order that ended with it otherwise than succeeded\n",
		"GATEWAY_REFUSED":  "3; 4 of an order that ended with it otherwise than succeeded\n",
		"ORDER_ENDED":      "exit code    3\n",
	} {
		assert.Contains(t, setup(t).run(t.Context(), "codes", code).out, exits, code)
	}
}

func TestListNeedsNoMerchant(t *testing.T) {
	t.Parallel()
	got := setup(t).run(t.Context(), "list", "--help")
	assert.Contains(t, got.out, "only of this merchant number")
}
