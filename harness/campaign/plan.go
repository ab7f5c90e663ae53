package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Plan describes one world: its orders, the faults of the gateway and the network, what
// people and others do, and the settings. A plan is data, so it can be printed, stored
// and reduced. Draw and Crowd make plans from seeds.
//
// Times are whole seconds since the world began, amounts whole rupees, rates per
// thousand.
type Plan struct {
	Seed    uint64  `json:"seed"` // selects the faults of the gateway and the network
	Orders  []Order `json:"orders"`
	Balance int64   `json:"balance"` // the merchant's balance when the world begins

	Rates  map[string]int `json:"rates,omitempty"`  // rates of the gateway's faults: see sandbox.Faults
	Posts  map[string]int `json:"posts,omitempty"`  // rates of faults of callbacks on the way to us: PostLost, PostUnanswered
	Spells []Spell        `json:"spells,omitempty"` // temporary faults that affect all orders

	Policy     bool   `json:"policy,omitempty"`          // orders above 3000 need approval, orders above 9000 are refused; two persons resolve
	Wait       bool   `json:"wait,omitempty"`            // a withdrawal that the balance does not cover waits for funds
	Fee        string `json:"fee,omitempty"`             // the fee on top of withdrawals that we expect, such as "1%", which the gateway charges; empty: none
	ConfirmAll bool   `json:"confirm_all,omitempty"`     // every callback is confirmed by a query
	Patient    bool   `json:"patient,omitempty"`         // an accepted order is not queried for a day
	Unguarded  bool   `json:"unguarded,omitempty"`       // the gateway accepts a number twice: only our rules prevent a double payment
	Unopened   bool   `json:"unopened,omitempty"`        // the first order books the merchant's opening balance
	Together   bool   `json:"together,omitempty"`        // events of one second happen at the same time; such a world is not deterministic
	Compare    []int  `json:"compare,omitempty"`         // when the three schedules run: balances, transactions, orphans
	Skew       []int  `json:"skew,omitempty"`            // offsets from Temporal's clock: of the ledger, then of each worker; empty: one worker without an offset
	Older      *Older `json:"older,omitempty"`           // an older copy of the ledger is restored
	Forge      int    `json:"forge_at_second,omitempty"` // every forged callback is sent for every order, and nothing else for an hour
}

// Order is one order with its faults and events.
type Order struct {
	Number   string        `json:"number"`
	Kind     order.Kind    `json:"kind"`
	Amount   int64         `json:"amount"`
	Start    int           `json:"start"`
	Scenario string        `json:"scenario,omitempty"` // of the sandbox, instead of faults by rate
	Again    bool          `json:"again,omitempty"`    // its workflow is run a second time after its end
	Deaths   []Death       `json:"deaths,omitempty"`   // workers that die while they send a create of it
	Twins    []int         `json:"twins,omitempty"`    // ordinals of queries during which a second worker also tries to send it
	Unheard  []int         `json:"unheard,omitempty"`  // ordinals of creates at whose answer the ledger starts to fail for a while
	Losses   []Loss        `json:"losses,omitempty"`   // when its workflow is terminated, and when the order is adopted
	Events   []Event       `json:"events,omitempty"`
	Story    *Story        `json:"story,omitempty"`
	Heal     tarspay.State `json:"heal,omitempty"` // its final state at the gateway, if it is stuck there
	Told     bool          `json:"told,omitempty"` // two persons resolve it to that state before a query finds it
}

// Death is a worker that dies before its create reaches the gateway, or after.
type Death struct {
	Create int  `json:"create"`         // ordinal number of the create
	Sent   bool `json:"sent,omitempty"` // it dies after the gateway has received the create
	Late   bool `json:"late,omitempty"` // it hangs: the create reaches the gateway after the attempt has timed out
}

// Loss is the termination of a workflow.
type Loss struct {
	At   int `json:"at"`
	Back int `json:"back"` // when the order is adopted
}

// Event is an action on an order.
type Event struct {
	At   int    `json:"at"`
	Do   string `json:"do"`
	What string `json:"what,omitempty"`
}

// The actions, for Event.Do; the texts in quotes are for Event.What.
const (
	DoCrash   = "crash"   // a worker opens the order before its workflow starts, and dies "before" or "after" it sends the create
	DoApprove = "approve" // by "": another person; "requester": the requester; "other": another person, with another order's fingerprint
	DoReject  = "reject"
	DoCancel  = "cancel"
	DoPoll    = "poll"
	DoResolve = "resolve" // one person resolves it as paid; only with a policy, which requires two
	DoClash   = "clash"   // its number is requested again with another "amount", other "details", or other capitals ("case")
	DoLie     = "lie"     // a forged callback, by the sandbox's name
	DoRepeat  = "repeat"  // the last genuine callback is posted again
	DoMove    = "move"    // the gateway pays it
	DoReturn  = "return"  // the gateway returns the payment
	DoBare    = "bare"    // an operator's action while no workflow drives the order, by the update's name
	DoOdd     = "odd"     // a genuine callback with unusual members: see oddities
	DoJunk    = "junk"    // an invalid message to its workflow: see junk
)

