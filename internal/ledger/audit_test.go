package ledger

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestAuditOfAWithdrawal(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		r := request(order.Withdrawal, "W1", "100")
		open(t, b, r)
		submit(t, b, r.Key(), ambiguous)
		_, err := b.Review(t.Context(), r.Key(), order.Reason{Code: order.CodeNoProof, Text: "a day"})
		require.NoError(t, err)
		finding := paid("100", "2")
		finding.Source, finding.Evidence = rules.FromCallback, "inbox-1"
		settle(t, b, r.Key(), finding)
		settle(t, b, r.Key(), finding) // nothing happens, nothing is written
		settle(t, b, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid})
		settle(t, b, r.Key(), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, Reason: order.Reason{Code: order.CodeRefunded}})

		entries, err := b.Audit(t.Context(), r.Key())
		require.NoError(t, err)
		previous := ""
		for i, e := range entries {
			require.Equal(t, r.Key(), e.Key)
			require.Equal(t, i+1, e.Seq)
			require.WithinRange(t, e.At, time.Now().Add(-time.Minute), time.Now())
			require.Equal(t, previous, e.PrevHash)
			require.Regexp(t, "^[0-9a-f]{64}$", e.Hash)
			require.False(t, e.Refused)
			previous = e.Hash
		}
		require.Equal(t, []string{
			"tests: open >reserved",
			"system: submit reserved>submitting",
			"system: answer submitting>unknown GATEWAY_UNKNOWN",
			"system: review unknown>in_review NO_PROOF",
			"system: settle in_review>succeeded",
			"system: discrepancy UNPAID_AFTER_SUCCESS",
			"system: settle succeeded>refunded REFUNDED",
			"system: close_discrepancy UNPAID_AFTER_SUCCESS",
		}, b.trail(t, r.Key()))
		require.Equal(t, r.Fingerprint(), entries[0].Evidence)
		require.Equal(t, "attempt 1", entries[1].Evidence)
		require.Zero(t, entries[3].Paid)
		require.Equal(t, [2]any{rules.FromCallback, "inbox-1"}, [2]any{entries[4].Source, entries[4].Evidence})
		require.Equal(t, [2]any{pkr("100"), pkr("2")}, [2]any{entries[4].Paid, entries[4].Fee})

		report, err := b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Equal(t, AuditReport{Orders: 2, Entries: 9}, report)
		b.clean(t)
	})
}

// The encoding is written down: whoever checks a chain with other means comes
// to the same hash.
func TestTheAuditsHash(t *testing.T) {
	t.Parallel()
	row := auditRow{
		Merchant: "M1", Number: "W1", Chain: chainOrder, Seq: 2, At: 1772366400000, Actor: "amina", Action: ActionApprove,
		Source: rules.FromOperator, Evidence: "f00", Before: order.AwaitingApproval, After: order.Reserved, Outcome: outcomeDone,
		Code: "APPROVED", Text: "é", Paid: 0, Fee: -1, Mark: "u",
	}
	// printf '15:payouts-audit-1' …'32:'<32 zero bytes>'2:M12:W15:order1:213:17723664000005:amina7:approve8:operator3:f00'…
	want := "15:payouts-audit-1" + "32:" + strings.Repeat("\x00", 32) + "2:M1" + "2:W1" + "5:order" + "1:2" + "13:1772366400000" + "5:amina" +
		"7:approve" + "8:operator" + "3:f00" + "17:awaiting_approval" + "8:reserved" + "4:done" + "8:APPROVED" + "2:é" + "1:0" + "2:-1" + "1:u"
	require.Equal(t, sha(want), hex.EncodeToString(row.computeHash(make([]byte, 32))))

	row.Envelope = `{"envelope":{},"signature":"s"}`
	want = strings.Replace(want, "audit-1", "audit-2", 1) + "31:" + row.Envelope
	require.Equal(t, sha(want), hex.EncodeToString(row.computeHash(make([]byte, 32))))
}

