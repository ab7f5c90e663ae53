package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/order"
)

// lives makes entries of every kind of chain: an order's whole life, a merchant's
// breaker, an order that we do not have, and the installation's policy.
func (b *testBundle) lives(t *testing.T) {
	t.Helper()
	b.books(t, "1000", "0")
	life(t, b, "W1")
	require.NoError(t, b.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused, Text: "key"}, time.Minute))
	_, _, err := b.Approve(t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}, order.Approval{By: "amina"})
	require.NoError(t, err)
	require.NoError(t, b.RecordPolicy(t.Context(), "none", nil))
}

// found is the audit's verification, a line for each break.
func (b *testBundle) found(t *testing.T, evidence AuditEvidence) []string {
	t.Helper()
	report, err := b.VerifyAudit(t.Context(), evidence)
	require.NoError(t, err)
	require.Zero(t, report.More)
	lines := make([]string, len(report.Broken))
	for i, found := range report.Broken {
		lines[i] = found.Code + " " + found.Key.Number
	}
	return lines
}

func TestEveryEntryIsSealed(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.lives(t)
		b.clean(t)
		other := AuditEvidence{Keys: newKeys("payouts.example.com/test").Public()}
		require.Equal(t, []string{
			"AUDIT_SEAL_KEY_UNKNOWN ", "AUDIT_SEAL_KEY_UNKNOWN ", "AUDIT_SEAL_KEY_UNKNOWN ", "AUDIT_SEAL_KEY_UNKNOWN NOBODY", "AUDIT_SEAL_KEY_UNKNOWN W1",
			"AUDIT_SEAL_KEY_UNKNOWN W1", "AUDIT_SEAL_KEY_UNKNOWN W1", "AUDIT_SEAL_KEY_UNKNOWN W1",
		}, b.found(t, other))

		b.unguard(t)
		require.NoError(t, b.exec("UPDATE audit SET seal = ? WHERE number = 'W1' AND seq = 2", []byte{}))
		require.NoError(t, b.exec("UPDATE audit SET seal = (SELECT seal FROM audit a WHERE a.number = 'W1' AND a.seq = 4) WHERE number = 'NOBODY'"))
		require.Equal(t, []string{"AUDIT_SEAL_WRONG NOBODY", "AUDIT_SEAL_MISSING W1"}, b.found(t, sealed))
		require.Empty(t, b.found(t, AuditEvidence{}), "without keys, seals are not looked at")
	})
}

// After a rotation the old public key still verifies what it sealed.
func TestSealsAfterARotation(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		life(t, b, "W1")
		b.keys = newKeys(testKeys.Origin())
		life(t, b, "W2")
		require.Equal(t, []string{"AUDIT_SEAL_KEY_UNKNOWN W2", "AUDIT_SEAL_KEY_UNKNOWN W2", "AUDIT_SEAL_KEY_UNKNOWN W2", "AUDIT_SEAL_KEY_UNKNOWN W2"}, b.found(t, sealed))
		both, err := seal.ParsePublic(append(b.keys.PublicLines(), testKeys.PublicLines()...), "test")
		require.NoError(t, err)
		require.Empty(t, b.found(t, AuditEvidence{Keys: both}))
	})
}

// A process without keys writes entries as before, and they are reported.
func TestAnUnsealedAuditIsReported(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.keys = nil
		b.books(t, "1000", "0")
		life(t, b, "W1")
		require.Empty(t, b.found(t, AuditEvidence{}))
		require.Equal(t, []string{"AUDIT_SEAL_MISSING ", "AUDIT_SEAL_MISSING W1", "AUDIT_SEAL_MISSING W1", "AUDIT_SEAL_MISSING W1", "AUDIT_SEAL_MISSING W1"}, b.found(t, sealed))
	})
}

// forge writes an approval that nobody gave, correctly chained, and reserves the
// money: INSERT and UPDATE only, with all triggers on. It has no text, because one in clear would
// be found.
func forge(t *testing.T, b *testBundle, key order.Key, forgedSeal func(hash []byte) []byte) error {
	t.Helper()
	pool := b.pool()
	var o struct {
		ID      int64  `db:"id"`
		Entries int64  `db:"audit_entries"`
		Head    []byte `db:"audit_head"`
		Amount  int64  `db:"amount"`
	}
	err := pool.Get(&o, pool.Rebind("SELECT id, audit_entries, audit_head, amount FROM orders WHERE merchant = ? AND number = ?"), key.Merchant, key.Number)
	if err != nil {
		return err
	}
	row := auditRow{
		Merchant: key.Merchant, Number: key.Number, Chain: chainOrder, Seq: o.Entries + 1, At: time.Now().UnixMilli(), Actor: "amina",
		Action: ActionApprove, Source: rules.FromOperator, Before: order.AwaitingApproval, After: order.Reserved,
		Outcome: outcomeDone, Code: "APPROVED", Mark: "update 5f0c9a53-0000-4000-8000-000000000000",
	}
	row.Hash = row.computeHash(o.Head)
	row.Seal = forgedSeal(row.Hash)
	begun, err := pool.Beginx()
	require.NoError(t, err)
	defer func() { _ = begun.Rollback() }()
	_, err = begun.NamedExec(`INSERT INTO audit (merchant, number, chain, seq, at, actor, action, source, evidence, before_state, after_state,
			outcome, code, text, paid, fee, mark, hash, seal)
		VALUES (:merchant, :number, :chain, :seq, :at, :actor, :action, :source, :evidence, :before_state, :after_state,
			:outcome, :code, :text, :paid, :fee, :mark, :hash, :seal)`, row)
	if err != nil {
		return err
	}
	for statement, args := range map[string][]any{
		"UPDATE orders SET state = 'reserved', reason_code = '', reason_text = '', audit_entries = ?, audit_head = ? WHERE id = ?": {row.Seq, row.Hash, o.ID},
		"INSERT INTO transfers (order_id, merchant, currency, reason, from_account, to_account, amount, at) VALUES (?, ?, 'PKR', 'reserve', 'available', 'in_flight', ?, 1)": {
			o.ID, key.Merchant, o.Amount,
		},
		"UPDATE books SET available = available - ?, in_flight = in_flight + ? WHERE merchant = ?": {o.Amount, o.Amount, key.Merchant},
	} {
		if _, err := begun.Exec(begun.Rebind(statement), args...); err != nil {
			return err
		}
	}
	return begun.Commit()
}

