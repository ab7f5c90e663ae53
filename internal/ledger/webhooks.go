package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// WebhookState is whether an endpoint gets events.
type WebhookState string

// The states of an endpoint.
const (
	WebhookActive   WebhookState = "active"
	WebhookPaused   WebhookState = "paused"   // every try failed for a day; a person enables it again
	WebhookDisabled WebhookState = "disabled" // a person disabled it, or it answered 410
)

// Webhook is an endpoint of a finance system that events are sent to.
type Webhook struct {
	ID        string       `json:"id"`
	URL       string       `json:"url"`
	Merchants []string     `json:"merchants"` // whose events it gets; none: all
	Types     []string     `json:"types"`     // which events it gets; none: all
	State     WebhookState `json:"state"`
	StateAt   time.Time    `json:"state_at"`
	CreatedBy string       `json:"created_by"`
	CreatedAt time.Time    `json:"created_at"`
	ChangedBy string       `json:"changed_by,omitempty"` // who last changed it; absent if the deliverer did
	ChangedAt time.Time    `json:"changed_at"`
	// PreviousUntil is until when the secret before the last rotation signs, too.
	PreviousUntil time.Time `json:"previous_secret_until,omitzero"`
	FailingSince  time.Time `json:"failing_since,omitzero"` // no try has succeeded since; absent if the last one did
	Problem       string    `json:"problem,omitempty"`      // of the last try that failed
	ProblemAt     time.Time `json:"problem_at,omitzero"`
}

// WebhookCounts say what waits for an endpoint.
type WebhookCounts struct {
	Pending int `json:"pending"`  // events that failed, or wait behind one of their order that did, and are tried again
	GivenUp int `json:"given_up"` // events that were not delivered in three days
	// Oldest is when the oldest event happened that is not delivered and not given up.
	Oldest time.Time `json:"oldest_undelivered,omitzero"`
}

// Codes of refusals about endpoints. They are stable.
const (
	CodeWebhookNotFound = "WEBHOOK_NOT_FOUND"     // there is no such endpoint
	CodeWebhookTooMany  = "WEBHOOK_TOO_MANY"      // there are as many endpoints as there may be
	CodeWebhookEvent    = "WEBHOOK_EVENT_UNKNOWN" // there is no such event to replay from
	CodeWebhookPaused   = "WEBHOOK_PAUSED"        // every try failed for a day
)

// maxWebhooks is the most endpoints that are not disabled. Each has a metric.
const maxWebhooks = 100

// webhookRow is a row of webhook_endpoints.
type webhookRow struct {
	ID             string       `db:"id"`
	Merchants      string       `db:"merchants"`
	Types          string       `db:"types"`
	URL            string       `db:"url"`
	Secret         string       `db:"secret"`
	PreviousSecret string       `db:"previous_secret"`
	PreviousUntil  int64        `db:"previous_until"`
	DataKey        string       `db:"data_key"`
	State          WebhookState `db:"state"`
	StateAt        int64        `db:"state_at"`
	Position       int64        `db:"position"`
	ReplayFrom     int64        `db:"replay_from"`
	RetryNow       int64        `db:"retry_now"`
	FailingSince   int64        `db:"failing_since"`
	TriedAt        int64        `db:"tried_at"`
	Problem        string       `db:"problem"`
	CreatedBy      string       `db:"created_by"`
	CreatedAt      int64        `db:"created_at"`
	ChangedBy      string       `db:"changed_by"`
	ChangedAt      int64        `db:"changed_at"`
	LeaseUntil     int64        `db:"lease_until"`
	Fence          int64        `db:"fence"`

	key *vault.Key
}

const webhookColumns = `id, merchants, types, url, secret, previous_secret, previous_until, data_key, state, state_at, position, replay_from, retry_now,
	failing_since, tried_at, problem, created_by, created_at, changed_by, changed_at, lease_until, fence`