// The envelope of a signed action is stored as it came, and the hash covers it.
func TestAuditKeepsTheEnvelope(t *testing.T) {
	t.Parallel()
	signed := `{"envelope":{"by":"amina","reason":"é \\u2028"},"signature":"` + strings.Repeat("x", 5000) + `"}`
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Reserved)
		for key, e := range map[order.Key]entry{
			o.Key():                {action: ActionNote, actor: "amina", envelope: signed},
			{Merchant: o.Merchant}: {action: ActionAdopt, actor: "amina", envelope: signed},
		} {
			require.NoError(t, b.inTx(t.Context(), func(x tx) error {
				if key.Number == "" {
					return x.noteOther(t.Context(), key, e)
				}
				h, err := x.lockOrder(t.Context(), key)
				require.NoError(t, err)
				return x.note(t.Context(), &h, e)
			}))
			entries, err := b.Audit(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, signed, entries[len(entries)-1].Envelope)
		}
		entries, err := b.Audit(t.Context(), o.Key())
		require.NoError(t, err)
		require.Empty(t, entries[0].Envelope)
		b.clean(t)

		b.unguard(t)
		require.NoError(t, b.exec("UPDATE audit SET envelope = REPLACE(envelope, 'amina', 'bilal') || CASE number WHEN '' THEN '' ELSE '=' END WHERE envelope <> ''"))
		report, err := b.VerifyAudit(t.Context(), sealed)
		require.NoError(t, err)
		require.Equal(t, []AuditBreak{
			{Key: order.Key{Merchant: o.Merchant}, Seq: 2, Code: CodeChainBroken, Detail: "the entry is not what was written, or does not follow from the one before it"},
			{Key: o.Key(), Seq: 2, Code: CodeChainBroken, Detail: "the entry is not what was written, or does not follow from the one before it"},
		}, report.Broken)
	})
}

