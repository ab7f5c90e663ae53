package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if err := tables.Close(); err != nil && status == 0 {
			panic(err)
		}
		os.Exit(status)
	}))
}

// tables are those of a new ledger.
var tables = dbtest.NewTemplate(func(ctx context.Context, url string) error {
	l, err := Open(ctx, url, SealWith(testKeys), EncryptWith(testRing))
	if err != nil {
		return err
	}
	return errors.Join(l.Migrate(ctx), l.Close())
})

const merchant = "M1700000001"

// testKeys seal the audits of all tests of this package, in all of its processes;
// sealed is what they are verified with.
var (
	testKeys = parseKeys("PRIVATE+KEY+payouts.example.com/test+eb261771+AXUuSU4dEWPVzn+XxsQNpTCEGO/PbvVa0OLL/nrfQCUa")
	sealed   = AuditEvidence{Keys: testKeys.Public()}
)

// testRing encrypts the personal data of all tests of this package.
var testRing = parseRing("k1:1111111111111111111111111111111111111111111111111111111111111111")

func parseRing(lines ...string) *vault.Ring {
	ring, err := vault.Parse([]byte(strings.Join(lines, "\n")), "test")
	if err != nil {
		panic(err)
	}
	return ring
}

// newKeys makes one key for an installation.
func newKeys(origin string) *seal.Keys {
	private, _, err := seal.Generate(origin)
	if err != nil {
		panic(err)
	}
	return parseKeys(private)
}

func parseKeys(private string) *seal.Keys {
	keys, err := seal.ParseKeys([]byte(private), "test")
	if err != nil {
		panic(err)
	}
	return keys
}

// testBundle is a fresh, migrated, empty ledger of one engine.
type testBundle struct {
	*Ledger
	url string
}

// forEachEngine runs a test on both engines. What open gives is closed and
// removed when the test ends.
func forEachEngine(t *testing.T, test func(t *testing.T, setup func(t *testing.T) *testBundle)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) *testBundle { return opened(t, tables.SQLite(t)) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) *testBundle { return opened(t, tables.Postgres(t)) })
	})
}

func migrated(t testing.TB, url string) *testBundle {
	t.Helper()
	b := opened(t, url)
	require.NoError(t, b.Migrate(t.Context()))
	return b
}

func opened(t testing.TB, url string) *testBundle {
	t.Helper()
	l, err := Open(t.Context(), url, SealWith(testKeys), EncryptWith(testRing))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return &testBundle{Ledger: l, url: url}
}

// exec runs SQL past the ledger.
func (b *testBundle) exec(query string, args ...any) error {
	pool := b.pool()
	_, err := pool.Exec(pool.Rebind(query), args...)
	return err
}

// pool is the sessions that write.
func (b *testBundle) pool() *sqlx.DB {
	write, _ := b.db.Pools()
	return write
}

// onPostgres reports whether the ledger is on PostgreSQL.
func (b *testBundle) onPostgres() bool { return b.db.Engine() == sqldb.Postgres }

// current is the order as it stands.
func (b *testBundle) current(t testing.TB, key order.Key) *order.Order {
	t.Helper()
	o, err := b.Order(t.Context(), key)
	require.NoError(t, err)
	return &o
}

// books opens books in PKR, in rupees.
func (b *testBundle) books(t testing.TB, available, frozen string) {
	t.Helper()
	require.NoError(t, b.OpenBooks(t.Context(), merchant, pkr(available), pkr(frozen)))
}

// balances are those in PKR that are not zero, in rupees.
func (b *testBundle) balances(t testing.TB) map[Account]string {
	t.Helper()
	all, err := b.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	require.Len(t, all, len(Accounts()))
	found := make(map[Account]string)
	for account, balance := range all {
		if !balance.IsZero() {
			found[account] = balance.Short()
		}
	}
	return found
}

