// Package callback receives the gateway's callbacks. In this order, it verifies the
// signature over the raw bytes, stores the callback in the ledger's inbox, signals
// the order's workflow, and answers OK.
//
// It never starts an order's workflow and books no money. It knows neither
// activities, nor workflow code, nor how an order is driven.
package callback

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Path is where the receiver takes callbacks: the path of PAYOUTS_NOTIFY_URL.
const Path = config.CallbackPath

// Bounds of one callback. Together they stay below 20 s, after which gateways of this
// kind stop waiting for an answer.
const (
	defaultBodyTimeout = 5 * time.Second
	storeTimeout       = 5 * time.Second
	deliverTimeout     = 5 * time.Second
)

// Stable codes of refusals. They are in the answer and in the counter's label, so
// they are never renamed. The status of the answer follows from the code's class in the
// catalogue of package order.
const (
	CodeMethod          = "CALLBACK_METHOD"           // not a POST
	CodeContentType     = "CALLBACK_CONTENT_TYPE"     // not JSON by its header
	CodeTooLarge        = "CALLBACK_TOO_LARGE"        // longer than tarspay.MaxCallbackBytes
	CodeIncomplete      = "CALLBACK_INCOMPLETE"       // the body did not arrive, or not in time
	CodeNotSigned       = "CALLBACK_NOT_SIGNED"       // no signature header
	CodeSignature       = "CALLBACK_SIGNATURE"        // not signed by the gateway
	CodeMalformed       = "CALLBACK_MALFORMED"        // signed by the gateway, but not a callback as documented
	CodeForeignMerchant = "CALLBACK_FOREIGN_MERCHANT" // a merchant that is not ours
	CodeStore           = "STORE_UNAVAILABLE"         // could not be stored; the gateway sends it again
	CodeBusy            = "RECEIVER_BUSY"             // too many callbacks at once; the gateway sends it again
)

// Labels of accepted callbacks.
const (
	codeAccepted  = "ACCEPTED"
	codeDuplicate = "DUPLICATE"
)

// Options configures a handler. All but BodyTimeout are required.
type Options struct {
	Verifier    *tarspay.Verifier
	Ledger      *ledger.Ledger
	Deliverer   *Deliverer
	Merchants   []string // merchant numbers that we act for
	Metrics     *Metrics
	Log         *slog.Logger
	BodyTimeout time.Duration // how long a body may take to arrive; 0: 5 s
}

// NewHandler returns the handler of the callback endpoint. It answers OK once a
// callback is stored, even if Temporal cannot be reached. A refused callback
// changes only a counter.
func NewHandler(options Options) http.Handler {
	if options.BodyTimeout == 0 {
		options.BodyTimeout = defaultBodyTimeout
	}
	return &handler{Options: options, admission: newAdmission()}
}

type handler struct {
	Options
	admission *admission
}

// refusal is an answer other than OK.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	callback, body, refused := h.read(w, r)
	if refused == nil {
		refused = h.take(r.Context(), callback, body, r.Header.Get(tarspay.HeaderCallbackSignature))
	}
	if refused != nil {
		h.refuse(w, refused)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, tarspay.CallbackAnswer)
}

// read makes the checks that need no ledger, the cheapest first.
func (h *handler) read(w http.ResponseWriter, r *http.Request) (tarspay.Callback, []byte, *refusal) {
	var none tarspay.Callback
	signature := r.Header.Get(tarspay.HeaderCallbackSignature)
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return none, nil, &refusal{CodeMethod, "callbacks are posted"}
	case !isJSON(r.Header.Get("Content-Type")):
		return none, nil, &refusal{CodeContentType, "callbacks are application/json"}
	case r.ContentLength > tarspay.MaxCallbackBytes:
		return none, nil, &refusal{CodeTooLarge, "the callback is longer than 64 KiB"}
	case signature == "":
		return none, nil, &refusal{CodeNotSigned, "the header " + tarspay.HeaderCallbackSignature + " is missing"}
	case h.admission.lane(r.ContentLength).full():
		return none, nil, busy
	}
	body, refused := h.readBody(w, r)
	if refused != nil {
		return none, nil, refused
	}
	arrived(r.Context())
	return h.verify(body, signature)
}

