package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb/dbtest"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// TestReaderRole runs the real processes, each with the rights of its role, through
// orders of both kinds, and every command of starter with the reader's login. The
// database refuses that login every write.
func TestReaderRole(t *testing.T) {
	t.Parallel()
	h := openWaiting(t, dbtest.Server(t), "2000", "1h")
	for _, setting := range h.Environment() {
		if address, found := strings.CutPrefix(setting, "PAYOUTS_DATABASE_URL="); found {
			requireReader(t, address)
		}
	}
	paid := h.payments[0]
	waiting := h.withdrawal(t, "PK", "success", succeeds)
	h.stands(t, order.AwaitingFunds, waiting)
	merchant := "--merchant=" + h.Merchant("PK")
	profile, _ := tarspay.Country("PK")
	number := paid.request.Number
	for _, args := range [][]string{
		{"list"}, {"status", number, merchant}, {"show", number, merchant}, {"audit", number, merchant}, {"audit", "--verify"},
		{"audit", "--installation"}, {"queue"}, {"discrepancies"}, {"balance"}, {"adjust", "list"},
		{"report", "--so-far", merchant, "--day=" + string(order.DateOf(time.Now(), profile.TimeZone))},
		{"note", number, merchant, "--by=amina", "seen"}, {"poll", waiting.request.Number, merchant, "--by=amina"},
	} {
		h.starter(t, args...).answers(t, exitDone)
	}
	h.fund(t, "5000", false)
	h.adjusts(t, exitDone, "propose", "--by=amina", "--kind=top_up", "--amount=5000", "--why=salaries", "--evidence=slip 88")
	h.adjusts(t, exitDone, "confirm", "--by=dana")
	h.ended(t, waiting, h.deposit(t, "PK", "success", succeeds))
	h.discrepancies++
	require.NoError(t, h.books.OpenDiscrepancy(h.ctx, paid.request.Key(), codes.DiscrepancyMismatch, "a test's"))
	h.starter(t, "discrepancy", "assign", "1", "--to=bilal", "--by=amina", "--why=your merchant").answers(t, exitDone)
	h.starter(t, "discrepancy", "show", "1").answers(t, exitDone)
	h.starter(t, "close-discrepancy", "1", "--by=amina", "--why=looked at").answers(t, exitDone)
	h.starter(t, "set-aside", "f00d", "--by=amina", "--why=w").answers(t, exitNotFound)
	h.starter(t, "restored", "--over", "--by=amina", "--why=w").answers(t, exitRefused)
	h.starter(t, "adopt", number, merchant, "--by=amina").answers(t, exitRefused)
	h.starter(t, "reconcile").answers(t, exitDone)
}

// requireReader tries writes with a login.
func requireReader(t *testing.T, address string) {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	require.Contains(t, parsed.User.Username(), stack.Starter)
	db, err := sqlx.Open("postgres", address)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, statement := range []string{
		"DELETE FROM audit", "UPDATE orders SET state = 'failed'", "TRUNCATE transfers", "UPDATE moves SET to_state = 'failed'",
		"INSERT INTO inbox DEFAULT VALUES", "INSERT INTO audit DEFAULT VALUES", "CREATE TABLE mine (id BIGINT)",
		"SET ROLE payouts_worker", "SET ROLE payouts_migrate",
	} {
		_, err := db.Exec(statement)
		require.ErrorContains(t, err, "permission denied", statement)
	}
}
