package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/verify"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// withFee are terms with an expected fee, in rupees.
func withFee(fee string) Terms { return Terms{ExpectedFee: pkr(fee)} }

// The expected fee is reserved with the amount. What the gateway really charges is booked,
// whatever was expected.
func TestExpectedFee(t *testing.T) {
	t.Parallel()
	const reserve = "reserve available -> in_flight 102.00 PKR"
	payout := []string{reserve, "payout in_flight -> paid_out 100.00 PKR", "fee_release in_flight -> available 2.00 PKR"}
	for name, test := range map[string]struct {
		end       func(t *testing.T, b *testBundle, key order.Key)
		state     order.State
		transfers []string
		balances  map[Account]string
		told      []string
	}{
		"as expected": {
			end: ends(paid("100", "2")), state: order.Succeeded, transfers: append(payout[:3:3], "fee available -> fees 2.00 PKR"),
			balances: map[Account]string{AccountAvailable: "898", AccountPaidOut: "100", AccountFees: "2"},
		},
		"less": {
			end: ends(paid("100", "0.5")), state: order.Succeeded, transfers: append(payout[:3:3], "fee available -> fees 0.50 PKR"),
			balances: map[Account]string{AccountAvailable: "899.5", AccountPaidOut: "100", AccountFees: "0.5"},
		},
		"more": {
			end: ends(paid("100", "7")), state: order.Succeeded, transfers: append(payout[:3:3], "fee available -> fees 7.00 PKR"),
			balances: map[Account]string{AccountAvailable: "893", AccountPaidOut: "100", AccountFees: "7"},
		},
		"none": {
			end: ends(paid("100", "0")), state: order.Succeeded, transfers: payout,
			balances: map[Account]string{AccountAvailable: "900", AccountPaidOut: "100"},
		},
		"unbelievable": {
			end: ends(paid("100", "101")), state: order.Succeeded, transfers: payout, told: []string{codes.DiscrepancyFee},
			balances: map[Account]string{AccountAvailable: "900", AccountPaidOut: "100"},
		},
		"failed": {
			end: ends(rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid}), state: order.Failed,
			transfers: []string{reserve, "release in_flight -> available 102.00 PKR"}, balances: map[Account]string{AccountAvailable: "1000"},
		},
		"refunded": {
			end: ends(paid("100", "2"), rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned}), state: order.Refunded,
			transfers: append(payout[:3:3], "fee available -> fees 2.00 PKR", "refund paid_out -> available 100.00 PKR"),
			balances:  map[Account]string{AccountAvailable: "998", AccountFees: "2"},
		},
		"refunded before it was known to be paid": {
			end: ends(rules.Finding{Source: rules.FromQuery, Verdict: rules.Returned, Fee: pkr("2")}), state: order.Refunded,
			transfers: append(payout[:3:3], "fee available -> fees 2.00 PKR", "refund paid_out -> available 100.00 PKR"),
			balances:  map[Account]string{AccountAvailable: "998", AccountFees: "2"},
		},
		"refused": {
			end: func(t *testing.T, b *testBundle, key order.Key) { submit(t, b, key, refused) }, state: order.Failed,
			transfers: []string{reserve, "release in_flight -> available 102.00 PKR"}, balances: map[Account]string{AccountAvailable: "1000"},
		},
		"cancelled": {
			end: func(t *testing.T, b *testBundle, key order.Key) { cancel(t, b, key) }, state: order.Cancelled,
			transfers: []string{reserve, "release in_flight -> available 102.00 PKR"}, balances: map[Account]string{AccountAvailable: "1000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
				b := setup(t)
				b.books(t, "1000", "0")
				o := b.openOn(t, withFee("2"), request(order.Withdrawal, "W1", "100"))
				require.Equal(t, pkr("2"), o.ExpectedFee)
				require.Equal(t, pkr("102"), o.Reservation())
				require.Equal(t, o, *b.current(t, o.Key()))
				require.Equal(t, []string{reserve}, b.transfers(t, o.Key()))
				require.Equal(t, map[Account]string{AccountAvailable: "898", AccountInFlight: "102"}, b.balancesOf(t, merchant))
				b.clean(t)

				test.end(t, b, o.Key())
				ended := b.current(t, o.Key())
				require.Equal(t, test.state, ended.State)
				require.Equal(t, pkr("2"), ended.ExpectedFee, "it stays on record")
				require.Equal(t, test.transfers, b.transfers(t, o.Key()))
				require.Equal(t, test.balances, b.balancesOf(t, merchant))
				require.ElementsMatch(t, test.told, b.discrepancies(t, o.Key()))
				b.clean(t)
			})
		})
	}
}

