package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/harness/stack"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

const operationsPage = "docs/operations.md"

// The merchants of the page.
const (
	pakistan = "M1700000001"
	vietnam  = "M1700000002"
)

// dayPolicy requires a second person for an order above 20000, and two persons for
// an order in review.
const dayPolicy = "rules: [{kind: withdrawal, country: PK, per_order: {approve_above: \"20000\"}}]\n"

// day is a house in which the test makes the situations of docs/operations.md.
type day struct {
	*house
	dir string // of the terminal
}

// TestOperationsShellLines runs the lines of docs/operations.md in their order,
// with their numbers. Before the lines of a section it makes the section's
// situation.
func TestOperationsShellLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := filepath.Join(dir, "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte(dayPolicy), 0o600))
	d := day{dir: dir, house: enter(t, options{Options: stack.Options{
		Merchants: []sandbox.Merchant{{Number: pakistan, Country: "PK", Balance: "40000"}, {Number: vietnam, Country: "VN", Balance: "9000000"}},
		Settings: map[string]string{
			"PAYOUTS_POLICY_FILE":        policy,
			"PAYOUTS_SHORT_BALANCE":      "wait",
			"PAYOUTS_CALLBACK_GRACE":     "200ms",
			"PAYOUTS_WITHDRAWAL_HORIZON": "2s",
			"PAYOUTS_BREAKER_PROBE":      "2s",
			"PAYOUTS_RECONCILE_LAG":      "0s",
			"PAYOUTS_RECONCILE_RATE":     "10000",
			"PAYOUTS_CHECKPOINT_EVERY":   "1s",
		},
	}})}
	bin, err := filepath.Abs("../../bin")
	require.NoError(t, err)
	desk := &terminal{dir: dir, env: append(append(d.Environment(), d.WorkerEnvironment()...),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "TEMPORAL_CONFIG_FILE="+filepath.Join(dir, "none.toml"),
		"PAYOUTS_UNKNOWN_ALARM=1s", "PAYOUTS_CODEC_LISTEN=127.0.0.1:0")}
	d.morning(t)
	d.script().play(t, desk, linesOf(t, operationsPage))
}

// morning starts the orders that take a while to reach the state that the page
// needs.
func (d day) morning(t *testing.T) {
	t.Helper()
	d.opens(t, order.Withdrawal, "INV-1", "1500", "success")
	d.opens(t, order.Withdrawal, "INV-6", "1500", "stuck,silent")
	d.reached(t, "INV-6", order.Submitted, order.InReview)
	// The first discrepancy, which the page closes.
	_, err := d.Gateway.Trigger(d.ctx, pakistan, "INV-6", "changed-amount")
	require.NoError(t, err)
	until(t, d.house, "a discrepancy", d.discrepancies(codes.DiscrepancyMismatch), func(found []ledger.Discrepancy) bool { return len(found) == 1 })
	d.reached(t, "INV-1", order.Succeeded)
}

// script returns the script of the page.
func (d day) script() script {
	return script{
		before: d.situations(), after: d.endings(), outcomes: operationsOutcomes,
		serves: map[string]string{"PAYOUTS_CODEC_ORIGINS=https://temporal.example.com codec": "Payloads are decrypted"},
	}
}

// situations returns a function per section or line, which makes the situation
// that it needs.
func (d day) situations() map[string]func(*testing.T) {
	queued := func(kind ledger.QueueKind, number string) func(*testing.T) {
		return func(t *testing.T) { d.needsPerson(t, kind, number) }
	}
	return map[string]func(*testing.T){
		"Checkpoints":                                         d.hasCheckpoint,
		"cp .env.example .env":                                d.hasTheExample,
		"The operator's day":                                  queued(ledger.QueueReview, "INV-6"),
		"An order waits for approval":                         d.waitsForApproval,
		"An order waits for funds":                            d.waitsForFunds,
		"It is unknown whether the gateway has an order":      d.isUnknown,
		"An order is in review":                               queued(ledger.QueueReview, "INV-6"),
		"A merchant's breaker is open":                        d.breakerOpens,
		"Payouts have to stop":                                func(*testing.T) {},
		"A discrepancy is open":                               queued(ledger.QueueDiscrepancy, "INV-6"),
		"No workflow drives an order":                         d.workflowIsLost,
		"Temporal has an order that the ledger does not have": d.rowIsLost,
		"A callback has no order":                             d.callbackIsStray,
		"The balances differ":                                 d.balancesDiffer,
		"starter adjust list --open":                          queued(ledger.QueueAdjustment, ""),
		"An order should not be paid after all":               func(t *testing.T) { d.needsApproval(t, "INV-9") },
		"Acting":                                              func(t *testing.T) { d.needsApproval(t, "INV-10") },
	}
}

// endings returns a function per section, which checks the result.
func (d day) endings() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"An order waits for approval": func(t *testing.T) {
			d.reached(t, "INV-2", order.Succeeded)
			d.reached(t, "INV-3", order.Rejected)
		},
		"A merchant's breaker is open": d.breakerCloses,
		"A discrepancy is open":        d.closed(codes.DiscrepancyMismatch, "amina"),
		"No workflow drives an order":  d.closed(codes.DiscrepancyOrphan, "amina"),
		"Temporal has an order that the ledger does not have": func(t *testing.T) {
			d.closed(codes.DiscrepancyNotInLedger, "amina", ledger.System)(t)
			d.reached(t, "INV-8", order.Succeeded)
		},
		"Money moved that belongs to no order":  d.balancesAgree,
		"An order should not be paid after all": func(t *testing.T) { d.reached(t, "INV-9", order.Cancelled) },
		"Acting": func(t *testing.T) {
			d.reached(t, "INV-10", order.AwaitingFunds) // the balance is spent by then
			d.adds(t)
		},
	}
}

