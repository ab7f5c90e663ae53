package contract

import (
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/tarspay-payouts/orchestrator/order"
)

// Search attributes of an order's workflow. They are never encrypted, so they
// hold no personal data. The worker registers them.
var (
	AttributeKind        = temporal.NewSearchAttributeKeyKeyword("PayoutKind")
	AttributeState       = temporal.NewSearchAttributeKeyKeyword("PayoutState")
	AttributeCountry     = temporal.NewSearchAttributeKeyKeyword("PayoutCountry")
	AttributeCurrency    = temporal.NewSearchAttributeKeyKeyword("PayoutCurrency")
	AttributeAmount      = temporal.NewSearchAttributeKeyInt64("PayoutAmount") // minor units
	AttributeMerchant    = temporal.NewSearchAttributeKeyKeyword("PayoutMerchant")
	AttributeGatewayID   = temporal.NewSearchAttributeKeyKeyword("PayoutGatewayID")
	AttributeNeedsReview = temporal.NewSearchAttributeKeyBool("PayoutNeedsReview")
)

// AllSearchAttributes returns all search attributes, which the namespace must have.
func AllSearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttributeKind, AttributeState, AttributeCountry, AttributeCurrency,
		AttributeAmount, AttributeMerchant, AttributeGatewayID, AttributeNeedsReview,
	}
}

// SearchAttributes returns the search attributes that an order's workflow is
// started with.
func SearchAttributes(request order.Request) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(StartAttributes(request)...)
}

// StartAttributes returns the same as a list of updates.
func StartAttributes(request order.Request) []temporal.SearchAttributeUpdate {
	return []temporal.SearchAttributeUpdate{
		AttributeKind.ValueSet(string(request.Kind)),
		AttributeState.ValueSet(string(order.Created)),
		AttributeCountry.ValueSet(request.Country),
		AttributeCurrency.ValueSet(request.Amount.Currency()),
		AttributeAmount.ValueSet(request.Amount.Minor()),
		AttributeMerchant.ValueSet(request.Merchant),
		AttributeNeedsReview.ValueSet(false),
	}
}

// Summary returns the line that the Temporal UI shows for an order's workflow.
func Summary(request order.Request) string {
	return fmt.Sprintf("%s of %s, %s, %s", request.Kind, request.Amount, request.Country, request.Way)
}
