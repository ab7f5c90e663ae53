package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

const inClear = "text in clear of somebody"

// A deposit's instructions that whoever has the worker's database login has replaced in clear
// are refused, not shown to a reader without the key, and reported.
func TestInstructionsInClear(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		deposit := request(order.Deposit, "D1", "5")
		open(t, b, deposit)
		submit(t, b, deposit.Key(), Answer{Outcome: Accepted, GatewayID: "G1", Instructions: &order.Instructions{PayData: "https://pay.example.com/1"}})
		b.clean(t)
		require.NoError(t, b.asWorker(t).exec(`UPDATE orders SET instructions = '{"pay_data":"`+inClear+`"}', reason_text = '`+inClear+`'`))
		_, err := b.Order(t.Context(), deposit.Key())
		var fault *vault.Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, vault.CodeDamaged, fault.Code)
		require.NotContains(t, err.Error(), inClear)
		_, refusal, err := b.Note(t.Context(), deposit.Key(), order.Note{ID: "n1", By: "amina", Text: "x"})
		require.ErrorAs(t, err, &fault, "nothing is done on it")
		require.Nil(t, refusal)

		reader, err := Open(t.Context(), b.url, ReadOnly())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, reader.Close()) })
		shown, err := reader.Order(t.Context(), deposit.Key())
		require.NoError(t, err)
		require.Nil(t, shown.Instructions)
		require.Equal(t, Encrypted, shown.Reason.Text)
		for _, ledger := range []*Ledger{b.Ledger, reader} {
			v, err := ledger.Verify(t.Context())
			require.NoError(t, err)
			require.Contains(t, v.Violations, verify.Violation{
				Code: verify.BrokenPrivate, Key: deposit.Key(), Currency: "PKR",
				Detail: "the number of texts in clear in an encrypted row of orders (instructions reason_text) is 2 and should be 0",
			})
		}
	})
}

// Every encrypted column of every table: a text in clear is found.
func TestTextsInClear(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		plantEverywhere(t, b)
		b.unguard(t)
		columns := []string{"orders.fingerprint"}
		for column := range sealedColumns {
			if !strings.Contains(column, " of another chain") { // not all of these are encrypted
				columns = append(columns, column)
			}
		}
		for _, name := range columns {
			table, column, _ := strings.Cut(name, ".")
			require.NotContains(t, b.inClear(t), table+": "+column)
			b.prefixes(t, table, column, "'!' ||", "1, 5) = 'enc1.'")
			require.Contains(t, b.inClear(t), table+": "+column)
			b.prefixes(t, table, column, "", "1, 6) = '!enc1.'")
		}
		require.Empty(t, b.inClear(t))
	})
}

// prefixes puts a text before those of a column, or, if it is none, takes the first byte away.
func (b *testBundle) prefixes(t *testing.T, table, column, before, where string) {
	t.Helper()
	text, set := column, "%s"
	if table == "inbox" && column != "callback" { // bytes
		text, set = "CAST("+column+" AS TEXT)", "CAST(%s AS BLOB)"
		if b.onPostgres() {
			text, set = "convert_from("+column+", 'UTF8')", "convert_to(%s, 'UTF8')"
		}
	}
	value := before + " " + text
	if before == "" {
		value = "substr(" + text + ", 2)"
	}
	require.NoError(t, b.exec("UPDATE "+table+" SET "+column+" = "+fmt.Sprintf(set, value)+" WHERE substr("+text+", "+where))
}

// inClear are the columns that Verify finds texts in clear in, "table: column …".
func (b *testBundle) inClear(t *testing.T) string {
	t.Helper()
	v, err := b.Verify(t.Context())
	require.NoError(t, err)
	var found strings.Builder
	for _, violation := range v.Violations {
		if violation.Code == verify.BrokenPrivate {
			_, rest, _ := strings.Cut(violation.Detail, "in an encrypted row of ")
			table, columns, _ := strings.Cut(rest, " (")
			columns, _, _ = strings.Cut(columns, ")")
			found.WriteString(table + ": " + columns + "\n")
		}
	}
	return found.String()
}