// operationsOutcomes has the expected output of lines, and exit codes other than
// 0.
var operationsOutcomes = map[string]outcome{
	`starter erase INV-1 --merchant M1700000001 --why "retention is over" --by amina`: {3, []string{"ERASE_TOO_EARLY", "it may be erased from "}}, // Temporal was asked first
	"worker rekey":           {says: []string{"no other data key was ever used"}},
	"worker migrate --roles": {1, []string{"SQLite has no roles"}}, // with PostgreSQL every stack runs it
	`worker restored --why "disk lost; backup of 03:00" --by amina`:                     {says: []string{"open orders ask the gateway first", "starter restored --over", "a worker runs: "}},
	`starter restored --over --why "all of the lost hours is accounted for" --by amina`: {says: []string{"restore is over"}},
	"starter audit --installation":                                                      {says: []string{"policy", "restore", "end_restore"}},
	"starter audit INV-1 --merchant M1700000001":                                        {says: []string{"open", "submit", "settle"}},
	`starter audit --verify --public-keys "$PAYOUTS_AUDIT_PUBLIC_FILE"`:                 {says: []string{"whole", "the seal of every entry was checked"}},
	"starter keygen audit.key --audit payouts.example.com/live":                         {says: []string{"give it to the worker only"}},
	"starter audit --verify":                                                            {says: []string{"whole"}},
	"starter audit --checkpoint --out audit.checkpoint":                                 {says: []string{"the checkpoint of ", "is in audit.checkpoint"}},
	"starter audit --verify --checkpoint audit.checkpoint":                              {says: []string{"whole", "1 checkpoint: the first "}},
	"starter audit --prove INV-1 --merchant M1700000001 --out proofs":                   {says: []string{"proofs/1.proof", "proved under the checkpoint of "}},
	"starter queue": {says: []string{"review M1700000001/INV-6", "starter resolve INV-6 --merchant M1700000001 --state"}},
	"starter show INV-1 --merchant M1700000001":                                       {says: []string{"request", "attempt", "callback", "transfer"}},
	"starter status INV-1 --merchant M1700000001":                                     {says: []string{"succeeded"}},
	"starter approve INV-2 --merchant M1700000001":                                    {exitUsage, []string{"awaiting_approval", "FINGERPRINT_MISSING"}},
	`starter reject INV-3 --merchant M1700000001 --why "not our supplier" --by amina`: {says: []string{"rejected", "REJECTED"}},
	"starter poll INV-4 --merchant M1700000001 --by amina":                            {says: []string{"awaiting_funds", "INSUFFICIENT_FUNDS"}},
	"starter poll INV-5 --merchant M1700000001 --by amina":                            {says: []string{"GATEWAY_UNKNOWN"}},
	"starter reconcile --merchant M1700000001":                                        {says: []string{"agreed"}},
	"starter discrepancies --open":                                                    {says: []string{"FIELDS_MISMATCH"}},
	"starter adopt INV-7 --merchant M1700000001 --by amina":                           {says: []string{"adopted by workflow order:M1700000001:INV-7"}},
	"starter adopt INV-8 --merchant M1700000001 --by amina":                           {says: []string{"adopted by workflow order:M1700000001:INV-8"}},
	"starter show THEIR-1 --merchant M1700000002":                                     {says: []string{"we have no such order", "callback"}},
	"starter reconcile":                {exitOtherwise, []string{"drift", "5000.00"}},
	"starter balance":                  {says: []string{"last compared with the gateway", "drift"}},
	"starter reconcile --transactions": {says: []string{"nothing differs in what was compared"}},
	"starter adjust list --open":       {says: []string{"TOPUP-7", "proposed"}},
	"starter keygen var/audit.key --audit payouts.example.com/live":                               {says: []string{"give it to the worker only"}},
	"starter keygen var/keys/M1700000001.key":                                                     {says: []string{"public key"}},
	"starter adjust confirm TOPUP-7 --merchant M1700000001 --by dana":                             {says: []string{"booked"}},
	`starter cancel INV-9 --merchant M1700000001 --why "paid by hand" --by amina`:                 {says: []string{"cancelled", "CANCELLED"}},
	"temporal workflow query --workflow-id order:M1700000001:INV-10 --name order":                 {says: []string{`"state":"awaiting_approval"`, `"fingerprint":"`}},
	`starter stop --country PK --why "a supplier's account was changed by a stranger" --by amina`: {says: []string{"stop of country PK", "in force"}},
	`starter resume --country PK --why "the account is the supplier's" --by amina`:                {says: []string{"another person"}},
	`starter resume --country PK --why "checked by telephone" --by dana`:                          {says: []string{"resumed"}},
	"starter keygen data.key --data 2026-11":                                                      {says: []string{"as PAYOUTS_DATA_KEY_FILE"}},
	`starter resolve INV-6 --merchant M1700000001 --state succeeded --fee 15` +
		` --why "support confirms the payout" --evidence "ticket 4711" --by amina`: {says: []string{"in_review", "a second person must confirm it"}},
}
