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

// Transactions is what the gateway has of a merchant's transactions that have ended,
// orders of ours and others.
type Transactions struct {
	Merchant     string        `json:"merchant"`
	Transactions []Transaction `json:"transactions"`
	More         bool          `json:"more"` // there are more than the limit
}

// Transaction is a record of the history without the people in it. Amounts are the
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

// Transactions reads the gateway's history page by page up to the limit. HISTORY_SHIFTED
// says that it changed meanwhile, so that some of it may be missing.
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

// iso is the country's currency where the gateway means it by a code of its own, and the
// gateway's code otherwise.
func (c Call) iso(code string) string {
	if code == c.Profile.GatewayCurrency {
		return c.Profile.Currency
	}
	return code
}

// AccountMatches asks whether an account belongs to a name, before money is sent there.
// The error is an *order.Invalid when the country has no such bank or wallet.
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
	Paid      string        `json:"paid,omitempty"` // in states that mean so only
	Fee       string        `json:"fee"`
}

// DepositOf finds the deposit that a PIX payment belongs to by its end-to-end id.
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

// historyKinds are the kinds of records by the names they have here.
var historyKinds = map[string]tarspay.HistoryKind{
	"deposit":         tarspay.HistoryDeposit,
	"withdrawal":      tarspay.HistoryWithdrawal,
	"usdt-withdrawal": tarspay.HistoryUSDTWithdrawal, // the merchant's own
	"own-withdrawal":  tarspay.HistoryOwnWithdrawal,  // the merchant's own
}

// HistoryKinds lists the names of kinds of transactions.
func HistoryKinds() []string { return slices.Sorted(maps.Keys(historyKinds)) }

// HistoryKind is the kind of a name; HistoryAny for one that there is not.
func HistoryKind(name string) tarspay.HistoryKind { return historyKinds[name] }

func historyKindName(kind tarspay.HistoryKind) string {
	for name, known := range historyKinds {
		if known == kind {
			return name
		}
	}
	return "kind " + strconv.Itoa(int(kind))
}

// Payment is what the gateway knows of a payment that reached no order.
type Payment struct {
	Supplement string `json:"supplement"` // whether it can be put on an order: possible, impossible, unsupported or unknown
	Message    string `json:"message"`
	Amount     string `json:"amount"`
	UsedBy     string `json:"used_by,omitempty"` // the order that has used it already
}

// Payment asks about a payment by its trxId or, of the UTR calls, by its UTR together
// with the order that it was for.
func (c Call) Payment(ctx context.Context, operation tarspay.Operation, id, number string) (Payment, error) {
	query := func() (tarspay.Payment, error) { return c.QueryTrx(ctx, id) }
	if operation == tarspay.OperationUTRQuery {
		query = func() (tarspay.Payment, error) { return c.QueryUTR(ctx, id, number) }
	}
	found, err := query()
	name, known := supplements[found.Supplement]
	if !known {
		name = "unknown" // a number that no page has
	}
	return Payment{Supplement: name, Message: found.Message, Amount: found.Amount, UsedBy: found.UsedBy}, err
}

// supplements are the gateway's answers to whether a payment can be put on an order.
var supplements = map[tarspay.Supplement]string{
	tarspay.SupplementImpossible:  "impossible",
	tarspay.SupplementPossible:    "possible",
	tarspay.SupplementUnsupported: "unsupported",
}

// Supplement puts a payment on the order that it was for. The books follow what the
// gateway then says of the order. GATEWAY_UNKNOWN says that its answer did not come.
func (c Call) Supplement(ctx context.Context, operation tarspay.Operation, id, number string) (tarspay.SupplementResult, error) {
	if operation == tarspay.OperationUTRSupplement {
		return c.SupplementUTR(ctx, id, number)
	}
	return c.SupplementTrx(ctx, id, number)
}

// Submit tells the gateway the trxId that the deposit was paid with, and returns the
// gateway's number of the deposit. Without that number it is asked for first.
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
