package reconcile

import (
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// feeShare is the divisor for the largest assumed fee of a withdrawal whose fee is
// not known yet: a tenth. No country's profile has the gateway's fees.
const feeShare = 10

// Balance says whether the gateway's balance and the books agree, whether open
// orders may explain the difference (Unsettled), or neither (Drifting). drift is
// the gateway's balance minus the books. withdrawals and deposits are the amounts
// of the open orders that were sent. feeRest is the unbooked fractions of fees in
// millionths of a minor unit. The other arguments are in minor units.
//
// An open withdrawal may lower the gateway's balance by its amount and its fee. An
// open deposit may raise it by its amount. The unbooked fractions lower it, too.
func Balance(drift, withdrawals, deposits, feeRest int64) order.Agreement {
	finer := (feeRest + money.Millionth - 1) / money.Millionth
	switch {
	case drift == 0, drift < 0 && drift >= -finer:
		return order.Agreed
	case drift < 0 && drift+withdrawals >= -(withdrawals/feeShare+finer): // neither sum can overflow
		return order.Unsettled
	case drift > 0 && drift <= deposits:
		return order.Unsettled
	}
	return order.Drifting
}
