package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Plan is all that befalls one world: its orders, what the gateway, the wire,
// people and others do to them, and the house's settings. It is data, so that a
// world can be printed, kept and made smaller. Draw and Crowd make plans of
// seeds.
//
// Times are whole seconds since the world began, amounts whole rupees, rates
// so many in a thousand.
type Plan struct {
	Seed    uint64  `json:"seed"` // of what the gateway and the wire draw
	Orders  []Order `json:"orders"`
	Balance int64   `json:"balance"` // of the merchant, when the world begins

	Rates  map[string]int `json:"rates,omitempty"`  // faults that the gateway draws: see sandbox.Faults
	Posts  map[string]int `json:"posts,omitempty"`  // faults that the gateway's posts to us meet: PostLost, PostUnanswered
	Spells []Spell        `json:"spells,omitempty"` // what goes wrong with everything for a while

	Policy     bool   `json:"policy,omitempty"`          // orders above 3000 need approval, above 9000 they are refused; two persons resolve
	Wait       bool   `json:"wait,omitempty"`            // a withdrawal that comes short waits for funds
	ConfirmAll bool   `json:"confirm_all,omitempty"`     // every callback is confirmed by a question
	Patient    bool   `json:"patient,omitempty"`         // for a day nothing is asked of an order that the gateway has accepted
	Unguarded  bool   `json:"unguarded,omitempty"`       // the gateway takes a number twice: only we keep it from paying twice
	Unopened   bool   `json:"unopened,omitempty"`        // the first order opens the merchant's books
	Together   bool   `json:"together,omitempty"`        // what is due in one second happens at one moment; such a world does not repeat itself
	Compare    []int  `json:"compare,omitempty"`         // when balances and transactions are compared, and orders without a workflow looked for
	Skew       []int  `json:"skew,omitempty"`            // how far clocks are ahead of Temporal's: the ledger's, and each worker's; none: one worker, in step
	Older      *Older `json:"older,omitempty"`           // an older copy of the ledger is restored
	Forge      int    `json:"forge_at_second,omitempty"` // every false callback is sent about every order, and nothing else happens for an hour
}

// Order is one order and what befalls it.
type Order struct {
	Number   string        `json:"number"`
	Kind     order.Kind    `json:"kind"`
	Amount   int64         `json:"amount"`
	Start    int           `json:"start"`
	Scenario string        `json:"scenario,omitempty"` // the sandbox's, instead of what the gateway draws
	Again    bool          `json:"again,omitempty"`    // its workflow is run once more when it has ended
	Deaths   []Death       `json:"deaths,omitempty"`   // workers that die while they send it
	Twins    []int         `json:"twins,omitempty"`    // during which questions about it another worker tries to send it, too
	Unheard  []int         `json:"unheard,omitempty"`  // creates with whose answer the ledger goes away for a while
	Losses   []Loss        `json:"losses,omitempty"`   // its workflow is terminated, and the order adopted later
	Events   []Event       `json:"events,omitempty"`
	Story    *Story        `json:"story,omitempty"`
	Heal     tarspay.State `json:"heal,omitempty"` // what the gateway makes of it at last, if it is stuck there
	Told     bool          `json:"told,omitempty"` // people tell our side of that before a question does
}

// Death is a worker's, on the way to the gateway with a create, or on the way
// back from it.
type Death struct {
	Create int  `json:"create"`         // the how-manieth
	Sent   bool `json:"sent,omitempty"` // on the way back
	Late   bool `json:"late,omitempty"` // it hangs first: the create leaves at the attempt's last moment, and takes its time
}

// Loss is a workflow's, that is terminated.
type Loss struct {
	At   int `json:"at"`
	Back int `json:"back"` // when the order is adopted
}

// Event is something that somebody does to an order.
type Event struct {
	At   int    `json:"at"`
	Do   string `json:"do"`
	What string `json:"what,omitempty"`
}

