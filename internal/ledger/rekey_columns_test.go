package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// sealedColumns are all columns with encrypted texts. Each query selects the data_key that
// the text needs, the subject's merchant and number, the column's name in the ciphertext,
// and the text. What is erased has no key.
var sealedColumns = map[string]struct {
	subject func(merchant, number string) vault.Subject
	query   string
}{
	"orders.request":                    {orderSubject, "SELECT data_key, merchant, number, 'request', request FROM orders WHERE erased_at = 0"},
	"orders.reason_text":                {orderSubject, "SELECT data_key, merchant, number, 'reason_text', reason_text FROM orders WHERE erased_at = 0"},
	"orders.instructions":               {orderSubject, "SELECT data_key, merchant, number, 'instructions', instructions FROM orders WHERE erased_at = 0"},
	"submissions.reason_text":           {orderSubject, ofOrder("submissions", "reason_text")},
	"proposals.why":                     {orderSubject, ofOrder("proposals", "why")},
	"proposals.evidence":                {orderSubject, ofOrder("proposals", "evidence")},
	"audit.evidence":                    {orderSubject, ofAudit("order", "evidence", "orders")},
	"audit.text":                        {orderSubject, ofAudit("order", "text", "orders")},
	"audit.envelope":                    {orderSubject, ofAudit("order", "envelope", "orders")},
	"audit.text of another chain":       {chainSubject, ofAudit("other", "text", "chains")},
	"audit.evidence of another chain":   {chainSubject, ofAudit("other", "evidence", "chains")},
	"inbox.callback":                    {callbackSubject, "SELECT data_key, merchant, number, 'callback', callback FROM inbox WHERE data_key <> ''"},
	"inbox.signature":                   {callbackSubject, "SELECT data_key, merchant, number, 'signature', signature FROM inbox WHERE data_key <> ''"},
	"inbox.body":                        {callbackSubject, "SELECT data_key, merchant, number, 'body', body FROM inbox WHERE data_key <> ''"},
	"adjustments.why":                   {adjustmentSubject, "SELECT data_key, merchant, ref, 'why', why FROM adjustments"},
	"adjustments.evidence":              {adjustmentSubject, "SELECT data_key, merchant, ref, 'evidence', evidence FROM adjustments"},
	"adjustments.decided_why":           {adjustmentSubject, "SELECT data_key, merchant, ref, 'decided_why', decided_why FROM adjustments"},
	"discrepancies.closed_why":          {func(_, id string) vault.Subject { return vault.Subject{Table: "discrepancies", Number: id} }, "SELECT data_key, '', CAST(id AS TEXT), 'closed_why', closed_why FROM discrepancies WHERE data_key <> ''"},
	"discrepancies.said":                {func(_, id string) vault.Subject { return vault.Subject{Table: "discrepancies", Number: id} }, "SELECT data_key, '', CAST(id AS TEXT), 'said', said FROM discrepancies WHERE data_key <> ''"},
	"decisions.signed":                  {func(_, hash string) vault.Subject { return decisionSubject(hash) }, "SELECT data_key, '', hash, 'decisions.signed', signed FROM decisions"},
	"webhook_endpoints.url":             {func(_, id string) vault.Subject { return webhookSubject(id) }, "SELECT data_key, '', id, 'url', url FROM webhook_endpoints"},
	"webhook_endpoints.secret":          {func(_, id string) vault.Subject { return webhookSubject(id) }, "SELECT data_key, '', id, 'secret', secret FROM webhook_endpoints"},
	"webhook_endpoints.previous_secret": {func(_, id string) vault.Subject { return webhookSubject(id) }, "SELECT data_key, '', id, 'previous_secret', previous_secret FROM webhook_endpoints"},
	"stops.why": {func(merchant, number string) vault.Subject {
		return vault.Subject{Table: "stops", Merchant: merchant, Number: number}
	}, "SELECT data_key, merchant, country || ' ' || at, 'why', why FROM stops"},
	"batches.name":       {batchSubject, "SELECT data_key, merchant, id, 'batches.name', name FROM batches"},
	"batch_rows.request": {batchSubject, "SELECT b.data_key, b.merchant, b.id, 'batch_rows.request.' || r.seq, r.request FROM batch_rows r JOIN batches b ON b.id = r.batch"},
	"batch_rows.text":    {batchSubject, "SELECT b.data_key, b.merchant, b.id, 'batch_rows.text.' || r.seq, r.text FROM batch_rows r JOIN batches b ON b.id = r.batch"},
}

