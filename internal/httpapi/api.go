// Package httpapi is the HTTP door of finance systems: the use cases of package
// payouts as an OpenAPI 3.1 service.
//
// Its answers are JSON. A refusal is a problem of RFC 9457 with a code of the
// catalogue. The order number is the idempotency key: the same request again is the
// same order.
//
// It knows no SQL, no Temporal and no rule about orders.
package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Options are what a door needs.
type Options struct {
	Service  *payouts.Service
	Commands *payouts.Service // the same, whose sentences name commands of starter; nil: Service
	Access   Access
	// Countries maps the merchants of the installation to their countries.
	Countries map[string]string
	Rate      int    // requests per second of each caller
	Version   string // of the program, for the document
	Metrics   *Metrics
	Log       *slog.Logger
	Now       func() time.Time // time.Now if nil
	// Pages are pages for people; nil: none. They have the request ids, the log and the
	// metrics of the operations.
	Pages Pages
}

// Pages are served beside the operations.
type Pages interface {
	// Register adds the pages' paths.
	Register(mux *http.ServeMux, site Site)
}

// Site is what the door lends to pages.
type Site struct{ door *door }

// Admit notes who sends a request, and bounds how often. The code is RATE_LIMITED.
func (s Site) Admit(ctx context.Context, name string) *order.Refusal { return s.door.admit(ctx, name) }

// Remember keeps an error for the log that the caller does not get.
func (s Site) Remember(ctx context.Context, err error) { remember(ctx, err) }

// door has the operations.
type door struct {
	Options
	limits *limiter
}

// New returns the handler of the door.
func New(options Options) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Commands == nil {
		options.Commands = options.Service
	}
	d := &door{Options: options, limits: newLimiter(options.Rate)}
	mux := http.NewServeMux()
	api := humago.New(mux, configuration(options.Version))
	d.register(api)
	mux.HandleFunc("GET /{$}", page(api.OpenAPI()))
	if options.Pages != nil {
		options.Pages.Register(mux, Site{d})
	}
	return d.wrap(mux)
}

// Document returns the OpenAPI document as indented JSON.
func Document(version string) ([]byte, error) {
	api := humago.New(http.NewServeMux(), configuration(version))
	(&door{}).register(api)
	text, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	return append(text, '\n'), err
}

// maxBody is the most bytes of a request's body.
const maxBody = 128 << 10

// configuration returns huma's settings: the document, and JSON that is read as
// strictly as everywhere else.
func configuration(version string) huma.Config {
	c := huma.DefaultConfig("Payouts", version)
	c.Info.Description = "Orders of the TarsPay gateway: money in (deposits) and out (withdrawals). " +
		"The order number is the idempotency key: choose it once per payment; the same request again never pays twice. " +
		"A problem's code is stable; the list is in docs/codes.md."
	c.CreateHooks, c.Transformers = nil, nil // no links to schemas in the answers
	c.DocsPath, c.SchemasPath = "", ""
	c.RejectUnknownQueryParameters = true
	strict := huma.Format{
		Marshal: func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
		Unmarshal: func(data []byte, v any) error { // refuses a repeated member and bytes that are no UTF-8
			return noAmount(jsonv2.Unmarshal(data, v))
		},
	}
	c.Formats = map[string]huma.Format{"application/json": strict, "json": strict}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[amountSchema]())
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key of the roster: Authorization: Bearer payouts_…"},
	}
	c.Security = []map[string][]string{{"key": {}}}
	return c
}

// amountSchema is how an amount is written.
type amountSchema struct {
	Value    string `json:"value" doc:"Decimal digits, with a dot before decimals and no separator of thousands." example:"1500.00" maxLength:"40"`
	Currency string `json:"currency" doc:"ISO 4217." example:"PKR" minLength:"3" maxLength:"3"`
}

// register adds every operation.
func (d *door) register(api huma.API) {
	api.UseMiddleware(d.identify)
	d.registerOrders(api)
	d.registerActions(api)
	d.registerBatches(api)
	d.registerStatements(api)
	d.registerBooks(api)
	d.registerBookActions(api)
	d.registerReports(api)
	d.registerEvents(api)
	d.registerWebhooks(api)
	d.registerReference(api)
}

// operation adds an operation. Its handler gets the caller of the request.
func operation[I, O any](api huma.API, o huma.Operation, handler func(context.Context, Caller, *I) (*O, error)) {
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = maxBody
	}
	_, hasBody := reflect.TypeFor[I]().FieldByName("Body")
	_, hasText := reflect.TypeFor[I]().FieldByName("RawBody")
	_, hasFile := reflect.TypeFor[I]().FieldByName("FileInput")
	o.Errors = refusalsOf(o.OperationID, hasBody || hasText || hasFile)
	huma.Register(api, o, func(ctx context.Context, input *I) (*O, error) {
		output, err := handler(ctx, callerOf(ctx), input)
		if err != nil {
			return nil, explain(ctx, err)
		}
		return output, nil
	})
	made := api.OpenAPI().Paths[o.Path]
	for _, operation := range []*huma.Operation{made.Get, made.Post} {
		for _, status := range []int{http.StatusUnprocessableEntity, http.StatusInternalServerError} { // huma adds them to all
			if operation != nil && operation.OperationID == o.OperationID && !slices.Contains(o.Errors, status) {
				delete(operation.Responses, strconv.Itoa(status))
			}
		}
	}
}

// answered describes an answer with a body, beside the one that an operation usually has.
func answered[T any](api huma.API, description string) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// answer is an output with a body alone.
type answer[T any] struct{ Body T }
