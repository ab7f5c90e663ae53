package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Books is what a deliverer needs of *ledger.Ledger, which comments each method.
type Books = booksPart

type booksPart interface {
	WebhookWork(ctx context.Context) ([]string, error)
	TakeWebhook(ctx context.Context, id, owner string, life time.Duration) (lease ledger.WebhookLease, taken bool, err error)
	WebhookPage(ctx context.Context, lease ledger.WebhookLease) (ledger.WebhookPage, error)
	RecordWebhook(ctx context.Context, lease ledger.WebhookLease, done ledger.WebhookProgress) error
	ReleaseWebhook(ctx context.Context, lease ledger.WebhookLease) error
}

// Limits of a deliverer. A page takes at most sendFor and the time of one delivery, which
// is less than leaseLife.
const (
	leaseLife   = 45 * time.Second
	leaseMargin = 5 * time.Second  // before the lease ends, everything that is being sent is given up
	sendFor     = 25 * time.Second // after it, no delivery of a page begins
	parallel    = 16               // deliveries at once, of different orders, to one endpoint
	atOnce      = 32               // endpoints at once
	lastWords   = 5 * time.Second  // to write what was delivered when the process stops
)

// Deliverer delivers events to endpoints. Any number may run at once: each endpoint is
// delivered to by the one that has its lease.
type Deliverer struct {
	books  Books
	sender *Sender
	owner  string
	count  func(result Outcome)
	log    *slog.Logger

	mutex   sync.Mutex
	running map[string]bool
	group   sync.WaitGroup
}

// NewDeliverer returns a deliverer. owner names the process in the ledger. count is called
// for each try.
func NewDeliverer(books Books, sender *Sender, owner string, count func(result Outcome), log *slog.Logger) *Deliverer {
	return &Deliverer{books: books, sender: sender, owner: owner, count: count, log: log, running: make(map[string]bool)}
}