// ends submits an order and settles it by findings.
func ends(findings ...rules.Finding) func(*testing.T, *testBundle, order.Key) {
	return func(t *testing.T, b *testBundle, key order.Key) {
		t.Helper()
		submit(t, b, key, accepted)
		for _, finding := range findings {
			settle(t, b, key, finding)
		}
	}
}

// A deposit has no fee on top, and a withdrawal none in another currency or above its amount.
func TestExpectedFeeOfWhat(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		require.Zero(t, b.openOn(t, withFee("2"), request(order.Deposit, "D1", "100")).ExpectedFee)
		for _, fee := range []money.Amount{pkr("100.01"), amount(2, "VND")} {
			_, _, err := b.OpenOrder(t.Context(), request(order.Withdrawal, "W1", "100"), Terms{ExpectedFee: fee})
			require.ErrorContains(t, err, "cannot be expected of 100.00 PKR")
		}
		whole := b.openOn(t, withFee("100"), request(order.Withdrawal, "W1", "100"))
		require.Equal(t, pkr("200"), whole.Reservation())
		_, opening, err := b.OpenOrder(t.Context(), whole.Request, withFee("1"))
		require.NoError(t, err)
		require.Equal(t, Existing, opening)
		require.Equal(t, pkr("100"), b.current(t, whole.Key()).ExpectedFee, "the setting of its opening holds")
		b.clean(t)
	})
}

// Funds must cover the amount and the fee, on every road to a reservation.
func TestFundsCoverTheExpectedFee(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "101.99", "0")
		const short = "the available balance of 101.99 PKR does not cover 100.00 PKR and the expected fee of 2.00 PKR"
		failed := b.openOn(t, withFee("2"), request(order.Withdrawal, "W1", "100"))
		require.Equal(t, order.Failed, failed.State)
		require.Equal(t, order.Reason{Code: order.CodeInsufficientFunds, Text: short}, failed.Reason)

		terms := Terms{ExpectedFee: pkr("2"), WaitForFunds: true, FundsDeadline: 2 * oneDay}
		limited := policy(t, "rules:\n  - {country: PK, kind: withdrawal, per_merchant_day: {approve_above: '150'}}")
		limited.ExpectedFee = pkr("2")
		waiting := b.openOn(t, terms, request(order.Withdrawal, "W2", "100"))
		require.Equal(t, order.AwaitingFunds, waiting.State)
		unchanged, err := b.Reserve(t.Context(), waiting.Key())
		require.NoError(t, err)
		require.Equal(t, order.AwaitingFunds, unchanged.State)
		approved := b.openOn(t, limited, request(order.Withdrawal, "W3", "100"))
		require.Equal(t, order.AwaitingApproval, approved.State)
		scheduled := b.openOn(t, terms, tomorrow(request(order.Withdrawal, "W4", "100")))

		o, refusal, err := b.Approve(t.Context(), approved.Key(), order.Approval{By: "ops", Fingerprint: approved.Fingerprint})
		require.NoError(t, err)
		require.Nil(t, refusal)
		require.Equal(t, order.Reason{Code: order.CodeInsufficientFunds, Text: short}, o.Reason)
		set(oneDay)
		require.Equal(t, order.AwaitingFunds, b.released(t, scheduled.Key(), Terms{}).State)
		require.Equal(t, short, b.current(t, scheduled.Key()).Reason.Text)

		open(t, b, request(order.Deposit, "D1", "200"))
		submit(t, b, order.Key{Merchant: merchant, Number: "D1"}, Answer{Outcome: Accepted, GatewayID: "G0"})
		settle(t, b, order.Key{Merchant: merchant, Number: "D1"}, paid("200", "97.99")) // 204 are available: exactly two
		for _, waits := range []order.Order{waiting, scheduled} {
			reserved, err := b.Reserve(t.Context(), waits.Key())
			require.NoError(t, err)
			require.Equal(t, order.Reserved, reserved.State)
		}
		require.Equal(t, map[Account]string{AccountInFlight: "204", AccountReceived: "-200", AccountFees: "97.99"}, b.balancesOf(t, merchant))
		b.clean(t)
	})
}

