package payouts

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Transactions is a merchant's ended transactions at the gateway, with and without
// an order of ours.
type Transactions struct {
	Merchant     string        `json:"merchant"`
	Transactions []Transaction `json:"transactions"`
	More         bool          `json:"more"` // there are more than the limit
}

// Transaction is a record of the history without personal data. Amounts are the
// gateway's text.
type Transaction struct {
	Kind        string        `json:"kind"`
	Number      string        `json:"number"`
	GatewayID   string        `json:"gateway_id"`
	State       tarspay.State `json:"state"`
	StateName   string        `json:"state_name"`
	Currency    string        `json:"currency"` // ISO; the gateway's own code if it is not the country's
	Ordered     string        `json:"ordered"`
	Moved       string        `json:"moved"`
	Fee         string        `json:"fee"`
	Way         string        `json:"way"`
	WayType     string        `json:"way_type"`
	CreatedAt   time.Time     `json:"created_at"`
	SucceededAt time.Time     `json:"succeeded_at,omitzero"`
}

// Transactions reads the gateway's history page by page up to the limit. The error
// is HISTORY_SHIFTED if the history changed meanwhile, so that records may be
// missing.
func (c Call) Transactions(ctx context.Context, request tarspay.HistoryRequest, limit int) (Transactions, error) {
	found := Transactions{Merchant: c.Merchant(), Transactions: []Transaction{}}
	for r, err := range c.HistoryAll(ctx, request) {
		if errors.Is(err, tarspay.ErrHistoryShifted) {
			return found, order.Refuse(CodeHistoryShifted, "the history changed while it was being read, and some of it may be missing; read again, with --until in the past")
		}
		if err != nil {
			return found, err
		}
		if len(found.Transactions) == limit {
			found.More = true
			break
		}
		found.Transactions = append(found.Transactions, Transaction{
			Kind: historyKindName(r.Kind), Number: r.OrderNumber, GatewayID: r.GatewayID, State: r.State, StateName: r.State.String(),
			Currency: c.iso(r.Currency), Ordered: r.OrderAmount, Moved: r.Amount, Fee: r.Fee, Way: r.Way, WayType: r.WayType,
			CreatedAt: r.CreatedAt, SucceededAt: r.SucceededAt,
		})
	}
	return found, nil
}

// iso returns the country's ISO currency for the gateway's code of it, and any
// other code unchanged.
func (c Call) iso(code string) string {
	if code == c.Profile.GatewayCurrency {
		return c.Profile.Currency
	}
	return code
}

// AccountMatches asks the gateway whether an account belongs to a name. The error
// is an *order.Invalid when the country has no such bank or wallet.
func (c Call) AccountMatches(ctx context.Context, request tarspay.AccountCheckRequest) (bool, error) {
	if _, known := c.Profile.Way(tarspay.DirectionWithdrawal, request.Way); !known {
		return false, &order.Invalid{Problems: []order.Problem{
			*problem(tarspay.ViolationBank, "way", "%s: no such bank or wallet: see starter banks --country %s", c.Profile.Name, c.Profile.Code),
		}}
	}
	check, err := c.CheckAccount(ctx, request)
	return check.Matches, err
}

// GatewayDeposit is a deposit as the gateway has it. Amounts are the gateway's text.
type GatewayDeposit struct {
	Merchant  string        `json:"merchant"`
	Number    string        `json:"number"`
	GatewayID string        `json:"gateway_id"`
	State     tarspay.State `json:"state"`
	StateName string        `json:"state_name"`
	Currency  string        `json:"currency"`
	Ordered   string        `json:"ordered"`
	Paid      string        `json:"paid,omitempty"` // only in states of paid deposits
	Fee       string        `json:"fee"`
}