// clearColumns are the other columns of these tables: they hold no personal data, or a hash
// of it.
var clearColumns = map[string]string{
	"orders": "id merchant number folded kind country way currency amount beneficiary fingerprint created_at approve_before waits_for_funds funds_before " +
		"horizon state gateway_id paid fee fee_text reason_code attempts updated_at run ask_first audit_entries audit_head approvals data_key erased_at " +
		"not_before released_at expected_fee ended_at",
	"chains":        "merchant number entries head data_key erased_at",
	"inbox":         "id merchant number status received first_at last_at problem problem_at told_at data_key",
	"adjustments":   "id merchant ref currency kind amount actor proposed_at state decided_by decided_at data_key",
	"discrepancies": "id merchant number code mark detail at seen_at closed_at closed_by data_key state assignee said_by wait_until accepted_by currency stake delta reminded_at",
	"decisions":     "hash data_key at",
	"webhook_endpoints": "id merchants types previous_until data_key state state_at position replay_from retry_now failing_since tried_at problem created_by created_at " +
		"changed_by changed_at lease_owner lease_until fence",
	"stops":       "id merchant country at actor proposer ended_by ended_at data_key",
	"batches":     "id merchant fingerprint header row_count totals state requested_by data_key created_at changed_at changed_by",
	"audit":       "id merchant number chain seq at actor action source before_state after_state outcome code paid fee mark hash seal",
	"submissions": "order_id attempt started_at ended_at outcome reason_code",
	"proposals":   "order_id state paid fee actor at",
	"batch_rows":  "batch seq line merchant number currency amount outcome code at",
}

func ofOrder(table, column string) string {
	return fmt.Sprintf("SELECT o.data_key, o.merchant, o.number, '%s.%s', x.%[2]s FROM %[1]s x JOIN orders o ON o.id = x.order_id WHERE o.erased_at = 0", table, column)
}

func ofAudit(chain, column, keys string) string {
	return fmt.Sprintf(`SELECT k.data_key, k.merchant, k.number, 'audit.%s', a.%[1]s FROM audit a
		JOIN %[2]s k ON k.merchant = a.merchant AND k.number = a.number WHERE a.chain = '%[3]s' AND k.erased_at = 0`, column, keys, chain)
}

// plantEverywhere writes into every column that is encrypted, and has an order erased.
func plantEverywhere(t *testing.T, b *testBundle) {
	t.Helper()
	erased := request(order.Withdrawal, "W0", "10")
	erased.Metadata = map[string]string{"run": "1"}
	plant(t, b)
	open(t, b, erased)
	submit(t, b, erased.Key(), accepted)
	settle(t, b, erased.Key(), paid("10", "0"))

	deposit := request(order.Deposit, "D1", "5")
	open(t, b, deposit)
	submit(t, b, deposit.Key(), Answer{Outcome: Accepted, GatewayID: "GD1", Instructions: &order.Instructions{PayData: plantedText}})

	made, err := b.CreateWebhook(t.Context(), NewWebhook{URL: "https://pay.example.com", Secret: plantedText, By: "amina"})
	require.NoError(t, err)
	_, err = b.RotateWebhook(t.Context(), made.ID, "badr", plantedText+"2", time.Hour)
	require.NoError(t, err)
	batch, rows := batchOf(2)
	batch.Name = plantedText
	b.stores(t, batch, rows)
	b.readies(t, batch.ID)
	b.begins(t, batch.ID, 2, 2)
	b.records(t, batch.ID, RowRefused, 2)
	stop := b.stops(t, order.StopScope{All: true}, "amina", "") // the installation's chain
	b.resumes(t, stop.ID, "amina", "")

	require.NoError(t, b.OpenDiscrepancy(t.Context(), deposit.Key(), "X", "x"))
	found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Open: true})
	require.NoError(t, err)
	_, refusal, err := b.WorkDiscrepancy(t.Context(), order.DiscrepancyWork{DiscrepancyRef: order.DiscrepancyRef{Discrepancy: found[0].ID}, Step: order.StepExplain}, who("amina", plantedText))
	require.NoError(t, err)
	require.Nil(t, refusal)
	signed := b.with(t, testRing)
	signed.SetAuthority(proves{})
	_, refusal, err = signed.Note(t.Context(), deposit.Key(), order.Note{ID: "n3", By: "amina", Text: plantedText})
	require.NoError(t, err)
	require.Nil(t, refusal)
	later, _ := b.later(t)
	later.erase(t, erased.Key())
}

// proves permits every action on an order, and every closing, with an envelope.
type proves struct{ Authority }

func (proves) Refresh() {}

func (proves) Permit(order.Action, order.Order, time.Time) (envelope.Kept, *order.Refusal) {
	return envelope.Kept{Proof: `{"reason":"` + plantedText + `"}`}, nil
}