// The limits of a policy are on the amount.
func TestLimitsDoNotCountTheExpectedFee(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		terms := policy(t, "rules:\n  - {country: PK, kind: withdrawal, per_order: {refuse_above: '100'}, per_merchant_day: {refuse_above: '200'}}")
		terms.ExpectedFee = pkr("2")
		for _, number := range []string{"W1", "W2"} {
			require.Equal(t, order.Reserved, b.openOn(t, terms, request(order.Withdrawal, number, "100")).State)
		}
		terms.ExpectedFee = pkr("0.01")
		require.Equal(t, codes.LimitMerchantDay, b.openOn(t, terms, request(order.Withdrawal, "W3", "0.01")).Reason.Code)
		b.clean(t)
	})
}

// The gateway has an order that waits here: amount and fee are reserved, covered or not.
func TestFoundWithAnExpectedFee(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "50", "0")
		terms := Terms{ExpectedFee: pkr("2"), AskFirst: true, WaitForFunds: true, FundsDeadline: time.Hour}
		o := b.openOn(t, terms, request(order.Withdrawal, "W1", "100"))
		require.Equal(t, order.AwaitingFunds, o.State)
		_, err := b.RecordFound(t.Context(), o.Key(), 0)
		require.NoError(t, err)
		require.Equal(t, map[Account]string{AccountAvailable: "-52", AccountInFlight: "102"}, b.balancesOf(t, merchant))
		settle(t, b, o.Key(), paid("100", "3"))
		require.Equal(t, map[Account]string{AccountAvailable: "-53", AccountPaidOut: "100", AccountFees: "3"}, b.balancesOf(t, merchant))
		b.clean(t)
	})
}

// A snapshot's open withdrawals are with their fees, as in_flight is. So a payment that the
// books do not know yet explains a balance that is lower by both.
func TestSnapshotWithExpectedFees(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.openOn(t, withFee("40"), request(order.Withdrawal, "W1", "100"))
		submit(t, b, o.Key(), accepted)
		for _, test := range []struct {
			available string
			verdict   order.Agreement
		}{
			{"1000", order.Agreed},
			{"860", order.Unsettled},
			{"845.99", order.Unsettled}, // the first one of two that drift
		} {
			s, err := b.compare(t, merchant, pkr(test.available), pkr("0"))
			require.NoError(t, err)
			require.Equal(t, test.verdict, s.Verdict, test.available)
			require.Equal(t, []money.Amount{pkr("140"), pkr("140"), pkr("140")}, []money.Amount{s.LedgerInFlight, s.OpenWithdrawalAmount, s.SentWithdrawalAmount})
		}
		s, err := b.compare(t, merchant, pkr("845.99"), pkr("0"))
		require.NoError(t, err)
		require.Equal(t, order.Drifting, s.Verdict)
	})
}

// A changed fee is seen by the audit, and one that was reserved otherwise by the ledger's own
// check.
func TestExpectedFeeIsBound(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		terms := policy(t, daily)
		terms.ExpectedFee = pkr("2")
		o := b.openOn(t, terms, request(order.Withdrawal, "W1", "100"))
		plain := open(t, b, request(order.Withdrawal, "W2", "100"))
		require.Zero(t, plain.ExpectedFee)
		entries, err := b.Audit(t.Context(), o.Key())
		require.NoError(t, err)
		require.Equal(t, o.Fingerprint+" policy "+terms.Policy.ID()+" fee 2.00", entries[0].Evidence)
		require.Error(t, b.exec("UPDATE orders SET expected_fee = 1 WHERE number = 'W1'"))
		b.clean(t)

		b.unguard(t)
		for number, fees := range map[string][]string{"W1": {"0", "1", "20000"}, "W2": {"1"}} {
			key := order.Key{Merchant: merchant, Number: number}
			for _, fee := range fees {
				require.NoError(t, b.exec("UPDATE orders SET expected_fee = "+fee+" WHERE number = ?", number))
				report, err := b.VerifyAudit(t.Context(), sealed)
				require.NoError(t, err)
				require.Equal(t, []AuditBreak{{Key: key, Seq: 1, Code: CodeChainBroken, Detail: "the order has another expected fee than the one it was opened with"}}, report.Broken)
				v, err := b.Verify(t.Context())
				require.NoError(t, err)
				require.Contains(t, violationsOf(v, key), verify.BrokenReservation)
			}
			require.NoError(t, b.exec("UPDATE orders SET expected_fee = CASE number WHEN 'W1' THEN 200 ELSE 0 END WHERE number = ?", number))
		}
		b.clean(t)
	})
}

