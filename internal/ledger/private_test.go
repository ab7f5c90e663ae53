package ledger

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/reconcile"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Personal values that the tests plant.
const (
	plantedAccount = "03451234567"
	plantedName    = "PLANTED NAME"
	plantedText    = "planted words of a person"
)

// plant writes personal values into every place that takes them, and returns the key of
// the order.
func plant(t *testing.T, b *testBundle) order.Key {
	t.Helper()
	b.books(t, "1000", "0")
	r := request(order.Withdrawal, "W1", "100")
	r.Details = map[string]string{"customerName": plantedName, "customerAccountNumber": plantedAccount}
	r.Metadata = map[string]string{"run": plantedText}
	open(t, b, r)
	key := r.Key()
	submit(t, b, key, Answer{Outcome: Ambiguous, Reason: order.Reason{Code: order.CodeGatewayPaused, Text: plantedText}})
	_, refusal, err := b.Note(t.Context(), key, order.Note{ID: "n1", By: "amina", Text: plantedText})
	require.NoError(t, err)
	require.Nil(t, refusal)
	c := callbackFor(r, "G1")
	c.FailReason = plantedText
	_, _, err = b.StoreCallback(t.Context(), c, []byte(`{"payee":"`+plantedName+plantedAccount+`"}`), "3006020101020100", nil)
	require.NoError(t, err)
	_, err = b.Review(t.Context(), key, order.Reason{Code: "X", Text: plantedText})
	require.NoError(t, err)
	resolution := resolution("amina", order.Succeeded)
	resolution.Why, resolution.Evidence = plantedText, plantedText
	_, refusal, pending, err := b.Resolve(t.Context(), key, resolution, true)
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.True(t, pending)
	a := adjustment("A1", AdjustTopUp, "7")
	a.Why, a.Evidence = plantedText, plantedText
	propose(t, b, a)
	_, refusal, err = b.RejectAdjustment(t.Context(), merchant, "A1", who("amina", plantedText))
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.NoError(t, b.OpenDiscrepancy(t.Context(), key, "X", "x"))
	found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{})
	require.NoError(t, err)
	_, refusal, err = b.CloseDiscrepancy(t.Context(), found[0].ID, who("amina", plantedText))
	require.NoError(t, err)
	require.Nil(t, refusal)
	_, refusal, err = b.Note(t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}, order.Note{ID: "n2", By: "amina", Text: plantedText})
	require.NoError(t, err)
	require.NotNil(t, refusal)
	stop, refusal, err := b.StopPayouts(t.Context(), order.StopScope{Country: "VN"}, who("amina", plantedText))
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.Equal(t, plantedText, stop.Why)
	_, refusal, err = b.MarkRestored(t.Context(), who("amina", plantedText))
	require.NoError(t, err)
	require.Nil(t, refusal)
	require.NoError(t, b.inTx(t.Context(), func(tx tx) error {
		_, err := tx.keepDecision(t.Context(), envelope.Kept{Decision: &envelope.Decision{Hash: plantedDecision, Signed: plantedText}})
		return err
	}))
	return key
}

// The queue shows what was said of a discrepancy to whoever has the key.
func TestTheQueueIsReadable(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		id := b.stray(t, "W-1", 5000)
		b.works(t, id, order.DiscrepancyWork{Step: order.StepExplain}, who("amina", plantedText))
		due, err := b.NeedsPerson(t.Context(), 0, MaxPage)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.Equal(t, plantedText, due[0].Discrepancy.Said)
	})
}

// plantedDecision is the hash of a decision.
var plantedDecision = strings.Repeat("d", 64)

// decision is the signed envelope of the planted decision, as it is read.
func (b *testBundle) decision(t *testing.T) string {
	t.Helper()
	var found decisions
	require.NoError(t, b.db.View(t.Context(), func(s *sqldb.Tx) (err error) {
		found, err = tx{Tx: s, private: b.private}.decisions(t.Context(), plantedDecision)
		return err
	}))
	require.Len(t, found, 1)
	return found[plantedDecision]
}