// verify checks the signature, and then the content. Both cost processor time, and
// anybody can send callbacks, so their number at once is bounded.
func (h *handler) verify(body []byte, signature string) (callback tarspay.Callback, _ []byte, _ *refusal) {
	var none tarspay.Callback
	var err error
	admitted := h.admission.lane(int64(len(body))).do(func() {
		callback, err = h.Verifier.ParseCallback(body, signature)
	})
	switch {
	case !admitted:
		return none, nil, busy
	case errors.Is(err, tarspay.ErrMalformedCallback):
		// The signature is the gateway's, so the gateway has changed its format.
		h.Log.Error("A callback signed by the gateway is not of the documented shape", "error", err)
		return none, nil, &refusal{CodeMalformed, "the callback is not of the documented shape"}
	case err != nil:
		return none, nil, &refusal{CodeSignature, "the signature does not verify with the gateway's public key"}
	case !slices.Contains(h.Merchants, callback.Merchant):
		h.Log.Warn("A callback signed by the gateway is for a merchant that is not configured; see PAYOUTS_MERCHANTS", "merchant", callback.Merchant)
		return none, nil, &refusal{CodeForeignMerchant, "the merchant is not configured here"}
	}
	return callback, body, nil
}

// busy is the answer when too many callbacks are being verified.
var busy = &refusal{CodeBusy, "too many callbacks arrive at once; send it again"}

// readBody reads the whole body, within its limits of length and time.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	h.readUntil(w, time.Now().Add(h.BodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, tarspay.MaxCallbackBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{CodeTooLarge, "the callback is longer than 64 KiB"}
	case err != nil:
		return nil, &refusal{CodeIncomplete, "the callback did not arrive whole and in time"}
	}
	// The next steps have bounds of their own. A read deadline that passes during
	// them would close the connection before the answer is sent.
	h.readUntil(w, time.Time{})
	return body, nil
}

// readUntil sets the deadline for reading from the client. It ignores a connection
// that supports no deadlines, as in a test without a network.
func (h *handler) readUntil(w http.ResponseWriter, deadline time.Time) {
	if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.Log.Warn("A read deadline could not be set", "error", err)
	}
}

// take stores a verified callback and signals the order's workflow. It does both even
// if the gateway closes the connection, because the callback has arrived in full.
func (h *handler) take(ctx context.Context, callback tarspay.Callback, body []byte, signature string) *refusal {
	ctx = context.WithoutCancel(ctx)
	key := order.Key{Merchant: callback.Merchant, Number: callback.OrderNumber}

	storing, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	id, fresh, err := h.Ledger.StoreCallback(storing, callback, body, signature, h.Verifier)
	if err != nil {
		h.Log.Error("A callback could not be stored; the gateway will send it again", "order", key.String(), "error", err)
		return &refusal{CodeStore, "the callback could not be stored; send it again"}
	}
	if fresh && id != callback.Fingerprint() {
		h.Log.Error("The inbox has a row under the id of a callback, and the gateway has not signed it: somebody writes to the database. The callback is stored beside it",
			"order", key.String(), "callback", id, "row", callback.Fingerprint())
	}
	if !fresh {
		// The request that stored it also delivers it, or else the sweep does.
		h.Metrics.callback(codeDuplicate)
		return nil
	}
	h.Metrics.callback(codeAccepted)
	delivering, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	h.Deliverer.Deliver(delivering, id, key)
	return nil
}

func (h *handler) refuse(w http.ResponseWriter, refused *refusal) {
	h.Metrics.callback(refused.Code)
	h.Log.Debug("Callback refused", "code", refused.Code)
	text, err := json.Marshal(refused)
	if err != nil {
		text = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch refused.Code {
	case CodeStore:
		w.Header().Set("Retry-After", "5")
	case CodeBusy:
		w.Header().Set("Retry-After", "1")
		// The answer is sent before net/http reads the rest of the body. That read
		// gets a short deadline.
		w.Header().Set("Connection", "close")
		h.readUntil(w, time.Now().Add(time.Second))
	}
	w.WriteHeader(codes.ClassOf(refused.Code).HTTPStatus())
	_, _ = w.Write(text)
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}