func webhookSubject(id string) vault.Subject {
	return vault.Subject{Table: "webhook_endpoints", Number: id}
}

// openWebhook decrypts a row.
func (p private) openWebhook(r webhookRow) (webhookRow, error) {
	texts, err := p.texts(webhookSubject(r.ID), r.DataKey, false)
	if err == nil {
		r.key = texts.key
		err = texts.openAll(map[string]*string{"url": &r.URL, "secret": &r.Secret, "previous_secret": &r.PreviousSecret})
	}
	if err != nil {
		return r, fmt.Errorf("ledger: webhook endpoint %s: %w", r.ID, err)
	}
	return r, nil
}

func (r webhookRow) webhook() Webhook {
	return Webhook{
		ID: r.ID, URL: r.URL, Merchants: readList(r.Merchants), Types: readList(r.Types), State: r.State, StateAt: moment(r.StateAt),
		CreatedBy: r.CreatedBy, CreatedAt: moment(r.CreatedAt), ChangedBy: r.ChangedBy, ChangedAt: moment(r.ChangedAt),
		PreviousUntil: moment(r.PreviousUntil), FailingSince: moment(r.FailingSince), Problem: r.Problem, ProblemAt: moment(r.TriedAt),
	}
}

// writeList returns texts as they are stored: sorted, each once.
func writeList(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	text, _ := json.Marshal(append([]string{}, slices.Compact(list)...)) // of texts
	return string(text)
}

func readList(text string) []string {
	list := []string{}
	_ = json.Unmarshal([]byte(text), &list) // writeList wrote it
	return list
}

// NewWebhook is what an endpoint is made from. The caller has checked the URL.
type NewWebhook struct {
	URL       string
	Merchants []string // none: all
	Types     []string // none: all
	Secret    string
	By        string
}