// clean demands that the ledger agrees with itself and its audit is whole.
func (b *testBundle) clean(t testing.TB) {
	t.Helper()
	v, err := b.Verify(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	require.Empty(t, v.Violations)
	audit, err := b.VerifyAudit(context.WithoutCancel(t.Context()), sealed)
	require.NoError(t, err)
	require.Empty(t, audit.Broken)
}

func pkr(text string) money.Amount {
	amount, err := money.Parse(text, "PKR")
	if err != nil {
		panic(err)
	}
	return amount
}

func request(kind order.Kind, number, amount string) order.Request {
	return order.Request{
		Kind: kind, Merchant: merchant, Number: number, Country: "PK", Way: "JAZZCASH", Amount: pkr(amount),
		Details: map[string]string{"customerName": "Ayesha Example", "customerAccountNumber": "03000000000"}, RequestedBy: "tests",
	}
}

// open opens an order and demands that it was written.
func open(t testing.TB, b *testBundle, r order.Request) order.Order {
	t.Helper()
	o, opening, err := b.OpenOrder(t.Context(), r, Terms{})
	require.NoError(t, err)
	require.Equal(t, Opened, opening)
	return o
}

// begin makes the next attempt, as one that has asked about all earlier ones.
func begin(ctx context.Context, b *testBundle, key order.Key) (Submission, error) {
	earlier, err := b.Submissions(ctx, key)
	if err != nil {
		return Submission{}, err
	}
	return b.NextSubmission(ctx, key, len(earlier))
}

// submit makes one attempt with a given answer.
func submit(t testing.TB, b *testBundle, key order.Key, answer Answer) order.Order {
	t.Helper()
	s, err := begin(t.Context(), b, key)
	require.NoError(t, err)
	o, err := b.CompleteSubmission(t.Context(), key, s.Attempt, answer)
	require.NoError(t, err)
	return o
}

func settle(t testing.TB, b *testBundle, key order.Key, finding rules.Finding) Settlement {
	t.Helper()
	s, err := b.Settle(t.Context(), key, finding)
	require.NoError(t, err)
	return s
}

// paid is a query's finding of a whole payment, in rupees.
func paid(amount, fee string) rules.Finding {
	return rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, Paid: pkr(amount), Fee: pkr(fee)}
}

func callbackFor(r order.Request, gatewayID string) tarspay.Callback {
	return tarspay.Callback{
		Direction: r.Kind.Direction(), Currency: r.Amount.Currency(), Fee: "0", Merchant: r.Merchant, OrderNumber: r.Number,
		OrderAmount: r.Amount.Number(), PayAmount: r.Amount.Number(), GatewayID: gatewayID, State: tarspay.StateSucceeded,
	}
}

// transfers and steps are an order's, a line each.
func (b *testBundle) transfers(t testing.TB, key order.Key) []string {
	t.Helper()
	transfers, err := b.Transfers(t.Context(), key)
	require.NoError(t, err)
	lines := make([]string, len(transfers))
	for i, transfer := range transfers {
		require.False(t, transfer.At.IsZero())
		lines[i] = fmt.Sprintf("%s %s -> %s %s", transfer.Reason, transfer.From, transfer.To, transfer.Amount)
	}
	return lines
}

func (b *testBundle) steps(t testing.TB, key order.Key) []string {
	t.Helper()
	steps, err := b.History(t.Context(), key)
	require.NoError(t, err)
	lines := make([]string, len(steps))
	for i, step := range steps {
		require.False(t, step.At.IsZero())
		lines[i] = fmt.Sprintf("%s -> %s (%s)", step.From, step.To, strings.Join(strings.Fields(
			string(step.Source)+" "+step.Evidence+" "+step.By), " "))
		if step.Reason.Code != "" {
			lines[i] += " " + step.Reason.Code
		}
	}
	return lines
}

// discrepancies are the codes on record for an order, oldest first.
func (b *testBundle) discrepancies(t testing.TB, key order.Key) []string {
	t.Helper()
	found, err := b.Discrepancies(t.Context(), DiscrepancyFilter{Merchant: key.Merchant, Number: key.Number})
	require.NoError(t, err)
	codes := make([]string, len(found))
	for i, discrepancy := range found {
		codes[len(found)-1-i] = discrepancy.Code
	}
	return codes
}

