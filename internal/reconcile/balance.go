package reconcile

import (
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// feeShare is the largest part of a withdrawal that its fee is taken to be before
// the gateway tells: a tenth. No profile names a fee.
const feeShare = 10

// Balance says whether the gateway's balance and the books agree, whether open
// orders may explain the difference, or whether they cannot: it drifts. A
// withdrawal that was sent, is paid there and is open here makes the gateway
// poorer by its amount and its fee; a deposit makes it richer by its amount at
// most. Fees that were finer than is booked make it poorer by their rest, however
// much of it a person has booked by now.
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