// What somebody does.
const (
	DoCrash   = "crash"   // before its workflow: a worker dies "before" or "after" it has sent the create
	DoApprove = "approve" // "": somebody; "requester": who asked for it; "other": somebody, for another content
	DoReject  = "reject"
	DoCancel  = "cancel"
	DoPoll    = "poll"
	DoResolve = "resolve" // one person says that it is paid; done under a policy only, where that is not enough
	DoClash   = "clash"   // its number is asked for once more, with another "amount" or other "details", or with other capitals, "case"
	DoLie     = "lie"     // a false callback, by the sandbox's name
	DoRepeat  = "repeat"  // the last genuine callback that came is posted once more
	DoMove    = "move"    // the gateway makes it paid
	DoReturn  = "return"  // the gateway takes back what was paid
	DoBare    = "bare"    // an operator's action although no workflow drives it, by the update's name
	DoOdd     = "odd"     // a genuine callback whose members are written as seldom seen: see oddities
	DoJunk    = "junk"    // a message that its workflow cannot make anything of: see junk
)

// Spell is something that is wrong with everything for a while.
type Spell struct {
	Name string `json:"name"` // a switch of the sandbox's, or one of those below
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Spells that are no switches of the sandbox's.
const (
	SpellDrain    = "drain"         // the merchant's money is not at the gateway
	SpellDeaf     = "receiver-away" // what the gateway posts to us is lost
	SpellTemporal = "temporal-away" // the receiver does not reach Temporal
	SpellLedger   = "ledger-away"   // the ledger fails whatever is asked of it
)

// Faults of the gateway's posts.
const (
	PostLost       = "post-lost"       // it does not reach the receiver
	PostUnanswered = "post-unanswered" // it does, and the answer is lost
)

// deeds are all that somebody does to an order.
var deeds = []string{
	DoCrash, DoApprove, DoReject, DoCancel, DoPoll, DoResolve, DoClash, DoLie, DoRepeat, DoMove, DoReturn, DoBare, DoJunk, DoOdd,
}

// The times of every world. Until heal the gateway and the wire are at fault;
// then they are honest, and whatever is stuck at the gateway is ended there. By
// tell, all that the gateway has to say is said once more.
const (
	horizon  = 24 * time.Hour
	approval = 6 * time.Hour
	funds    = 8 * time.Hour
	heal     = 40 * time.Hour
	tell     = 60 * time.Hour
	compared = 80 * time.Hour // for the last time, if at all
	quiet    = 90 * time.Hour
)

// maxOrders bounds a plan.
const maxOrders = 1000

// check says what is wrong with a plan that no world can be made of.
func (p Plan) check() error {
	if len(p.Orders) > maxOrders {
		return fmt.Errorf("a plan has at most %d orders", maxOrders)
	}
	numbers := make(map[string]bool)
	for _, o := range p.Orders {
		if o.Number == "" || numbers[o.Number] {
			return fmt.Errorf("order number %q is missing or there twice", o.Number)
		}
		numbers[o.Number] = true
		if o.Kind != order.Withdrawal && o.Kind != order.Deposit {
			return fmt.Errorf("order %s is a %s or a %s", o.Number, order.Withdrawal, order.Deposit)
		}
		if o.Story != nil {
			if err := o.Story.check(); err != nil {
				return fmt.Errorf("order %s: %w", o.Number, err)
			}
		}
		for _, e := range o.Events {
			if !slices.Contains(deeds, e.Do) {
				return fmt.Errorf("order %s: nobody can %q", o.Number, e.Do)
			}
		}
	}
	for _, s := range p.Spells {
		known := slices.ContainsFunc(sandbox.Switches(), func(w sandbox.Switch) bool { return w.Name == s.Name })
		if !known && !slices.Contains([]string{SpellDrain, SpellDeaf, SpellTemporal, SpellLedger}, s.Name) {
			return fmt.Errorf("there is no spell %q", s.Name)
		}
	}
	if err := p.checkOlder(); err != nil {
		return err
	}
	for name := range p.Posts {
		if name != PostLost && name != PostUnanswered {
			return fmt.Errorf("there is no fault %q of the gateway's posts", name)
		}
	}
	return nil
}

// request is the order as a finance system asks for it.
func (o Order) request() order.Request {
	return order.Request{
		Kind: o.Kind, Merchant: merchant, Number: o.Number, Country: "PK", Way: "easypaisa", Amount: rupees(o.Amount),
		Details: map[string]string{
			"customerName": "Test Person", "customerContact": "03001234567", "customerAccountNumber": "03001234567",
		},
		RequestedBy: "payroll",
	}
}

// rupees is an amount of the merchant's currency.
func rupees(n int64) money.Amount {
	amount, err := money.Minor(100*n, currency)
	if err != nil {
		panic(err) // the currency is known
	}
	return amount
}

// after is a time of a plan.
func after(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