// Somebody who may write to the database forges an approval. The chain fits, so
// that only the seal tells.
func TestAForgedApprovalIsFound(t *testing.T) {
	t.Parallel()
	stranger := newKeys(testKeys.Origin())
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for want, forgedSeal := range map[string]func([]byte) []byte{
			"AUDIT_SEAL_MISSING":     func([]byte) []byte { return []byte{} },
			"AUDIT_SEAL_KEY_UNKNOWN": stranger.Seal,
			"AUDIT_SEAL_WRONG":       func([]byte) []byte { return testKeys.Seal(make([]byte, 32)) }, // of another entry
		} {
			b := setup(t)
			o := b.at(t, order.Withdrawal, order.AwaitingApproval)
			b.clean(t)
			require.NoError(t, forge(t, b, o.Key(), forgedSeal))
			require.Equal(t, order.Reserved, b.current(t, o.Key()).State)
			require.Empty(t, b.found(t, AuditEvidence{}))
			seen, evidence := make(seenProofs), sealed
			evidence.Proofs = func([]Roster) Proofs { return seen }
			report, err := b.VerifyAudit(t.Context(), evidence)
			require.NoError(t, err)
			require.Equal(t, seenProofs{"X1 1": true, "X1 2": false}, seen, "it counts as nobody's")
			require.Len(t, report.Broken, 1)
			require.Equal(t, AuditBreak{Key: o.Key(), Seq: 2, Code: want, Detail: report.Broken[0].Detail}, report.Broken[0])
		}
	})
}

// seenProofs records the entries of orders that are checked, and whether they are genuine.
type seenProofs map[string]bool

func (s seenProofs) Roster(string, time.Time) *order.Refusal { return nil }

func (s seenProofs) Check(e AuditEntry, genuine bool) *order.Refusal {
	if e.Key.Number != "" {
		s[fmt.Sprint(e.Key.Number, " ", e.Seq)] = genuine
	}
	return nil
}

// Whoever lets an order go on that waits for an approval, under another name than that of an
// approval, or after one of the two that an unsigned start needs, is found, although the
// entry is sealed.
func TestAnOrderThatGoesOnWithoutApproval(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		goesOn := func(b *testBundle, o order.Order, e entry) []AuditBreak {
			t.Helper()
			b.clean(t)
			require.NoError(t, b.inTx(t.Context(), func(x tx) error {
				h, err := x.lockOrder(t.Context(), o.Key())
				if err != nil {
					return err
				}
				if err := x.move(t.Context(), &h, order.Reserved, e); err != nil {
					return err
				}
				return x.bookAll(t.Context(), h, reservation(h.Order))
			}))
			require.Equal(t, order.Reserved, b.current(t, o.Key()).State)
			report, err := b.VerifyAudit(t.Context(), sealed)
			require.NoError(t, err)
			return report.Broken
		}
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.AwaitingApproval)
		require.Equal(t, []AuditBreak{{Key: o.Key(), Seq: 2, Code: CodeChainBroken, Detail: "the order waited for an approval, and went on by reserve"}},
			goesOn(b, o, entry{action: ActionReserve, source: FromFunds}))

		b = setup(t)
		b.SetAuthority(proves{})
		b.books(t, "1000", "0")
		unsigned := open(t, b, request(order.Withdrawal, "W1", "100"))
		require.Equal(t, order.AwaitingApproval, unsigned.State)
		require.Equal(t, []AuditBreak{{
			Key: unsigned.Key(), Seq: 2, Code: CodeChainBroken, Detail: "the start is not signed, so two persons must approve the order, and only amina has",
		}}, goesOn(b, unsigned, entry{action: ActionApprove, actor: "amina", source: rules.FromOperator}))
	})
}

// The same with the rights of each role: only the worker's can write the entry,
// and it is found.
func TestAForgedApprovalByRole(t *testing.T) {
	t.Parallel()
	unsealed := func([]byte) []byte { return []byte{} }
	address, _ := withRoles(t)
	b := opened(t, as(t, address, "payouts_worker"))
	o := b.at(t, order.Withdrawal, order.AwaitingApproval)
	for _, role := range roleNames {
		if role == "payouts_worker" {
			continue
		}
		err := forge(t, opened(t, as(t, address, role)), o.Key(), unsealed)
		var refused *pq.Error
		require.ErrorAs(t, err, &refused, role)
		require.Equal(t, insufficientPrivilege, string(refused.Code), role)
	}
	b.clean(t)

	require.NoError(t, forge(t, b, o.Key(), unsealed))
	require.Equal(t, []string{"AUDIT_SEAL_MISSING X1"}, b.found(t, sealed))
	// Nor can it take the entry back, or seal it afterwards.
	for _, statement := range []string{"DELETE FROM audit", "UPDATE audit SET seal = ''"} {
		_, err := b.pool().Exec(statement)
		var refused *pq.Error
		require.ErrorAs(t, err, &refused, statement)
		require.Equal(t, insufficientPrivilege, string(refused.Code), statement)
	}
}