// The reservation of an order that has ended is checked, too.
func TestReservationOfAnEndedOrder(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		b.books(t, "1000", "0")
		o := b.openOn(t, withFee("2"), request(order.Withdrawal, "W1", "100"))
		ends(paid("100", "2"))(t, b, o.Key())
		b.unguard(t)
		require.NoError(t, b.exec("UPDATE orders SET expected_fee = 1"))
		v, err := b.Verify(t.Context())
		require.NoError(t, err)
		require.Equal(t, []verify.Violation{{Code: verify.BrokenReservation, Key: o.Key(), Currency: "PKR", Detail: "the reservation is 10200 and should be 10001"}}, v.Violations)
	})
}

func violationsOf(v verify.Report, key order.Key) (found []string) {
	for _, violation := range v.Violations {
		if violation.Key == key {
			found = append(found, violation.Code)
		}
	}
	return found
}

// The day shows the reservation with its fee, what of it was released, and the real fee.
func TestDayWithExpectedFees(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		set := b.timed()
		b.books(t, "1000", "0")
		ended := b.openOn(t, withFee("2"), request(order.Withdrawal, "W1", "100"))
		ends(paid("100", "3"))(t, b, ended.Key())
		b.openOn(t, withFee("5"), request(order.Withdrawal, "W2", "200"))
		set(oneDay)
		report := b.day(t, "2026-03-02")
		moved := make(map[TransferReason]string)
		for _, m := range report.Movements {
			moved[m.Reason] = m.Amount.Short()
		}
		require.Equal(t, map[TransferReason]string{
			ReasonOpeningAvailable: "1000", ReasonReserve: "307", ReasonPayout: "100", ReasonFeeRelease: "2", ReasonFee: "3",
		}, moved)
		require.Equal(t, DayTotal{Count: 1, Amount: pkr("3")}, report.Fees)
		require.Equal(t, pkr("897"), report.Closing)
		for _, account := range report.Accounts {
			if account.Account == AccountInFlight {
				require.Equal(t, pkr("205"), account.Closing)
			}
		}
	})
}

// Withdrawals whose fee is known, or lower than expected, never make available negative. The
// same ones without an expected fee do.
func TestKnownFeesNeverOverdraw(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, setup func(*testing.T) *testBundle) {
		b := setup(t)
		negative := 0
		for seed := range uint64(4) {
			for _, known := range []bool{true, false} {
				random := rand.New(rand.NewPCG(seed, 23))
				owner := fmt.Sprint("MK", merchants.Add(1))
				require.NoError(t, b.OpenBooks(t.Context(), owner, amount(1000, "PKR"), amount(0, "PKR")))
				var started []order.Order
				for i := range 40 {
					r := request(order.Withdrawal, fmt.Sprint("W", i), "1")
					r.Merchant, r.Amount = owner, amount(1+random.Int64N(150), "PKR")
					var terms Terms
					if fee := amount(random.Int64N(r.Amount.Minor()+1), "PKR"); known {
						terms.ExpectedFee = fee
					}
					started = append(started, b.openOn(t, terms, r))
					o := started[random.IntN(len(started))]
					charged, paid := random.Int64N(o.Amount.Minor()+1), random.IntN(3) > 0
					if known {
						charged = min(charged, o.ExpectedFee.Minor())
					}
					if o.State == order.Reserved && b.current(t, o.Key()).State == order.Reserved {
						finding := rules.Finding{Source: rules.FromQuery, Verdict: rules.Unpaid}
						if paid {
							finding = rules.Finding{Source: rules.FromQuery, Verdict: rules.Paid, Paid: o.Amount, Fee: amount(charged, "PKR")}
						}
						submit(t, b, o.Key(), Answer{Outcome: Accepted, GatewayID: "G" + o.Number})
						settle(t, b, o.Key(), finding)
					}
					balances, err := b.Balances(t.Context(), owner, "PKR")
					require.NoError(t, err)
					below := balances[AccountAvailable].Minor() < 0
					require.False(t, known && below, "seed %d", seed)
					if below {
						negative++
					}
				}
			}
		}
		require.Positive(t, negative)
		b.clean(t)
	})
}