// dump is every value of every table, as text.
func (b *testBundle) dump(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range b.tables(t) {
		b.dumpTable(t, name, &all)
	}
	return all.String()
}

// tables are the names of all tables.
func (b *testBundle) tables(t *testing.T) (names []string) {
	t.Helper()
	tables := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if b.onPostgres() {
		tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	}
	require.NoError(t, b.pool().Select(&names, tables))
	require.Greater(t, len(names), 20)
	return names
}

// columnsOf are the names of a table's columns, each with a blank before and after it.
func (b *testBundle) columnsOf(t *testing.T, table string) string {
	t.Helper()
	rows, err := b.pool().Query("SELECT * FROM " + table + " WHERE 1 = 0")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	require.NoError(t, rows.Err())
	return " " + strings.Join(names, "  ") + " "
}

func (b *testBundle) dumpTable(t *testing.T, name string, all *strings.Builder) {
	t.Helper()
	rows, err := b.pool().Queryx("SELECT * FROM " + name)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		values, err := rows.SliceScan()
		require.NoError(t, err)
		for _, value := range values {
			if bytes, ok := value.([]byte); ok {
				value = string(bytes)
			}
			_, _ = fmt.Fprintf(all, "%s %v\n", name, value)
		}
	}
	require.NoError(t, rows.Err())
}

func TestNoPersonalDataIsStoredInClear(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		key := plant(t, b)
		r := b.current(t, key).Request
		require.Equal(t, plantedAccount, r.Details["customerAccountNumber"])
		stored := b.dump(t)
		for _, planted := range []string{plantedAccount, plantedName, plantedText, r.Fingerprint(), rules.Beneficiary(r)} {
			require.NotEmpty(t, planted)
			for line := range strings.SplitSeq(stored, "\n") {
				require.NotContains(t, line, planted)
			}
		}
		if !b.onPostgres() {
			path := strings.TrimPrefix(b.url, "sqlite:")
			for _, file := range []string{path, path + "-wal"} {
				bytes, err := os.ReadFile(file)
				require.NoError(t, err)
				for _, planted := range []string{plantedAccount, plantedName, plantedText, r.Fingerprint()} {
					require.NotContains(t, string(bytes), planted, file)
				}
			}
		}
		// With the key everything is there.
		story, err := b.Story(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, plantedText, story.Order.Reason.Text)
		require.Equal(t, r.Fingerprint(), story.Order.Fingerprint)
		require.Equal(t, plantedText, story.Callbacks[0].Callback.FailReason)
		require.Equal(t, plantedText, story.Submissions[0].Reason.Text)
		require.Equal(t, plantedText, story.Discrepancies[0].ClosedWhy)
		require.Equal(t, r.Fingerprint(), story.Audit[0].Evidence)
		adjustments, err := b.Adjustments(t.Context(), AdjustmentFilter{})
		require.NoError(t, err)
		require.Equal(t, []string{plantedText, plantedText, plantedText},
			[]string{adjustments[0].Why, adjustments[0].Evidence, adjustments[0].DecidedWhy})
		due, err := b.ordersDue(t.Context(), QueueReview, selectState(order.InReview), 10)
		require.NoError(t, err)
		require.Equal(t, plantedText, due[0].Proposal.Evidence)
		require.Equal(t, plantedText, b.decision(t))
		stops, err := b.Stops(t.Context())
		require.NoError(t, err)
		require.Equal(t, plantedText, stops[0].Why)
		b.clean(t)
	})
}

