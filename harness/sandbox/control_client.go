package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// ControlClient steers a running sandbox from another process on the same
// machine. Its methods are those of Gateway.
type ControlClient struct {
	base string
	http *http.Client
}

// maxControlBytes bounds an answer: a full book of 200,000 orders fits.
const maxControlBytes = 1 << 30

// NewControlClient makes a client for the sandbox whose control interface is
// at an address such as "http://127.0.0.1:8090". Nothing is called yet.
func NewControlClient(baseURL string) *ControlClient {
	return &ControlClient{
		base: strings.TrimSuffix(baseURL, "/") + "/control/",
		http: &http.Client{Timeout: time.Minute},
	}
}

// Info tells the platform's key and the time.
func (c *ControlClient) Info(ctx context.Context) (Info, error) {
	return fetch[Info](ctx, c, "info", nil)
}

// Book copies the whole book.
func (c *ControlClient) Book(ctx context.Context) (Book, error) {
	return fetch[Book](ctx, c, "book", nil)
}

// Audit counts double payments and adds up the book.
func (c *ControlClient) Audit(ctx context.Context) (Audit, error) {
	return fetch[Audit](ctx, c, "audit", nil)
}

// Scenarios is the table of the running sandbox.
func (c *ControlClient) Scenarios(ctx context.Context) ([]Scenario, error) {
	return fetch[[]Scenario](ctx, c, "scenarios", nil)
}

// Switches is the table of switches of the running sandbox.
func (c *ControlClient) Switches(ctx context.Context) ([]Switch, error) {
	return fetch[[]Switch](ctx, c, "switches", nil)
}

// Orders are the orders of a number.
func (c *ControlClient) Orders(ctx context.Context, merchant, number string) ([]Order, error) {
	return fetch[[]Order](ctx, c, "orders", url.Values{"merchant": {merchant}, "number": {number}})
}

// Find is every order that has the text as its order id or its number.
func (c *ControlClient) Find(ctx context.Context, reference string) ([]Order, error) {
	return fetch[[]Order](ctx, c, "orders", url.Values{"number": {reference}})
}

// Deliveries are the callbacks of an order.
func (c *ControlClient) Deliveries(ctx context.Context, merchant, number string) ([]Delivery, error) {
	return fetch[[]Delivery](ctx, c, "callbacks", url.Values{"merchant": {merchant}, "number": {number}})
}

// SetScenario chooses what will happen to an order, booked or to come.
func (c *ControlClient) SetScenario(ctx context.Context, merchant, number, scenario string) error {
	_, err := send[struct{}](ctx, c, "scenario", orderRequest{Merchant: merchant, Number: number, Scenario: scenario})
	return err
}

// Fund moves a merchant's own money in, or out.
func (c *ControlClient) Fund(ctx context.Context, merchant, amount string, out bool) (MerchantBook, error) {
	return send[MerchantBook](ctx, c, "fund", fundRequest{Merchant: merchant, Amount: amount, Out: out})
}

// Trigger sends a callback by hand, genuine or with a falsehood.
func (c *ControlClient) Trigger(ctx context.Context, merchant, number, falsehood string) (Delivery, error) {
	return send[Delivery](ctx, c, "callback", orderRequest{Merchant: merchant, Number: number, Falsehood: falsehood})
}

// Move brings an order to a state by hand.
func (c *ControlClient) Move(ctx context.Context, merchant, number string, state tarspay.State, paid string) (Order, error) {
	return send[Order](ctx, c, "move", orderRequest{Merchant: merchant, Number: number, State: state, Paid: paid})
}

// Switch turns a condition of a merchant, or of all with "", on or off.
func (c *ControlClient) Switch(ctx context.Context, merchant, name string, on bool) error {
	_, err := send[struct{}](ctx, c, "switch", switchRequest{Merchant: merchant, Name: name, On: on})
	return err
}

// SetKey replaces a merchant's public key.
func (c *ControlClient) SetKey(ctx context.Context, merchant, publicKey string) error {
	_, err := send[struct{}](ctx, c, "key", keyRequest{Merchant: merchant, PublicKey: publicKey})
	return err
}

// SetFaults replaces the seeded fault plan.
func (c *ControlClient) SetFaults(ctx context.Context, f Faults) error {
	_, err := send[struct{}](ctx, c, "faults", f)
	return err
}

// Advance moves the sandbox's time ahead.
func (c *ControlClient) Advance(ctx context.Context, by time.Duration) (Info, error) {
	return send[Info](ctx, c, "advance", advanceRequest{By: by.String()})
}

func fetch[T any](ctx context.Context, c *ControlClient, path string, query url.Values) (T, error) {
	return exchange[T](ctx, c, http.MethodGet, path+"?"+query.Encode(), http.NoBody)
}

func send[T any](ctx context.Context, c *ControlClient, path string, body any) (T, error) {
	return exchange[T](ctx, c, http.MethodPost, path, bytes.NewReader(encodeJSON(body)))
}

func exchange[T any](ctx context.Context, c *ControlClient, method, path string, body io.Reader) (T, error) {
	var answer T
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return answer, fmt.Errorf("sandbox: control: %w", err)
	}
	request.Header.Set("Content-Type", contentTypeJSON)
	response, err := c.http.Do(request)
	if err != nil {
		return answer, fmt.Errorf("sandbox: control: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxControlBytes))
	if err != nil {
		return answer, fmt.Errorf("sandbox: control: %w", err)
	}
	var refused controlError
	switch {
	case response.StatusCode == http.StatusOK:
		if err := json.Unmarshal(text, &answer); err != nil {
			return answer, fmt.Errorf("sandbox: control: the answer is not this version's: %w", err)
		}
		return answer, nil
	case json.Unmarshal(text, &refused) == nil && response.StatusCode == http.StatusNotFound:
		return answer, ErrNoOrder
	case refused.Error != "":
		return answer, errors.New(refused.Error)
	case response.StatusCode == http.StatusNotFound:
		return answer, errors.New("sandbox: there is no control interface at that address")
	}
	return answer, fmt.Errorf("sandbox: control: HTTP %d: %s", response.StatusCode, strings.TrimSpace(string(text)))
}
