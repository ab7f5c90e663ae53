package sandbox

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// book holds the gateway's records: merchants with their balances, and orders. It only
// computes; other files handle time, callbacks and faults. The gateway's lock guards it.
type book struct {
	accounts map[string]*account
	orders   []*order // as they were booked
	byID     map[string]*order
	byNumber map[key][]*order // more than one only without the duplicate guard
	tries    map[key]*tries
	lastID   int64
}

// key names an order the way the merchant does. A number is unique per
// merchant over deposits and withdrawals.
type key struct{ merchant, number string }

// tries counts what came in under one order number.
type tries struct {
	Creates int    `json:"creates"`          // creates with a good signature
	Booked  int    `json:"-"`                // orders that came of them
	Queries int    `json:"queries"`          // queries with a good signature
	Preset  string `json:"preset,omitempty"` // the scenario chosen by control
}

// account is a merchant and its money, in minor units.
type account struct {
	Merchant
	profile   *tarspay.Profile
	verifier  *tarspay.Verifier
	zero      money.Amount // of the country's currency
	feeFixed  int64
	opening   int64
	funded    int64 // by Fund, since the opening
	taken     []taking
	listed    listing
	available int64
	frozen    int64
	switches  map[string]bool
	entered   string         // the public key, if SetKey has replaced it
	keySince  time.Time      // when the key began to work without a bound address
	calls     map[string]int // calls for orders that do not exist, by operation and number
	bucket    bucket
}

// order is an Order with the gateway's internal data.
type order struct {
	Order
	NotifyURL  string      `json:"notify_url"`
	ReturnURL  string      `json:"return_url,omitempty"`
	Party      party       `json:"party,omitzero"`
	ExpiresAt  time.Time   `json:"expires_at,omitzero"`
	FailReason string      `json:"fail_reason,omitempty"`
	Steps      []step      `json:"steps,omitempty"` // moves to come
	StepAt     time.Time   `json:"step_at,omitzero"`
	StepSerial int         `json:"step_serial,omitempty"` // incremented with each new plan, so that an event of an older plan is ignored
	Deliveries []*Delivery `json:"deliveries,omitempty"`
}