// A reader without the key sees what needs no key; a process that decides does not.
func TestWithoutTheDataKey(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		require.NoError(t, b.UseDataKeys(t.Context()))
		key := plant(t, b)
		reader, err := Open(t.Context(), b.url, ReadOnly())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, reader.Close()) })
		story, err := reader.Story(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, Encrypted, story.Order.Hidden)
		require.Equal(t, "100.00", story.Order.Amount.String()[:6])
		require.Empty(t, story.Order.Details)
		require.Empty(t, story.Order.Fingerprint)
		require.Equal(t, Encrypted, story.Order.Reason.Text)
		require.Equal(t, Encrypted, story.Callbacks[0].Hidden)
		require.False(t, story.Callbacks[0].Damaged())
		require.Equal(t, Encrypted, story.Audit[0].Evidence)
		require.Equal(t, Encrypted, story.Discrepancies[0].ClosedWhy)
		stops, err := reader.Stops(t.Context())
		require.NoError(t, err)
		require.Equal(t, Encrypted, stops[0].Why)
		report, err := reader.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Empty(t, report.Broken)
		require.Positive(t, report.Hidden)

		for _, ring := range []*vault.Ring{nil, parseRing("k2:" + strings.Repeat("2", 64)), parseRing("k1:" + strings.Repeat("2", 64))} {
			other, err := Open(t.Context(), b.url, EncryptWith(ring))
			require.NoError(t, err)
			_, err = other.Order(t.Context(), key)
			require.Error(t, err)
			_, _, err = other.Note(t.Context(), key, order.Note{ID: "n9", By: "amina", Text: "x"})
			require.Error(t, err, "it decides nothing")
			require.NoError(t, other.Close())
		}
	})
}

func TestDataKeysOfProcesses(t *testing.T) {
	t.Parallel()
	const one, two = "k1:1111111111111111111111111111111111111111111111111111111111111111", "k2:2222222222222222222222222222222222222222222222222222222222222222"
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		use := func(ring *vault.Ring) string {
			l, err := Open(t.Context(), b.url, EncryptWith(ring))
			require.NoError(t, err)
			defer func() { require.NoError(t, l.Close()) }()
			if err = l.UseDataKeys(t.Context()); err == nil {
				return ""
			}
			var fault *vault.Fault
			require.ErrorAs(t, err, &fault)
			require.Equal(t, vault.CodeKeyUnknown, fault.Code)
			return fault.Text
		}
		require.Empty(t, use(nil), "nothing is encrypted")
		require.Empty(t, use(parseRing(one)))
		require.Empty(t, use(parseRing(one)))
		require.Contains(t, use(nil), `the data key "k1"`)
		require.Contains(t, use(parseRing(two)), `the data key "k1"`)
		require.Contains(t, use(parseRing(strings.Replace(two, "k2", "k1", 1))), "is not the one")
		require.Empty(t, use(parseRing(two, one)))
		require.Contains(t, use(parseRing(one)), `the data key "k2"`)
		require.NoError(t, b.exec("UPDATE data_keys SET retired_at = 1 WHERE id = 'k1'"))
		require.Empty(t, use(parseRing(two)), "a retired key is not needed")
	})
}

// What somebody moves from one order to another does not decrypt there.
func TestStolenRowsDoNotDecrypt(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, moved := range []string{
			"UPDATE orders SET request = (SELECT request FROM orders WHERE number = 'W2') WHERE number = 'W1'",
			"UPDATE orders SET data_key = (SELECT data_key FROM orders WHERE number = 'W2') WHERE number = 'W1'",
			"UPDATE orders SET (data_key, request, fingerprint) = (SELECT data_key, request, fingerprint FROM orders WHERE number = 'W2') WHERE number = 'W1'",
			"UPDATE orders SET request = instructions, instructions = request WHERE number = 'W1'",
			"UPDATE orders SET fingerprint = (SELECT fingerprint FROM orders WHERE number = 'W2') WHERE number = 'W1'",
			"UPDATE orders SET data_key = '' WHERE number = 'W1'",
		} {
			b := setup(t)
			b.books(t, "1000", "0")
			open(t, b, request(order.Withdrawal, "W1", "100"))
			open(t, b, request(order.Withdrawal, "W2", "100"))
			b.unguard(t)
			require.NoError(t, b.exec(moved))
			_, err := b.Order(t.Context(), order.Key{Merchant: merchant, Number: "W1"})
			require.Error(t, err, moved)
			require.NotContains(t, err.Error(), "03000000000")
		}
	})
}