// TestTampering changes the audit past all guards, one change at a time. Each
// is found, in the chain it was made in and in no other.
func TestTampering(t *testing.T) {
	t.Parallel()
	const one, two = " WHERE number = 'W1'", " WHERE number = 'W2'"
	tests := []struct {
		name   string
		sql    string
		broken []string // number, entry: what is said
	}{
		{"an actor", "UPDATE audit SET actor = 'bilal'" + one + " AND seq = 2", []string{"W1 2: the entry is not what was written, or does not follow from the one before it"}},
		{"a time", "UPDATE audit SET at = at + 1" + one + " AND seq = 1", []string{"W1 1: the entry is not what was written"}},
		{"an action", "UPDATE audit SET action = 'note'" + one + " AND seq = 2", []string{"W1 2: the entry is not"}},
		{"a source", "UPDATE audit SET source = 'callback'" + one + " AND seq = 3", []string{"W1 3: the entry is not"}},
		{"evidence", "UPDATE audit SET evidence = 'attempt 2'" + one + " AND seq = 2", []string{"W1 2: the entry is not"}},
		{"a state before", "UPDATE audit SET before_state = 'created'" + one + " AND seq = 1", []string{"W1 1: the entry is not"}},
		{"a state after", "UPDATE audit SET after_state = 'unknown'" + one + " AND seq = 3", []string{"W1 3: the entry is not"}},
		{"an outcome", "UPDATE audit SET outcome = 'done'" + one + " AND seq = 4", []string{"W1 4: the entry is not"}},
		{"a code", "UPDATE audit SET code = 'X'" + one + " AND seq = 4", []string{"W1 4: the entry is not"}},
		{"a text", "UPDATE audit SET text = text || '.'" + one + " AND seq = 4", []string{"W1 4: the entry is not"}},
		{"an amount", "UPDATE audit SET paid = paid - 1" + one + " AND seq = 5", []string{"W1 5: the entry is not"}},
		{"a fee", "UPDATE audit SET fee = 0" + one + " AND seq = 5", []string{"W1 5: the entry is not"}},
		{"a mark", "UPDATE audit SET mark = ''" + one + " AND seq = 4", []string{"W1 4: the entry is not"}},
		{"an envelope", "UPDATE audit SET envelope = '{}'" + one + " AND seq = 4", []string{"W1 4: the entry is not"}},
		{"a hash", "UPDATE audit SET hash = (SELECT hash FROM audit a WHERE a.number = 'W1' AND a.seq = 3)" + one + " AND seq = 5", []string{"W1 5: the entry is not"}},
		{"the first is gone", "DELETE FROM audit" + one + " AND seq = 1", []string{"W1 2: entry 2 follows entry 0: what was between them is gone"}},
		{"one is gone", "DELETE FROM audit" + one + " AND seq = 3", []string{"W1 4: entry 4 follows entry 2: what was between them is gone"}},
		{"one is gone, closed up", "DELETE FROM audit" + one + " AND seq = 4; UPDATE audit SET seq = 4" + one + " AND seq = 5", []string{"W1 4: the entry is not"}},
		{"the last is gone", "DELETE FROM audit" + one + " AND seq = 5", []string{"W1 4: the chain ends with entry 4 and had 5"}},
		{"the last is gone, the count too", "DELETE FROM audit" + one + " AND seq = 5; UPDATE orders SET audit_entries = 4" + one, []string{"W1 4: the last entry is not the one that was written last"}},
		{"one more in the count", "UPDATE orders SET audit_entries = 4" + one, []string{"W1 5: the chain has 5 entries and should have 4"}},
		{"all are gone", "DELETE FROM audit" + one, []string{"W1 0: every entry of the chain is gone"}},
		{"two have changed places", "UPDATE audit SET seq = 9" + one + " AND seq = 2; UPDATE audit SET seq = 2" + one + " AND seq = 3; UPDATE audit SET seq = 3" + one + " AND seq = 9", []string{"W1 2: the entry is not"}},
		{"two orders have changed chains", "UPDATE audit SET number = 'X'" + one + "; UPDATE audit SET number = 'W1'" + two + "; UPDATE audit SET number = 'W2' WHERE number = 'X'", []string{"W1 1: the entry is not", "W2 1: the entry is not"}},
		{"two orders have changed content", "UPDATE orders SET number = 'X'" + one + "; UPDATE orders SET number = 'W1'" + two + "; UPDATE orders SET number = 'W2' WHERE number = 'X'",
			[]string{"W1 1: the entry does not decrypt: the key of orders M1700000001/W1 does not decrypt", "W2 1: the entry does not decrypt"}},
		{"an order's request", "UPDATE orders SET request = substr(request, 1, length(request) - 8) || 'AAAAAAAA'" + two, []string{"W2 1: the order has other content"}},
		{"an order's fingerprint", "UPDATE orders SET fingerprint = 'f00'" + two, []string{"W2 1: the order has other content"}},
		{"an entry of the merchant", "UPDATE audit SET text = '' WHERE number = '' AND seq = 2", []string{" 2: the entry is not"}},
		{"the merchant's last", "DELETE FROM audit WHERE number = '' AND seq = 3", []string{" 2: the chain ends with entry 2 and had 3"}},
		{"the merchant's head", "DELETE FROM chains WHERE number = ''", []string{" 3: the chain has 3 entries and should have 0"}},
		{"of a number we never had", "DELETE FROM audit WHERE number = 'NOBODY'", []string{"NOBODY 0: every entry of the chain is gone"}},
		{"moved to the other chain", "UPDATE audit SET chain = 'other'" + one + " AND seq = 5", []string{"W1 5: entry 5 follows entry 0", "W1 4: the chain ends with entry 4 and had 5"}},
	}
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				b := setup(t)
				b.books(t, "1000", "0")
				for _, number := range []string{"W1", "W2"} {
					r := request(order.Withdrawal, number, "100")
					open(t, b, r)
					submit(t, b, r.Key(), Answer{Outcome: Accepted, GatewayID: "G" + number})
					_, refusal, err := b.Cancel(t.Context(), r.Key(), order.Cancellation{ID: "u", By: "amina", Why: "x"})
					require.NoError(t, err)
					require.NotNil(t, refusal)
					settle(t, b, r.Key(), paid("100", "2"))
				}
				require.NoError(t, b.Trip(t.Context(), merchant, order.Reason{Code: order.CodeGatewayPaused, Text: "key"}, time.Minute))
				require.NoError(t, b.Reset(t.Context(), merchant))
				_, _, err := b.Approve(t.Context(), order.Key{Merchant: merchant, Number: "NOBODY"}, order.Approval{By: "amina"})
				require.NoError(t, err)
				report, err := b.VerifyAudit(t.Context(), sealed)
				require.NoError(t, err)
				require.Equal(t, AuditReport{Orders: 4, Entries: 14}, report)
				b.clean(t)

				b.unguard(t)
				for statement := range strings.SplitSeq(test.sql, ";") {
					require.NoError(t, b.exec(statement))
				}
				report, err = b.VerifyAudit(t.Context(), AuditEvidence{})
				require.NoError(t, err)
				broken := make([]string, len(report.Broken))
				for i, found := range report.Broken {
					require.Equal(t, merchant, found.Key.Merchant)
					require.Equal(t, CodeChainBroken, found.Code)
					broken[i] = fmt.Sprintf("%s %d: %s", found.Key.Number, found.Seq, found.Detail)
				}
				require.Len(t, broken, len(test.broken), broken)
				for i, want := range test.broken {
					require.True(t, strings.HasPrefix(broken[i], want), "%s\n%s", want, broken[i])
				}
			})
		}
	})
}