func (proves) PermitClosing(order.Who, order.DayRef, time.Time) (string, *order.Refusal) {
	return `{"by":"a person"}`, nil
}

// requireDecided demands that somebody has decided about each column of the tables with
// encrypted texts whether it is encrypted.
func (b *testBundle) requireDecided(t *testing.T) {
	t.Helper()
	for table, clear := range clearColumns {
		decided := strings.Fields(clear)
		for name := range sealedColumns {
			name, _, _ := strings.Cut(name, " ")
			if column, is := strings.CutPrefix(name, table+"."); is && !slices.Contains(decided, column) {
				decided = append(decided, column)
			}
		}
		require.ElementsMatch(t, decided, strings.Fields(b.columnsOf(t, table)), table)
	}
}

// sealedIn are the columns that have encrypted texts now, "table.column".
func (b *testBundle) sealedIn(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for _, table := range b.tables(t) {
		b.noteSealed(t, table, found)
	}
	return found
}

func (b *testBundle) noteSealed(t *testing.T, table string, found map[string]bool) {
	t.Helper()
	rows, err := b.pool().Queryx("SELECT * FROM " + table)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		row := make(map[string]any)
		require.NoError(t, rows.MapScan(row))
		for column, value := range row {
			if vault.Sealed(fmt.Sprintf("%s", value)) {
				found[table+"."+column] = true
			}
		}
	}
	require.NoError(t, rows.Err())
}

// Every encrypted text of every table decrypts with the newest data key alone, after a
// rekey. A column that nobody has decided about, one that is encrypted and not planted here,
// and a table with a data_key that Rekey does not know, fail the test.
func TestRekeyLeavesNoColumnOut(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		old := setup(t)
		require.NoError(t, old.UseDataKeys(t.Context()))
		plantEverywhere(t, old)

		old.requireDecided(t)
		var listed, keyed, known []string
		for column := range sealedColumns {
			name, _, _ := strings.Cut(column, " ")
			listed = append(listed, name)
		}
		listed = append(listed, "orders.fingerprint") // a keyed hash, which current compares
		slices.Sort(listed)
		require.Equal(t, slices.Compact(listed), slices.Sorted(maps.Keys(old.sealedIn(t))))
		for _, table := range old.tables(t) {
			if strings.Contains(old.columnsOf(t, table), " data_key ") {
				keyed = append(keyed, table)
			}
		}
		for _, table := range keyedTables {
			known = append(known, table.name)
		}
		require.ElementsMatch(t, keyed, known)
		old.decryptAll(t, testRing)

		b := old.with(t, parseRing(lineTwo, lineOne))
		require.NoError(t, b.UseDataKeys(t.Context()))
		done, tables := b.rekey(t)
		require.Equal(t, []string{"k1"}, done.Retired)
		require.Equal(t, known, tables)
		require.NotContains(t, withoutTable(b.dump(t), "data_keys"), "k1:")
		after := b.with(t, parseRing(lineTwo))
		after.decryptAll(t, parseRing(lineTwo))
		for _, number := range []string{"W1", "D1"} {
			require.NotEmpty(t, after.current(t, order.Key{Merchant: merchant, Number: number}).Fingerprint)
		}
		after.clean(t)
		report, err := after.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Empty(t, report.Broken)
	})
}

// decryptAll demands that every text decrypts with the ring.
func (b *testBundle) decryptAll(t *testing.T, ring *vault.Ring) {
	t.Helper()
	for name, column := range sealedColumns {
		var texts []struct {
			Wrapped  string `db:"wrapped"`
			Merchant string `db:"merchant"`
			Number   string `db:"number"`
			Column   string `db:"name"`
			Text     string `db:"text"`
		}
		head, tail, _ := strings.Cut(column.query, " FROM ")
		parts := strings.SplitN(strings.TrimPrefix(head, "SELECT "), ", ", 5)
		for i, alias := range []string{"wrapped", "merchant", "number", "name", "text"} {
			parts[i] += " AS " + alias
		}
		require.NoError(t, b.pool().Select(&texts, "SELECT "+strings.Join(parts, ", ")+" FROM "+tail), name)
		decrypted := 0
		for _, text := range texts {
			if !vault.Sealed(text.Text) {
				continue
			}
			key, err := ring.Open(column.subject(text.Merchant, text.Number), text.Wrapped)
			require.NoError(t, err, name)
			plain, err := key.Open(text.Column, text.Text)
			require.NoError(t, err, "%s of %s", name, text.Number)
			require.NotEmpty(t, plain, name)
			decrypted++
		}
		require.Positive(t, decrypted, "nothing is planted in %s", name)
	}
}