// CreateWebhook adds an endpoint. It gets the events that happen from now on. The codes are
// WHO_MISSING, TEXT_TOO_LONG and WEBHOOK_TOO_MANY.
func (l *Ledger) CreateWebhook(ctx context.Context, made NewWebhook) (Webhook, error) {
	random := make([]byte, 12)
	_, _ = rand.Read(random) // it never returns an error
	row := webhookRow{
		ID: "we_" + hex.EncodeToString(random), Merchants: writeList(made.Merchants), Types: writeList(made.Types),
		State: WebhookActive, CreatedBy: sanitizeText(made.By),
	}
	if refusal := requirePerson("a webhook endpoint", row.CreatedBy, "it is made"); refusal != nil {
		return Webhook{}, refusal
	}
	key, err := l.private.ring.NewKey(webhookSubject(row.ID))
	if err != nil {
		return Webhook{}, err
	}
	row.DataKey, row.URL, row.Secret = key.Stored(), key.Seal("url", made.URL), key.Seal("secret", made.Secret)
	err = l.inTx(ctx, func(t tx) error {
		var there int
		if err := t.Get(ctx, &there, "SELECT COUNT(*) FROM webhook_endpoints WHERE state <> 'disabled'"); err != nil {
			return err
		}
		if there >= maxWebhooks {
			return order.Refuse(CodeWebhookTooMany, "there are %d webhook endpoints; disable one first", there)
		}
		row.StateAt, row.CreatedAt, row.ChangedAt, row.ChangedBy = t.At.UnixMilli(), t.At.UnixMilli(), t.At.UnixMilli(), row.CreatedBy
		if err := t.Get(ctx, &row.Position, lastPosition); err != nil {
			return err
		}
		_, err := t.Put(ctx, `INSERT INTO webhook_endpoints (id, merchants, types, url, secret, data_key, state_at, position, created_by, created_at, changed_by, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row.ID, row.Merchants, row.Types, row.URL, row.Secret, row.DataKey,
			row.StateAt, row.Position, row.CreatedBy, row.CreatedAt, row.ChangedBy, row.ChangedAt)
		return err
	})
	if err != nil {
		return Webhook{}, fmt.Errorf("ledger: create a webhook endpoint: %w", err)
	}
	row.URL = made.URL
	return row.webhook(), nil
}

// Webhooks lists all endpoints, the oldest first.
func (l *Ledger) Webhooks(ctx context.Context) ([]Webhook, error) {
	var rows []webhookRow
	if err := l.db.List(ctx, &rows, "SELECT "+webhookColumns+" FROM webhook_endpoints ORDER BY created_at, id"); err != nil {
		return nil, fmt.Errorf("ledger: list webhook endpoints: %w", err)
	}
	found := make([]Webhook, len(rows))
	for i, row := range rows {
		row, err := l.private.openWebhook(row)
		if err != nil {
			return nil, err
		}
		found[i] = row.webhook()
	}
	return found, nil
}

// Webhook returns an endpoint. The error is WEBHOOK_NOT_FOUND if there is none.
func (l *Ledger) Webhook(ctx context.Context, id string) (Webhook, error) {
	row, err := l.webhookRow(ctx, id)
	return row.webhook(), err
}

// WebhookSecrets returns the secrets that sign for an endpoint now, the newest first.
func (l *Ledger) WebhookSecrets(ctx context.Context, id string) ([]string, error) {
	row, err := l.webhookRow(ctx, id)
	if err != nil {
		return nil, err
	}
	now, err := l.Now(ctx)
	return row.secrets(now), err
}

func (r webhookRow) secrets(at time.Time) []string {
	if r.PreviousSecret != "" && at.UnixMilli() < r.PreviousUntil {
		return []string{r.Secret, r.PreviousSecret}
	}
	return []string{r.Secret}
}

func (l *Ledger) webhookRow(ctx context.Context, id string) (webhookRow, error) {
	var row webhookRow
	err := l.db.Get(ctx, &row, "SELECT "+webhookColumns+" FROM webhook_endpoints WHERE id = ?", sanitizeText(id))
	if err != nil {
		return row, noWebhook(id, missing(err, "webhook endpoint %s", id))
	}
	return l.private.openWebhook(row)
}

// noWebhook returns the refusal for ErrNotFound.
func noWebhook(id string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return order.Refuse(CodeWebhookNotFound, "there is no webhook endpoint %s", sanitizeText(id))
	}
	return fmt.Errorf("ledger: webhook endpoint %s: %w", id, err)
}

// WebhookCounts counts what waits for an endpoint.
func (l *Ledger) WebhookCounts(ctx context.Context, id string) (WebhookCounts, error) {
	var counts struct {
		Pending int   `db:"pending"`
		GivenUp int   `db:"given_up"`
		Oldest  int64 `db:"oldest"`
	}
	err := l.db.Get(ctx, &counts, `SELECT
		(SELECT COUNT(*) FROM webhook_deliveries WHERE endpoint = w.id AND state = 'pending') AS pending,
		(SELECT COUNT(*) FROM webhook_deliveries WHERE endpoint = w.id AND state = 'given_up') AS given_up,
		`+oldestUndelivered+` AS oldest FROM webhook_endpoints w WHERE w.id = ?`, id)
	if err != nil {
		return WebhookCounts{}, noWebhook(id, missing(err, "webhook endpoint %s", id))
	}
	return WebhookCounts{counts.Pending, counts.GivenUp, moment(counts.Oldest)}, nil
}

// oldestUndelivered selects when the oldest event happened that the endpoint w has not got;
// 0: it has all. Of what is behind its position, the first one counts, whose-ever it is: a
// worker passes what the endpoint does not want.
const oldestUndelivered = `COALESCE(
	(SELECT a.at FROM webhook_deliveries d JOIN events e ON e.position = d.position JOIN audit a ON a.id = e.audit_id
		WHERE d.endpoint = w.id AND d.state = 'pending' ORDER BY d.position LIMIT 1),
	(SELECT a.at FROM events e JOIN audit a ON a.id = e.audit_id WHERE e.position > w.position ORDER BY e.position LIMIT 1), 0)`

// WebhookAges returns, for each endpoint that is not disabled, when the oldest event happened
// that it has not got; the zero time if it has all.
func (l *Ledger) WebhookAges(ctx context.Context) (map[string]time.Time, error) {
	var rows []struct {
		ID     string `db:"id"`
		Oldest int64  `db:"oldest"`
	}
	err := l.db.List(ctx, &rows, "SELECT w.id, "+oldestUndelivered+" AS oldest FROM webhook_endpoints w WHERE w.state <> 'disabled'")
	if err != nil {
		return nil, fmt.Errorf("ledger: read the ages of webhook endpoints: %w", err)
	}
	ages := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		ages[row.ID] = moment(row.Oldest)
	}
	return ages, nil
}

// RotateWebhook gives an endpoint a new secret. The one before signs beside it for the
// time of overlap, and an older one no more.
func (l *Ledger) RotateWebhook(ctx context.Context, id, by, secret string, overlap time.Duration) (Webhook, error) {
	return l.changeWebhook(ctx, id, by, func(t tx, row *webhookRow) (string, []any) {
		row.PreviousSecret, row.PreviousUntil, row.Secret = row.Secret, t.At.Add(overlap).UnixMilli(), secret
		return "secret = ?, previous_secret = ?, previous_until = ?", []any{
			row.key.Seal("secret", row.Secret), row.key.Seal("previous_secret", row.PreviousSecret), row.PreviousUntil,
		}
	})
}

// DisableWebhook ends the deliveries to an endpoint. What it has not got keeps its place.
func (l *Ledger) DisableWebhook(ctx context.Context, id, by string) (Webhook, error) {
	return l.changeWebhook(ctx, id, by, func(t tx, row *webhookRow) (string, []any) {
		if row.State != WebhookDisabled {
			row.State, row.StateAt = WebhookDisabled, t.At.UnixMilli()
		}
		return "state = ?, state_at = ?", []any{row.State, row.StateAt}
	})
}

// EnableWebhook has an endpoint get events that was disabled or paused. It begins with
// those that it has not got. What has failed is tried again at once.
func (l *Ledger) EnableWebhook(ctx context.Context, id, by string) (Webhook, error) {
	return l.changeWebhook(ctx, id, by, func(t tx, row *webhookRow) (string, []any) {
		if row.State != WebhookActive {
			row.State, row.StateAt = WebhookActive, t.At.UnixMilli()
		}
		row.FailingSince = 0
		return "state = ?, state_at = ?, failing_since = 0, retry_now = 1", []any{row.State, row.StateAt}
	})
}

// ReplayWebhook sends an endpoint again what happened after a position of the list of
// events. A position that the endpoint has not reached changes nothing.
func (l *Ledger) ReplayWebhook(ctx context.Context, id, by string, after int64) (Webhook, error) {
	return l.changeWebhook(ctx, id, by, func(_ tx, row *webhookRow) (string, []any) {
		if row.ReplayFrom < 0 || after < row.ReplayFrom {
			row.ReplayFrom = after
		}
		return "replay_from = ?", []any{row.ReplayFrom}
	})
}

// changeWebhook changes an endpoint in the name of a person or a system. change returns
// the assignments.
func (l *Ledger) changeWebhook(ctx context.Context, id, by string, change func(tx, *webhookRow) (string, []any)) (Webhook, error) {
	if by = sanitizeText(by); strings.TrimSpace(by) == "" {
		return Webhook{}, order.Refuse(order.CodeWhoMissing, "a change of a webhook endpoint says who makes it")
	}
	var row webhookRow
	err := l.inTx(ctx, func(t tx) error {
		row = webhookRow{}
		err := t.Get(ctx, &row, "SELECT "+webhookColumns+" FROM webhook_endpoints WHERE id = ?"+t.ForUpdate, sanitizeText(id))
		if err != nil {
			return missing(err, "webhook endpoint %s", id)
		}
		if row, err = t.openWebhook(row); err != nil {
			return err
		}
		row.ChangedBy, row.ChangedAt = by, t.At.UnixMilli()
		assignments, args := change(t, &row)
		_, err = t.Put(ctx, "UPDATE webhook_endpoints SET changed_by = ?, changed_at = ?, "+assignments+" WHERE id = ?",
			append(append([]any{row.ChangedBy, row.ChangedAt}, args...), row.ID)...)
		return err
	})
	if err != nil {
		return Webhook{}, noWebhook(id, err)
	}
	return row.webhook(), nil
}

// EventPosition returns the position of an event. ErrNotFound if there is none.
func (l *Ledger) EventPosition(ctx context.Context, id string) (int64, error) {
	prefix, err := hex.DecodeString(strings.TrimPrefix(id, "evt_"))
	if err != nil || len(prefix) != 16 || !strings.HasPrefix(id, "evt_") {
		return 0, fmt.Errorf("ledger: %w: event %s", ErrNotFound, sanitizeText(id))
	}
	var position int64
	err = l.db.Get(ctx, &position, "SELECT e.position FROM audit a JOIN events e ON e.audit_id = a.id WHERE a.hash >= ? AND a.hash < ? ORDER BY a.hash LIMIT 1",
		prefix, append(slices.Clone(prefix), slices.Repeat([]byte{0xff}, 17)...))
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", missing(err, "event %s", id))
	}
	return position, nil
}

// WebhookDelivery is an event that was not delivered at the first try.
type WebhookDelivery struct {
	EventID  string    `json:"event_id"`
	Type     string    `json:"type"`
	Merchant string    `json:"merchant"`
	Number   string    `json:"number,omitempty"`
	State    string    `json:"state"` // pending, delivered, given_up; replayed: a replay has replaced it
	Tries    int64     `json:"tries"` // 0: it waits behind an earlier event of its order
	NextTry  time.Time `json:"next_try,omitzero"`
	Status   int       `json:"status,omitempty"` // of HTTP, of the last try
	Why      string    `json:"why,omitempty"`    // the last try failed
	FirstAt  time.Time `json:"first_at"`
	At       time.Time `json:"at"` // of the last change

	Position int64 `json:"-"`
}

// WebhookDeliveryFilter selects deliveries of an endpoint.
type WebhookDeliveryFilter struct {
	Endpoint string
	State    string // "": any
	Before   int64  // the position of the last one of the page before; 0: from the newest
	Limit    int
}

// WebhookDeliveries lists the events that were not delivered at the first try, the newest
// first.
func (l *Ledger) WebhookDeliveries(ctx context.Context, filter WebhookDeliveryFilter) ([]WebhookDelivery, error) {
	var where conditions
	where.add("endpoint = ?", filter.Endpoint)
	where.equal("state", filter.State)
	if filter.Before > 0 {
		where.add("position < ?", filter.Before)
	}
	var rows []deliveryRow
	err := l.db.List(ctx, &rows, "SELECT "+deliveryColumns+" FROM webhook_deliveries"+where.sql()+" ORDER BY position DESC LIMIT ?",
		append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list deliveries of webhook endpoint %s: %w", filter.Endpoint, err)
	}
	found := make([]WebhookDelivery, len(rows))
	for i, r := range rows {
		found[i] = WebhookDelivery{
			EventID: r.EventID, Type: r.Type, Merchant: r.Merchant, Number: r.Number, State: r.State, Tries: r.Tries, Status: int(r.Status),
			Why: r.Why, FirstAt: moment(r.FirstAt), At: moment(r.At), Position: r.Position,
		}
		if r.State == deliveryPending && r.Tries > 0 {
			found[i].NextTry = moment(r.NextTry)
		}
	}
	return found, nil
}
