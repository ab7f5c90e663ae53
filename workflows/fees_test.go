package workflows_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/contract"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// charging is a gateway that writes its fees otherwise than the sandbox: whatever
// has a fee in its answers is given to change.
func charging(change func(member map[string]any)) func(*http.Request, []byte) []byte {
	return func(_ *http.Request, answer []byte) []byte {
		var decoded any
		decoder := json.NewDecoder(bytes.NewReader(answer))
		decoder.UseNumber()
		if decoder.Decode(&decoded) != nil {
			return answer
		}
		visit(decoded, change)
		changed, err := json.Marshal(decoded)
		if err != nil {
			return answer
		}
		return changed
	}
}

func visit(value any, change func(map[string]any)) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			visit(element, change)
		}
	case map[string]any:
		change(value)
		for _, member := range value {
			visit(member, change)
		}
	}
}

// finer makes each fee two fifths of a dong more than it is.
func finer(member map[string]any) {
	for _, name := range []string{"fee", "mchFeeAmount"} {
		if fee, is := member[name].(string); is && fee != "" && fee != "0" {
			member[name] = fee + ".4"
			net, err := strconv.Atoi(asText(member["amount"]))
			if err == nil && name == "mchFeeAmount" && asText(member["bizType"]) == "1" {
				member["amount"] = strconv.Itoa(net-1) + ".6"
			}
		}
	}
}

func asText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		return ""
	}
}

// A fee that is finer than the currency keeps no order from its end, and is no
// difference to a comparison, whether it is told by an answer or by the history.
func TestFeesFinerThanTheCurrency(t *testing.T) {
	t.Parallel()
	s := openShop(t, tables.SQLite(t))
	s.tamper = charging(finer)
	states := map[string]order.State{"success": order.Succeeded, "partial:30": order.PartiallyPaid, "refund": order.Refunded}
	for scenario, state := range states {
		for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
			if kind == order.Withdrawal && state == order.PartiallyPaid {
				continue
			}
			o := s.settled(kind, vietnam, "", scenario)
			require.Contains(t, []order.State{state, order.Succeeded}, o.State, scenario)
			require.True(t, strings.HasSuffix(o.FeeText, ".4"), "%s: %q", scenario, o.FeeText)
			require.Equal(t, strings.TrimSuffix(o.FeeText, ".4"), o.Fee.Short())
		}
	}
	s.pass(lag)
	result := s.reconcile(contract.ReconcileTransactionsInput{})
	require.Empty(t, s.found())
	require.Positive(t, of(t, result, vietnam).Rows)
	s.sound()
}

// A fee that cannot be is told once, and the order is as paid as any.
func TestFeesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, fee := range map[string]string{"separators": "1,481", "negative": "-15", "absurd": "99999999", "words": "fifteen"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t, tables.SQLite(t))
			s.tamper = charging(func(member map[string]any) {
				if _, is := member["fee"].(string); is {
					member["fee"] = fee
				}
			})
			for _, kind := range []order.Kind{order.Deposit, order.Withdrawal} {
				o := s.settled(kind, pakistan, "", "success")
				require.Equal(t, order.Succeeded, o.State)
				require.True(t, o.Fee.IsZero())
				require.NotEmpty(t, o.FeeText)
				found, err := s.books.Discrepancies(t.Context(), ledger.DiscrepancyFilter{Merchant: pakistan, Number: o.Number})
				require.NoError(t, err)
				require.Len(t, found, 1)
				require.Equal(t, codes.DiscrepancyFee, found[0].Code)
			}
			s.pass(lag)
			before := s.found()
			s.reconcile(contract.ReconcileTransactionsInput{})
			require.Equal(t, before, s.found(), "one difference has one name")
			s.sound()
		})
	}
}

// A balance that is finer than the currency is read; one that may have thousands
// in it is not.
func TestBalancesFinerThanTheCurrency(t *testing.T) {
	t.Parallel()
	vn, _ := tarspay.Country("VN")
	for text, want := range map[string]string{"1481.4": "1481", "1481.00": "1481", "-0.6": "0", "1.481": "", "1,481": "", "": ""} {
		amount, err := vn.ParseBalance(text)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, amount.Short(), text)
	}
}
