package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const merchant = "M1700000001"

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
		test(t, func(t *testing.T) *testBundle { return migrated(t, sqliteURL(t)) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) *testBundle { return migrated(t, postgresURL(t)) })
	})
}

// forEachURL does the same with an empty database, not migrated.
func forEachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteURL(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgresURL(t))
	})
}

func sqliteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
}

// postgresURL makes a schema of the test's own.
func postgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_POSTGRES_URL")
	if server == "" {
		t.Fatal("TEST_POSTGRES_URL is not set: these tests need a PostgreSQL; run `make test`, which finds or installs one and starts it")
	}
	var name [8]byte
	_, err := rand.Read(name[:])
	require.NoError(t, err)
	schema := "ledger_" + hex.EncodeToString(name[:])

	admin, err := sqlx.Open("postgres", server)
	require.NoError(t, err)
	_, err = admin.Exec("CREATE SCHEMA " + schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE")
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	own, err := url.Parse(server)
	require.NoError(t, err)
	query := own.Query()
	query.Set("search_path", schema)
	own.RawQuery = query.Encode()
	return own.String()
}

func migrated(t testing.TB, url string) *testBundle {
	t.Helper()
	b := opened(t, url)
	require.NoError(t, b.Migrate(t.Context()))
	return b
}

func opened(t testing.TB, url string) *testBundle {
	t.Helper()
	l, err := Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return &testBundle{Ledger: l, url: url}
}

// exec runs SQL past the ledger.
func (b *testBundle) exec(query string, args ...any) error {
	_, err := b.write.Exec(b.write.Rebind(query), args...)
	return err
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

// clean demands that the ledger agrees with itself.
func (b *testBundle) clean(t testing.TB) {
	t.Helper()
	v, err := b.Verify(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	require.Empty(t, v.Violations)
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
		Details: map[string]string{"customerName": "Ayesha Example", "walletId": "03000000000"}, RequestedBy: "tests",
	}
}