// The number of an order whose rows are in clear goes on, also beside encrypted ones.
func TestALedgerInClearGoesOn(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		plain, err := Open(t.Context(), b.url, SealWith(testKeys))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, plain.Close()) })
		r := request(order.Withdrawal, "W1", "100")
		_, opening, err := plain.OpenOrder(t.Context(), r, Terms{})
		require.NoError(t, err)
		require.Equal(t, Opened, opening)
		require.Contains(t, b.dump(t), "03000000000")

		_, opening, err = b.OpenOrder(t.Context(), r, Terms{})
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		submit(t, b, r.Key(), accepted)
		settle(t, b, r.Key(), paid("100", "2"))
		require.Equal(t, order.Succeeded, b.current(t, r.Key()).State)
		require.Equal(t, r.Fingerprint(), b.current(t, r.Key()).Fingerprint)
		b.clean(t)
	})
}

// A payee is the same under every key that hashed it, and in clear.
func TestPayeesAcrossKeys(t *testing.T) {
	t.Parallel()
	const one, two = "k1:1111111111111111111111111111111111111111111111111111111111111111", "k2:2222222222222222222222222222222222222222222222222222222222222222"
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		for i, ring := range []*vault.Ring{nil, parseRing(one), parseRing(two, one)} {
			l, err := Open(t.Context(), b.url, SealWith(testKeys), EncryptWith(ring))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			r := request(order.Withdrawal, fmt.Sprint("W", i), "100")
			_, _, err = l.OpenOrder(t.Context(), r, Terms{})
			require.NoError(t, err)
			row, err := newOrderRow(r)
			require.NoError(t, err)
			row.CreatedAt = b.current0(t, l, r.Key()).CreatedAt.UnixMilli()
			var facts rules.Facts
			require.NoError(t, l.inTx(t.Context(), func(x tx) (err error) {
				facts, err = x.facts(t.Context(), row, booksState{}, rules.Needs{BeneficiaryDay: true, KnownBeneficiary: true})
				return err
			}))
			require.Equal(t, fmt.Sprintf("%d00.00 PKR", i+1), facts.BeneficiaryDay.String())
			require.Equal(t, i > 0, facts.KnownBeneficiary)
			if i == 0 {
				submit(t, &testBundle{Ledger: l, url: b.url}, r.Key(), accepted)
				settle(t, &testBundle{Ledger: l, url: b.url}, r.Key(), paid("100", "2"))
			}
		}
	})
}

func (b *testBundle) current0(t *testing.T, l *Ledger, key order.Key) order.Order {
	t.Helper()
	o, err := l.Order(t.Context(), key)
	require.NoError(t, err)
	return o
}

// A settlement is found by the gateway's id in its evidence, which is encrypted.
func TestEvidenceIsSearched(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		a := adjustment("S1", AdjustSettlement, "30")
		a.Evidence = "payOrderId P4711, bank slip 7"
		propose(t, b, a)
		booked := func(gatewayID, number string) bool {
			matches := []reconcile.Match{{Record: reconcile.Record{GatewayID: gatewayID, Number: number, Kind: tarspay.HistoryOwnWithdrawal}}}
			require.NoError(t, b.markBooked(t.Context(), merchant, matches))
			return matches[0].Booked
		}
		require.False(t, booked("P4711", ""), "it is proposed only")
		_, refusal, err := b.ConfirmAdjustment(t.Context(), merchant, "S1", who("bilal", ""))
		require.NoError(t, err)
		require.Nil(t, refusal)
		for id, want := range map[string]bool{"P4711": true, "S1": true, "P4712": false} {
			require.Equal(t, want, booked(id, ""), id)
		}
		require.True(t, booked("", "P4711"), "a statement may have the number alone")
		require.False(t, booked("", "OWN-7"))
		require.NotContains(t, b.dump(t), "P4711")
	})
}