// An actor, an action or a text may hold anything that a person types.
func TestAuditTakesAnyText(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Submitted)
		for _, text := range []string{"a\x00b", "\xff\xfe", strings.Repeat("é", 90), "'; DROP TABLE audit; --", "𝄞"} {
			_, refusal, err := b.Note(t.Context(), o.Key(), order.Note{ID: text, By: text, Text: text})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
		_, refusal, err := b.Cancel(t.Context(), order.Key{Merchant: "M\x00", Number: "\xff"}, order.Cancellation{By: "amina", Why: "x"})
		require.NoError(t, err)
		require.Equal(t, order.CodeOrderNotFound, refusal.Code)
		b.clean(t)
	})
}

func TestManyEntriesOfOneChainAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		o := b.at(t, order.Withdrawal, order.Submitted)
		failures := make([]error, 40)
		together(len(failures), func(i int) {
			switch i % 4 {
			case 0:
				_, _, failures[i] = b.Note(background, o.Key(), order.Note{By: "amina", Text: fmt.Sprint(i)})
			case 1:
				failures[i] = b.OpenDiscrepancy(background, o.Key(), codes.DiscrepancyMismatch, fmt.Sprint(i))
			case 2:
				_, _, failures[i] = b.Cancel(background, order.Key{Merchant: o.Merchant, Number: "NOBODY"}, order.Cancellation{By: "a", Why: "b"})
			default:
				_, failures[i] = b.Settle(background, o.Key(), paid("100", "2"))
			}
		})
		for _, failure := range failures {
			require.NoError(t, failure)
		}
		require.Len(t, b.trail(t, o.Key()), 3+10+10+1)
		require.Len(t, b.trail(t, order.Key{Merchant: o.Merchant, Number: "NOBODY"}), 10)
		b.clean(t)
	})
}

// Pages of a merchant's own audit have each entry once, with the hash of the one before.
func TestPagesOfTheAudit(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "10000", "0")
		open(t, b, request(order.Withdrawal, "W1", "100"))
		for i := range 5 {
			require.NoError(t, b.RefuseStart(t.Context(), merchant, fmt.Sprint("order:", i), order.Reason{Code: order.CodeInvalidRequest, Text: "no"}))
		}
		whole, err := b.Audit(t.Context(), order.Key{Merchant: merchant})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(whole), 5)
		for limit := 1; limit <= len(whole)+1; limit++ {
			paged, after := []AuditEntry{}, int64(0)
			for {
				page, err := b.AuditPage(t.Context(), merchant, after, limit)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page), limit)
				if len(page) == 0 {
					break
				}
				paged, after = append(paged, page...), int64(page[len(page)-1].Seq)
			}
			require.Equal(t, whole, paged, limit)
		}
		none, err := b.AuditPage(t.Context(), "M9", 0, 10)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
