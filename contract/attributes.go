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

// SearchAttributes are what an order's workflow is started with.
func SearchAttributes(request order.Request) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(StartAttributes(request)...)
}

// StartAttributes are the same, each on its own.
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

// Summary is the one line that the workflow's page shows.
func Summary(request order.Request) string {
	return fmt.Sprintf("%s of %s, %s, %s", request.Kind, request.Amount, request.Country, request.Way)
}