// Run delivers until the context ends. It looks for work at the given interval. An endpoint
// that is slow does not hold up others.
func (d *Deliverer) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer d.group.Wait()
	for {
		if err := d.begin(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("The webhook endpoints could not be read; the next attempt follows", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round delivers everything that can be delivered now, and returns when that is done.
func (d *Deliverer) Round(ctx context.Context) error {
	err := d.begin(ctx)
	d.group.Wait()
	return err
}

// begin begins to deliver to every endpoint that has work.
func (d *Deliverer) begin(ctx context.Context) error {
	work, err := d.books.WebhookWork(ctx)
	if err != nil {
		return err
	}
	for _, id := range work {
		if !d.enter(id) {
			continue
		}
		d.group.Go(func() {
			defer d.leave(id)
			if err := d.endpoint(ctx, id); err != nil && ctx.Err() == nil {
				d.log.Warn("The events of a webhook endpoint could not be delivered; the next attempt follows", "endpoint", id, "error", err)
			}
		})
	}
	return nil
}

func (d *Deliverer) enter(id string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.running[id] || len(d.running) >= atOnce {
		return false
	}
	d.running[id] = true
	return true
}

func (d *Deliverer) leave(id string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.running, id)
}

// endpoint delivers to an endpoint until it has everything. After an error it keeps the
// lease, so that the next attempt is when the lease has ended.
func (d *Deliverer) endpoint(ctx context.Context, id string) error {
	held := time.Now()
	lease, taken, err := d.books.TakeWebhook(ctx, id, d.owner, leaseLife)
	if err != nil || !taken {
		return err
	}
	for more := true; more && err == nil && ctx.Err() == nil; {
		more, held, err = d.page(ctx, lease, held)
	}
	if err != nil && !errors.Is(err, ledger.ErrLeaseLost) { // lost: another deliverer's, or changed by a person
		return err
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return d.books.ReleaseWebhook(ending, lease)
}

// page delivers one page, and records it, which renews the lease. held is when the lease
// began, or a moment earlier.
func (d *Deliverer) page(ctx context.Context, lease ledger.WebhookLease, held time.Time) (more bool, renewed time.Time, err error) {
	found, err := d.books.WebhookPage(ctx, lease)
	if err != nil {
		return false, held, err
	}
	sending, cancel := context.WithDeadline(ctx, held.Add(leaseLife-leaseMargin))
	defer cancel()
	p := &pass{deliverer: d, page: found, until: held.Add(sendFor), fates: make(map[int64]*fate)}
	p.run(sending)
	writing, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer stop()
	renewed = time.Now()
	done := p.progress()
	if done.Gone != "" {
		d.log.Warn("A webhook endpoint wants no events any more, and is disabled", "endpoint", lease.Endpoint)
	}
	err = d.books.RecordWebhook(writing, lease, done)
	more = found.More || p.left.Load() || done.Delivered > 0 && len(found.Retries) > 0 // what waited behind them may go on
	return more && !p.stopped.Load(), renewed, cmp.Or(err, p.fault())
}

// pass is the delivery of one page.
type pass struct {
	deliverer *Deliverer
	page      ledger.WebhookPage
	until     time.Time

	delivered, failed atomic.Int64
	stopped           atomic.Bool // nothing more is sent to the endpoint now
	left              atomic.Bool // there was no time for some of the page

	mutex sync.Mutex
	fates map[int64]*fate // of each event that something became of, by position
	gone  string
	err   error
}

// fate is what became of an event.
type fate struct {
	try    ledger.WebhookTry
	silent bool // nothing is to be written: it was delivered, or is not wanted
}

// run delivers the page: its orders beside each other, the events of an order in turn.
func (p *pass) run(ctx context.Context) {
	queue := make(chan []func(context.Context) bool)
	var senders sync.WaitGroup
	chains := p.chains()
	for range min(parallel, len(chains)) {
		senders.Go(func() {
			for chain := range queue {
				for _, deliver := range chain {
					if p.over(ctx) || !deliver(ctx) {
						break
					}
				}
			}
		})
	}
	for _, chain := range chains {
		queue <- chain
	}
	close(queue)
	senders.Wait()
}

// over reports whether nothing more is sent. An endpoint that has answered nothing well
// is left alone before everything has failed.
func (p *pass) over(ctx context.Context) bool {
	if p.delivered.Load() == 0 && p.failed.Load() >= ledger.WebhookBacklog {
		p.stopped.Store(true)
	}
	late := time.Now().After(p.until)
	if late {
		p.left.Store(true)
	}
	return p.stopped.Load() || late || ctx.Err() != nil
}

// chains returns the deliveries of the page, those of one order in one chain. A delivery
// returns false if the next ones of its chain must not be made.
func (p *pass) chains() [][]func(context.Context) bool {
	var chains [][]func(context.Context) bool
	for _, event := range p.page.Retries {
		chains = append(chains, []func(context.Context) bool{func(ctx context.Context) bool {
			return p.deliver(ctx, event.Event, &event)
		}})
	}
	places := make(map[order.Key]int)
	for _, event := range p.page.Events {
		if len(p.page.Types) > 0 && !slices.Contains(p.page.Types, event.Type) {
			p.settle(event, fate{silent: true})
			continue
		}
		key := order.Key{Merchant: event.Merchant, Number: event.Number}
		if key.Number != "" && p.page.Waiting[key] { // an earlier event of the order has failed
			p.settle(event, fate{try: ledger.WebhookTry{Event: event, Waits: true}})
			continue
		}
		place, there := places[key]
		if !there || key.Number == "" {
			place = len(chains)
			places[key] = place
			chains = append(chains, nil)
		}
		chains[place] = append(chains[place], func(ctx context.Context) bool { return p.deliver(ctx, event, nil) })
	}
	return chains
}

// deliver sends an event once. It reports whether it was delivered.
func (p *pass) deliver(ctx context.Context, event ledger.Event, retry *ledger.WebhookEvent) bool {
	message, err := MessageOf(event)
	var result Result
	if err == nil {
		result, err = p.deliverer.sender.Send(ctx, Target{p.page.URL, p.page.Secrets}, message, time.Now())
	}
	if err != nil {
		p.fail(ctx, err)
		return false
	}
	p.deliverer.count(result.Outcome)
	switch result.Outcome {
	case Gone:
		p.leave(result.Why)
		return false
	case Delivered:
		p.delivered.Add(1)
	case Failed:
		p.failed.Add(1)
	}
	delivered := result.Outcome == Delivered
	p.settle(event, fate{silent: delivered && retry == nil, try: ledger.WebhookTry{
		Event: event, Retry: retry, Delivered: delivered, Status: result.Status, Why: result.Why,
	}})
	return delivered
}

// settle notes what became of an event.
func (p *pass) settle(event ledger.Event, f fate) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.fates[event.Position] = &f
}

// leave sends nothing more to an endpoint that is gone.
func (p *pass) leave(why string) {
	p.stopped.Store(true)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.gone = why
}

// fail ends the pass after an error that is not the endpoint's. That the time is over is
// no error.
func (p *pass) fail(ctx context.Context, err error) {
	p.stopped.Store(true)
	if ctx.Err() != nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.err = err
}

func (p *pass) fault() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.err
}

// progress returns what is to be written. The position passes only events that something
// became of. The later events of an order whose event failed wait.
func (p *pass) progress() ledger.WebhookProgress {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	done := ledger.WebhookProgress{Position: p.page.Last, Delivered: int(p.delivered.Load()), Gone: p.gone, Life: leaseLife}
	for _, retry := range p.page.Retries {
		if f := p.fates[retry.Position]; f != nil {
			done.Tries = append(done.Tries, f.try)
		}
	}
	held := make(map[order.Key]bool)
	for _, event := range p.page.Events {
		key := order.Key{Merchant: event.Merchant, Number: event.Number}
		f := p.fates[event.Position]
		if f == nil && held[key] && key.Number != "" {
			f = &fate{try: ledger.WebhookTry{Event: event, Waits: true}}
		}
		if f == nil { // there was no time for it: the next page begins with it
			done.Position = event.Position - 1
			return done
		}
		if !f.silent {
			done.Tries = append(done.Tries, f.try)
			held[key] = held[key] || !f.try.Delivered
		}
	}
	return done
}

// MessageOf returns the message of an event: its JSON as GET /v1/events shows it.
func MessageOf(event ledger.Event) (Message, error) {
	body, err := json.Marshal(event)
	return Message{ID: event.ID, Body: body}, err
}