// together runs n calls at the same time.
func together(n int, call func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// balancesOf are a merchant's in PKR that are not zero, in rupees, without the
// opening account.
func (b *testBundle) balancesOf(t testing.TB, merchant string) map[Account]string {
	t.Helper()
	all, err := b.Balances(t.Context(), merchant, "PKR")
	require.NoError(t, err)
	found := make(map[Account]string)
	for account, balance := range all {
		if account != AccountOpening && !balance.IsZero() {
			found[account] = balance.Short()
		}
	}
	return found
}

// reachable leaves out states that orders of a kind never see.
func reachable(kind order.Kind, state order.State) bool {
	return state == order.Created || len(rules.Sources(kind, state)) > 0
}

// holds reports whether a withdrawal in this state has money set aside.
func holds(state order.State) bool {
	return slices.Contains([]order.State{order.Reserved, order.Submitting, order.Unknown, order.Submitted, order.InReview}, state)
}

var merchants atomic.Int64

// at makes an order of 100 rupees in a given state, for a merchant of its own
// who began with 1000.
func (b *testBundle) at(t testing.TB, kind order.Kind, state order.State) order.Order {
	t.Helper()
	r := request(kind, "X1", "100")
	r.Merchant = fmt.Sprint("MX", merchants.Add(1))
	key := r.Key()
	require.NoError(t, b.OpenBooks(t.Context(), r.Merchant, pkr("1000"), pkr("0")))
	switch state {
	case order.Created, order.AwaitingApproval, order.AwaitingFunds, order.Rejected, order.Cancelled:
		first := state
		if state == order.Cancelled {
			first = order.Created
		}
		b.openAs(t, r, first)
		if state == order.Cancelled {
			_, refusal, err := b.Cancel(t.Context(), key, order.Cancellation{By: "ops", Why: "a test"})
			require.NoError(t, err)
			require.Nil(t, refusal)
		}
	case order.Scheduled:
		now, err := b.Now(t.Context())
		require.NoError(t, err)
		r.NotBefore = now.Add(oneDay)
		open(t, b, r)
	case order.Reserved, order.Submitting, order.Unknown, order.Submitted, order.InReview:
		open(t, b, r)
		if state == order.Reserved {
			break
		}
		_, err := begin(t.Context(), b, key)
		require.NoError(t, err)
		answers := map[order.State]Answer{order.Unknown: ambiguous, order.Submitted: accepted, order.InReview: ambiguous}
		if answer, set := answers[state]; set {
			_, err := b.CompleteSubmission(t.Context(), key, 1, answer)
			require.NoError(t, err)
		}
		if state == order.InReview {
			_, err := b.Review(t.Context(), key, order.Reason{Code: order.CodeNoProof, Text: "no proof"})
			require.NoError(t, err)
		}
	default:
		open(t, b, r)
		b.end(t, key, state)
	}
	o, err := b.Order(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, state, o.State)
	return o
}

// compare compares a balance of the gateway's, while nothing is booked.
func (b *testBundle) compare(t testing.TB, merchant string, available, frozen money.Amount) (order.Snapshot, error) {
	t.Helper()
	before, err := b.Booked(t.Context(), merchant, available.Currency())
	require.NoError(t, err)
	return b.TakeSnapshot(t.Context(), merchant, available, frozen, before)
}

// openAs opens an order in a state that no policy or balance asked for.
func (b *testBundle) openAs(t testing.TB, r order.Request, state order.State) {
	t.Helper()
	row, err := newOrderRow(r)
	require.NoError(t, err)
	row.evidence = r.Fingerprint()
	_, opening, err := b.openWith(t.Context(), row, func(x tx, ctx context.Context, row orderRow) (orderRow, Opening, error) {
		row.State = state
		return x.write(ctx, row)
	})
	require.NoError(t, err)
	require.Equal(t, Opened, opening)
}

// end takes an open order to its end.
func (b *testBundle) end(t testing.TB, key order.Key, state order.State) {
	t.Helper()
	if state == order.Failed {
		submit(t, b, key, refused)
		return
	}
	submit(t, b, key, ambiguous)
	finding := paid("100", "2")
	switch state {
	case order.PartiallyPaid:
		finding.Verdict, finding.Paid, finding.Fee = rules.PartPaid, pkr("40"), pkr("1")
	case order.Expired:
		finding = rules.Finding{Source: rules.FromQuery, Verdict: rules.Lapsed}
	default: // succeeded, and refunded after it
	}
	settle(t, b, key, finding)
	if state == order.Refunded {
		settle(t, b, key, rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned})
	}
}

// permute calls with every order of the elements.
func permute[T any](elements []T, call func([]T)) {
	elements = slices.Clone(elements) // the caller's may be another test's, too
	var place func(int)
	place = func(i int) {
		if i == len(elements) {
			call(slices.Clone(elements))
			return
		}
		for j := i; j < len(elements); j++ {
			elements[i], elements[j] = elements[j], elements[i]
			place(i + 1)
			elements[i], elements[j] = elements[j], elements[i]
		}
	}
	place(0)
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// who is a person with a reason.
func who(by, why string) order.Who { return order.Who{By: by, Why: why} }
