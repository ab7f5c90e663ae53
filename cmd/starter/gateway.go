package main

import (
	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// The commands of this group call the gateway directly, with the merchant's key.
// They never create an order. Only workflows create orders, because they record an
// attempt before they make it.

// callsGateway is the end of the help of every command of the group.
const callsGateway = `

The gateway is called directly, with the merchant's key: PAYOUTS_GATEWAY_URL and
PAYOUTS_KEY_DIR (or PAYOUTS_PRIVATE_KEYS) as for the worker.`

// callerFlags are the flags for the merchant of a gateway call.
type callerFlags struct{ merchant, country string }

func (s *starter) addCaller(cmd *cobra.Command, f *callerFlags) {
	cmd.Flags().StringVar(&f.merchant, "merchant", "", "merchant number; not needed when PAYOUTS_MERCHANTS has one of a country that has this call")
	cmd.Flags().StringVar(&f.country, "country", "", "two letters; not needed when PAYOUTS_MERCHANTS has the merchant")
	s.complete(cmd, "merchant", s.merchantNames)
	s.complete(cmd, "country", countryNames)
}

// caller finds the merchant of a gateway call. wrong is the problems of the other
// flags. The error is that of payouts.Call.
func (s *starter) caller(operation tarspay.Operation, flags callerFlags, wrong problems) (payouts.Call, error) {
	service, err := s.service()
	if err != nil {
		return payouts.Call{}, err
	}
	call, err := service.Call(s.self(), operation, payouts.Caller{Merchant: flags.merchant, Country: flags.country})
	if order.CodeOf(err) == payouts.CodeNoEndpoint {
		return call, err
	}
	wrong.merge(flagged(err))
	if len(wrong) > 0 {
		return payouts.Call{}, &order.Invalid{Problems: wrong}
	}
	return call, err
}

// acceptedCode is the gateway's code of success.
const acceptedCode = "0"
