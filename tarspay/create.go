package tarspay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Paths of the creates (EN/159 and following).
const (
	PathCreateDeposit    = "/api/pay/unifiedOrder"
	PathCreateWithdrawal = "/api/payOut/unifiedOrder"
)

// CreateRequest is a request to create a deposit or a withdrawal. Empty members
// are not sent, because the signing rules could be read in two ways for them.
type CreateRequest struct {
	// OrderNumber is the merchant's own number (mchOrderNo), chosen once and
	// never changed. Its form is undocumented; at most 64 bytes here.
	OrderNumber string
	// Way is the gateway's wayCode.
	Way string
	// Amount is text as Profile.GatewayAmount writes it.
	Amount string
	// Currency is the gateway's code, not always the ISO one: "THA", "BRA".
	Currency string
	// NotifyURL is where callbacks go.
	NotifyURL string
	// ReturnURL is where the payer's browser goes afterwards; deposits only.
	ReturnURL string
	// Fields are all other members by the gateway's names, documented or not:
	// at most 50, each at most 1024 bytes of text without control characters.
	Fields map[string]string
}

// members returns the members of the body. It includes required members even if
// they are empty, so that the client refuses the request. It omits empty optional
// members.
func (r CreateRequest) members() (map[string]any, error) {
	members := map[string]any{
		"mchOrderNo": r.OrderNumber,
		"wayCode":    r.Way,
		"amount":     r.Amount,
		"currency":   r.Currency,
		"notifyUrl":  r.NotifyURL,
	}
	if r.ReturnURL != "" {
		members["returnUrl"] = r.ReturnURL
	}
	if len(r.Fields) > maxFields {
		return nil, fmt.Errorf("%w: more than %d fields", ErrRequest, maxFields)
	}
	for name, value := range r.Fields {
		if isCoreMember(name) {
			return nil, fmt.Errorf("%w: %s is set by CreateRequest itself and cannot be in Fields", ErrRequest, name)
		}
		if value != "" {
			members[name] = value
		}
	}
	return members, nil
}

var coreMembers = []string{"mchNo", "mchOrderNo", "wayCode", "amount", "currency", "notifyUrl", "returnUrl"}

// isCoreMember reports whether the member is set from the order itself.
func isCoreMember(name string) bool { return slices.Contains(coreMembers, name) }

// created reads the common members of both answers: the gateway's order number,
// without which an answer proves nothing, and the merchant's number.
func created(data json.RawMessage, orderNumber string) (*fields, string, string, error) {
	if data == nil {
		return nil, "", "", errors.New("accepted, but there is no data")
	}
	members, err := readObject(data)
	if err != nil {
		return nil, "", "", fmt.Errorf("data: %w", err)
	}
	f := &fields{members: members}
	gatewayID, echoed := f.text("payOrderId"), f.text("mchOrderNo")
	if f.err != nil {
		return nil, "", "", f.err
	}
	if gatewayID == "" || checkText(gatewayID, maxOrderNumberBytes) != nil {
		return nil, "", "", errors.New("accepted, but payOrderId is missing or unusable")
	}
	return f, gatewayID, echoed, match("mchOrderNo", orderNumber, echoed)
}