// DepositOf returns the deposit of a PIX payment, by the payment's end-to-end id.
func (c Call) DepositOf(ctx context.Context, trxID string) (GatewayDeposit, error) {
	status, err := c.DepositByTrxID(ctx, trxID)
	if err != nil {
		return GatewayDeposit{}, err
	}
	d := GatewayDeposit{
		Merchant: c.Merchant(), Number: status.OrderNumber, GatewayID: status.GatewayID, State: status.State,
		StateName: status.State.String(), Currency: c.iso(status.Currency), Ordered: status.OrderAmount, Fee: status.Fee,
	}
	if status.State.Paid() {
		d.Paid = status.PayAmount
	}
	return d, nil
}

// historyKinds are the kinds of records by our names.
var historyKinds = map[string]tarspay.HistoryKind{
	"deposit":         tarspay.HistoryDeposit,
	"withdrawal":      tarspay.HistoryWithdrawal,
	"usdt-withdrawal": tarspay.HistoryUSDTWithdrawal, // the merchant's own
	"own-withdrawal":  tarspay.HistoryOwnWithdrawal,  // the merchant's own
}

// HistoryKinds lists the names of kinds of transactions.
func HistoryKinds() []string { return slices.Sorted(maps.Keys(historyKinds)) }

// HistoryKind returns the kind with a name, or HistoryAny for an unknown name.
func HistoryKind(name string) tarspay.HistoryKind { return historyKinds[name] }

func historyKindName(kind tarspay.HistoryKind) string {
	for name, known := range historyKinds {
		if known == kind {
			return name
		}
	}
	return "kind " + strconv.Itoa(int(kind))
}

// Payment is a payment without an order, as the gateway has it.
type Payment struct {
	Supplement string `json:"supplement"` // whether it can be assigned to an order: possible, impossible, unsupported or unknown
	Message    string `json:"message"`
	Amount     string `json:"amount"`
	UsedBy     string `json:"used_by,omitempty"` // the order that has used it already
}

// Payment asks the gateway about a payment. The UTR calls need its UTR and the
// order that it was for, the others its trxId.
func (c Call) Payment(ctx context.Context, operation tarspay.Operation, id, number string) (Payment, error) {
	query := func() (tarspay.Payment, error) { return c.QueryTrx(ctx, id) }
	if operation == tarspay.OperationUTRQuery {
		query = func() (tarspay.Payment, error) { return c.QueryUTR(ctx, id, number) }
	}
	found, err := query()
	name, known := supplements[found.Supplement]
	if !known {
		name = "unknown" // an undocumented number
	}
	return Payment{Supplement: name, Message: found.Message, Amount: found.Amount, UsedBy: found.UsedBy}, err
}

// supplements are the gateway's answers to whether a payment can be assigned to an
// order.
var supplements = map[tarspay.Supplement]string{
	tarspay.SupplementImpossible:  "impossible",
	tarspay.SupplementPossible:    "possible",
	tarspay.SupplementUnsupported: "unsupported",
}

// Supplement assigns a payment to its order at the gateway. The ledger then
// follows the order's state at the gateway. The error is GATEWAY_UNKNOWN if no
// answer came.
func (c Call) Supplement(ctx context.Context, operation tarspay.Operation, id, number string) (tarspay.SupplementResult, error) {
	if operation == tarspay.OperationUTRSupplement {
		return c.SupplementUTR(ctx, id, number)
	}
	return c.SupplementTrx(ctx, id, number)
}

// Submit sends the gateway the trxId of a deposit's payment, and returns the
// gateway's number of the deposit. If the reference has no gateway number, Submit
// queries it first.
func (c Call) Submit(ctx context.Context, trxID string, deposit tarspay.Reference) (gatewayID string, err error) {
	if deposit.GatewayID == "" {
		status, err := c.QueryDeposit(ctx, deposit)
		if err != nil {
			return "", err
		}
		deposit.GatewayID = status.GatewayID
	}
	return deposit.GatewayID, c.SubmitTrx(ctx, deposit.GatewayID, trxID)
}