// Spell is a temporary fault that affects all orders.
type Spell struct {
	Name string `json:"name"` // a switch of the sandbox, or a Spell constant
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Spells that are not switches of the sandbox.
const (
	SpellDrain    = "drain"         // the merchant's balance at the gateway is zero
	SpellDeaf     = "receiver-away" // the gateway's callbacks are lost
	SpellTemporal = "temporal-away" // the receiver does not reach Temporal
	SpellLedger   = "ledger-away"   // every call to the ledger fails
)

// Faults of callbacks on the way to us.
const (
	PostLost       = "post-lost"       // the callback does not reach the receiver
	PostUnanswered = "post-unanswered" // the callback reaches the receiver, and its answer is lost
)

// deeds lists the actions.
var deeds = []string{
	DoCrash, DoApprove, DoReject, DoCancel, DoPoll, DoResolve, DoClash, DoLie, DoRepeat, DoMove, DoReturn, DoBare, DoJunk, DoOdd,
}

// The times of every world. Faults happen until heal. Then orders that are stuck at the
// gateway are ended there. At tell the gateway repeats the callback of every final state.
const (
	horizon  = 24 * time.Hour
	approval = 6 * time.Hour
	funds    = 8 * time.Hour
	heal     = 40 * time.Hour
	tell     = 60 * time.Hour
	compared = 80 * time.Hour // last run of the schedules, if the plan has any
	quiet    = 90 * time.Hour // end of the world
)

// maxOrders bounds a plan.
const maxOrders = 1000

// check returns an error if the plan is invalid.
func (p Plan) check() error {
	if len(p.Orders) > maxOrders {
		return fmt.Errorf("a plan has at most %d orders", maxOrders)
	}
	numbers := make(map[string]bool)
	for _, o := range p.Orders {
		if o.Number == "" || numbers[o.Number] {
			return fmt.Errorf("order number %q is missing or occurs twice", o.Number)
		}
		numbers[o.Number] = true
		if o.Kind != order.Withdrawal && o.Kind != order.Deposit {
			return fmt.Errorf("order %s: kind must be %s or %s", o.Number, order.Withdrawal, order.Deposit)
		}
		if o.Story != nil {
			if err := o.Story.check(); err != nil {
				return fmt.Errorf("order %s: %w", o.Number, err)
			}
		}
		for _, e := range o.Events {
			if !slices.Contains(deeds, e.Do) {
				return fmt.Errorf("order %s: unknown action %q", o.Number, e.Do)
			}
		}
	}
	for _, s := range p.Spells {
		known := slices.ContainsFunc(sandbox.Switches(), func(w sandbox.Switch) bool { return w.Name == s.Name })
		if !known && !slices.Contains([]string{SpellDrain, SpellDeaf, SpellTemporal, SpellLedger}, s.Name) {
			return fmt.Errorf("unknown spell %q", s.Name)
		}
	}
	if err := p.checkOlder(); err != nil {
		return err
	}
	if _, err := p.fees(); err != nil {
		return fmt.Errorf("fee: %w", err)
	}
	for name := range p.Posts {
		if name != PostLost && name != PostUnanswered {
			return fmt.Errorf("unknown fault %q in posts", name)
		}
	}
	return nil
}

// fees returns the fees that are expected, as a worker's setting.
func (p Plan) fees() (config.WithdrawalFees, error) {
	if p.Fee == "" {
		return nil, nil
	}
	var fees config.WithdrawalFees
	err := fees.Decode(merchant + ":" + currency + ":" + p.Fee)
	return fees, err
}

// expectedFee returns the fee that is expected of an order; the zero Amount if none is.
func (p Plan) expectedFee(o Order) money.Amount {
	fees, err := p.fees()
	profile, known := tarspay.Country("PK")
	if err != nil || !known {
		panic(fmt.Sprintf("campaign: a plan that was not checked: %v", err))
	}
	fee, expected := fees[merchant]
	if !expected || o.Kind != order.Withdrawal {
		return money.Amount{}
	}
	return fee.Of(rupees(o.Amount), profile.Step())
}

// request returns the order's request.
func (o Order) request() order.Request {
	return order.Request{
		Kind: o.Kind, Merchant: merchant, Number: o.Number, Country: "PK", Way: "easypaisa", Amount: rupees(o.Amount),
		Details: map[string]string{
			"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
		},
		RequestedBy: "payroll",
	}
}

// rupees returns an amount in the merchant's currency.
func rupees(n int64) money.Amount {
	amount, err := money.Minor(100*n, currency)
	if err != nil {
		panic(err) // the currency is known
	}
	return amount
}

// after converts seconds of a plan to a duration.
func after(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
