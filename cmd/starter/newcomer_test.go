package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/order"
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

// A way that an incomplete list does not have is sent, and told.
func TestAnUnlistedWayIsTold(t *testing.T) {
	t.Parallel()
	for way, warns := range map[string]bool{"easypaisa": false, "paypal": true} {
		got := setup(t).run(t.Context(), "withdraw", "--merchant", merchant, "--number", "INV-1", "--way", way, "--amount", "1500",
			"--name", "Test Person", "--account", "03001234567", "--phone", "03001234567", "--email", "a@example.com")
		assert.Equal(t, warns, strings.Contains(got.errs, "none that is known of Pakistan"), "%s: %s", way, got.errs)
		assert.NotContains(t, got.errs, "paypal")
	}
}

func TestAMisspeltCode(t *testing.T) {
	t.Parallel()
	for typed, says := range map[string]string{
		"no_prof":       "there is no such code; did you mean NO_PROOF? starter codes lists them",
		"XYZ_NOT_A_ONE": "there is no such code. starter codes lists them",
	} {
		got := setup(t).run(t.Context(), "codes", typed)
		assert.Equal(t, exitUsage, got.code)
		assert.Contains(t, got.errs, says)
	}
}

func TestShortDurations(t *testing.T) {
	t.Parallel()
	for d, text := range map[time.Duration]string{
		12300 * time.Millisecond: "12s", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", time.Hour: "1h", time.Hour + time.Minute: "1h1m", 0: "0s",
	} {
		assert.Equal(t, text, short(d))
	}
}

// A refusal for want of a reason or a proof names the flag.
func TestRefusalsNameTheFlag(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a note says why, in a sentence", explain(order.Refuse(order.CodeWhyMissing, "a note says why, in a sentence")).Message, "note has no --why")
	assert.Contains(t, explain(order.Refuse(order.CodeWhyMissing, "a cancellation says why")).Message, "a cancellation says why; give the reason with --why")
	assert.Contains(t, explain(order.Refuse(codes.EvidenceMissing, "a resolution names its proof")).Message, "; name the proof with --evidence")
}