// party is the payer of a deposit or the beneficiary of a withdrawal, as far
// as the history shows them.
type party struct {
	Name    string `json:"name,omitempty"`
	Account string `json:"account,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Bank    string `json:"bank,omitempty"`
}

// step is a move of an order that will happen.
type step struct {
	State  tarspay.State `json:"state"`
	Wait   time.Duration `json:"wait"`             // since the step before
	Part   int           `json:"part,omitempty"`   // percent paid, 0 for all of it
	Notice time.Duration `json:"notice,omitempty"` // delay of its callbacks
}

// Order is one order of the book. Amounts are in the country's ISO currency.
type Order struct {
	ID        string            `json:"id"` // payOrderId
	Merchant  string            `json:"merchant"`
	Number    string            `json:"number"` // mchOrderNo
	Direction tarspay.Direction `json:"direction"`
	Way       string            `json:"way"`
	Amount    money.Amount      `json:"amount"`
	Fee       money.Amount      `json:"fee"`  // charged only if Paid moved
	Paid      money.Amount      `json:"paid"` // what has moved and was not returned
	State     tarspay.State     `json:"state"`
	Scenario  string            `json:"scenario"`
	CreatedAt time.Time         `json:"created_at"`
	ChangedAt time.Time         `json:"changed_at"`
	TrxID     string            `json:"trx_id,omitempty"` // the payment's number at the bank or wallet (trxId, UTR)
	// Unnoticed is whether the payer of a deposit has paid, under TrxID, and
	// the gateway does not know: the money is not in the book.
	Unnoticed bool `json:"unnoticed,omitempty"`
	// PaidAt are the times at which money left for the beneficiary, or came
	// from the payer. Two of them on a withdrawal are a double payment.
	PaidAt    []time.Time `json:"paid_at,omitempty"`
	Movements []Movement  `json:"movements,omitempty"`
	// CreatesReceived and CreatesBooked count what came in under this order's
	// number and how many orders came of it.
	CreatesReceived int `json:"creates_received"`
	CreatesBooked   int `json:"creates_booked"`
}

// Movement is what one change of state did to the merchant's balance, in minor
// units.
type Movement struct {
	At        time.Time     `json:"at"`
	State     tarspay.State `json:"state"`
	Available int64         `json:"available"`
	Frozen    int64         `json:"frozen"`
}

// maxMoves bounds the states an order passes through.
const maxMoves = 64

// Limits of what is counted: order numbers for each order that the book may
// hold, and kinds of calls that name no order.
const (
	triesPerOrder = 4
	maxCounted    = 100_000
)

// maxMinor bounds one amount, in minor units, so that no sum overflows.
const maxMinor = 1_000_000_000_000_000

func newBook() *book {
	return &book{
		accounts: make(map[string]*account),
		byID:     make(map[string]*order),
		byNumber: make(map[key][]*order),
		tries:    make(map[key]*tries),
	}
}

// triesOf are the counters of an order number, made on first use.
func (b *book) triesOf(k key) *tries {
	t := b.tries[k]
	if t == nil {
		t = &tries{}
		b.tries[k] = t
	}
	return t
}

// count counts a call for an order that does not exist. Above a number of distinct order
// numbers, the rest are counted together.
func (a *account) count(operation, number string) int {
	counted := operation + " " + number
	if _, known := a.calls[counted]; !known && len(a.calls) >= maxCounted {
		counted = operation
	}
	a.calls[counted]++
	return a.calls[counted]
}

// find is the order of a number: the first one booked.
func (b *book) find(k key) *order {
	if found := b.byNumber[k]; len(found) > 0 {
		return found[0]
	}
	return nil
}

// add enters an order; its state's effect reaches the balance.
func (b *book) add(o *order) {
	b.index(o)
	b.book(o, effect{}, o.CreatedAt)
}

// index enters an order without touching a balance.
func (b *book) index(o *order) {
	b.triesOf(o.key()).Booked++
	b.orders = append(b.orders, o)
	b.byID[o.ID] = o
	b.byNumber[o.key()] = append(b.byNumber[o.key()], o)
	b.accounts[o.Merchant].listed.update(o)
}

// errMove means an order cannot go to a state.
var errMove = errors.New("the order cannot go there")

// move brings an order to a state. Paid counts in states 2 and 9 only.
func (b *book) move(o *order, state tarspay.State, paid int64, at time.Time) error {
	if err := o.mayMove(state, paid); err != nil {
		return err
	}
	before := o.effect()
	o.State, o.ChangedAt = state, at
	o.Paid, o.FailReason = amount(0, o.Amount), ""
	switch {
	case state.Paid():
		o.Paid = amount(paid, o.Amount)
		o.PaidAt, o.Unnoticed = append(o.PaidAt, at), false
		if o.Direction == tarspay.DirectionDeposit {
			o.Fee = amount(b.accounts[o.Merchant].fee(paid), o.Amount)
		}
		if o.TrxID == "" {
			o.TrxID = b.accounts[o.Merchant].trxID(o)
		}
	case o.Direction == tarspay.DirectionWithdrawal && (state == tarspay.StateFailed || state == tarspay.StateRejected):
		o.FailReason = "payment failed"
	}
	b.book(o, before, at)
	b.accounts[o.Merchant].listed.update(o)
	return nil
}

func (o *order) mayMove(state tarspay.State, paid int64) error {
	whole := o.Amount.Minor()
	switch {
	case !state.Meaning(o.Direction).Documented:
		return fmt.Errorf("%w: %s is no state of a %s", errMove, state, o.Direction)
	case state == o.State:
		return fmt.Errorf("%w: it is %s already", errMove, state)
	case len(o.Movements) >= maxMoves:
		return fmt.Errorf("%w: it has moved %d times", errMove, maxMoves)
	case state == tarspay.StateRefunded && !o.State.Paid():
		return fmt.Errorf("%w: only what was paid can be refunded", errMove)
	case state == tarspay.StateSucceeded && paid != whole,
		state == tarspay.StatePartial && (paid <= 0 || paid >= whole):
		return fmt.Errorf("%w: %d of %d minor units do not make it %s", errMove, paid, whole, state)
	}
	return nil
}

// book records the difference between what an order did to the balance before
// and what it does now.
func (b *book) book(o *order, before effect, at time.Time) {
	after, a := o.effect(), b.accounts[o.Merchant]
	moved := Movement{At: at, State: o.State, Available: after.available - before.available, Frozen: after.frozen - before.frozen}
	o.Movements = append(o.Movements, moved)
	a.available += moved.Available
	a.frozen += moved.Frozen
}

// effect is what an order as it stands does to its merchant's balance, in
// minor units.
type effect struct{ available, frozen int64 }

// effect follows from the state alone:
//
//	withdrawal under way    amount and fee are frozen
//	withdrawal paid         amount and fee have left
//	withdrawal refunded     the amount is back, the fee stays with the gateway
//	withdrawal otherwise    nothing
//	deposit paid, partly    what was paid has come, less the fee
//	deposit refunded        the payment is gone again, and the fee has stayed
//	deposit otherwise       nothing
func (o *order) effect() effect {
	total := o.Amount.Minor() + o.Fee.Minor()
	if o.Direction == tarspay.DirectionDeposit {
		switch o.State {
		case tarspay.StateSucceeded, tarspay.StatePartial:
			return effect{available: o.Paid.Minor() - o.Fee.Minor()}
		case tarspay.StateRefunded:
			return effect{available: -o.Fee.Minor()}
		default:
			return effect{}
		}
	}
	switch o.State {
	case tarspay.StateCreated, tarspay.StateInProgress, tarspay.StateQueued:
		return effect{available: -total, frozen: total}
	case tarspay.StateSucceeded:
		return effect{available: -total}
	case tarspay.StateRefunded:
		return effect{available: -o.Fee.Minor()}
	default:
		return effect{}
	}
}

func (o *order) key() key { return key{o.Merchant, o.Number} }

// open reports whether the order has not ended.
func (o *order) open() bool { return !o.State.Final(o.Direction) }

// told returns the amounts that callbacks and queries report as paid and as fee. A failure
// carries the full amount and a fee, as the gateway's published one does.
func (o *order) told() (payAmount, fee money.Amount) {
	switch o.State {
	case tarspay.StatePartial:
		return o.Paid, o.Fee
	case tarspay.StateSucceeded, tarspay.StateFailed, tarspay.StateRejected, tarspay.StateRefunded:
		return o.Amount, o.Fee
	default:
		zero := amount(0, o.Amount)
		return zero, zero
	}
}

// fee is what the merchant is charged for an amount, in minor units: its
// share, rounded up to the smallest step of the country's amounts, and the
// fixed part. A deposit's fee never exceeds what was paid.
func (a *account) fee(minor int64) int64 {
	const whole = 10_000
	share := new(big.Int).Mul(big.NewInt(minor), big.NewInt(int64(a.FeeBasisPoints)))
	step := big.NewInt(whole * a.profile.Step())
	share.Add(share, new(big.Int).Sub(step, big.NewInt(1)))
	return share.Div(share, step).Int64()*a.profile.Step() + a.feeFixed
}

// snowflakeEpoch is the gateway's: its published order ids decode with it.
const snowflakeEpoch = 1288834974657

// nextID makes an order id the way the gateway does: P and a number of 19
// digits whose upper bits are the time in milliseconds.
func (b *book) nextID(now time.Time) string {
	id := (now.UnixMilli() - snowflakeEpoch) << 22
	b.lastID = max(id, b.lastID+1)
	return "P" + strconv.FormatInt(b.lastID, 10)
}

// trxID is the number a bank or wallet gives a payment, derived from the order
// so that a run can be repeated: an end-to-end id of PIX in Brazil, twelve
// digits elsewhere.
func (a *account) trxID(o *order) string {
	number := hash("payment", o.Merchant, o.Number, o.CreatedAt.UnixMilli())
	if a.Country == "BR" {
		return fmt.Sprintf("E00000000%s%011d", o.CreatedAt.Format("200601021504"), number%100_000_000_000)
	}
	return fmt.Sprintf("%012d", number%1_000_000_000_000)
}

// amount is so many minor units of the same currency as another amount.
func amount(minor int64, like money.Amount) money.Amount {
	made, err := money.Minor(minor, like.Currency())
	if err != nil {
		panic(err) // like is an amount, so its currency is one
	}
	return made
}

// snapshot copies an order for the outside.
func (b *book) snapshot(o *order) Order {
	copied := o.Order
	copied.PaidAt = slices.Clone(o.PaidAt)
	copied.Movements = slices.Clone(o.Movements)
	t := b.triesOf(o.key())
	copied.CreatesReceived, copied.CreatesBooked = t.Creates, t.Booked
	return copied
}

// text writes minor units of the account's currency as the gateway does.
func (a *account) text(minor int64) string { return amount(minor, a.zero).Short() }

// remember keeps new order ids above one that exists.
func (b *book) remember(id string) {
	if n, err := strconv.ParseInt(strings.TrimPrefix(id, "P"), 10, 64); err == nil {
		b.lastID = max(b.lastID, n)
	}
}
