package main

import (
	"errors"
	"io"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/order"
)

// faultsDocument is {"error":{…},"faults":[…],"count":…}.
type faultsDocument struct {
	Error  failure       `json:"error"`
	Faults []sheet.Fault `json:"faults"`
	Count  int           `json:"count"`
}

// fileFaults prints what is wrong with a file. It returns other errors unchanged.
func (s *starter) fileFaults(err error) error {
	var wrong *sheet.Faults
	if !errors.As(err, &wrong) {
		return err
	}
	document := faultsDocument{
		Error: failure{Failure: payouts.Failure{
			Code: wrong.Code, Message: "the file has " + count(wrong.Count, "fault", "faults") + "; nothing was sent", Problems: []order.Problem{},
		}, exit: exitOf(wrong.Code)},
		Faults: wrong.Faults, Count: wrong.Count,
	}
	s.show(document, func(io.Writer) {
		for _, fault := range wrong.Faults {
			printf(s.errs, "%s\n", printable(fault.String()))
		}
		if more := wrong.Count - len(wrong.Faults); more > 0 {
			printf(s.errs, "and %d more\n", more)
		}
		writeFailure(s.errs, document.Error)
	})
	return outcome(document.Error.exit)
}
