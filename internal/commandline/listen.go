package commandline

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/tarspay-payouts/orchestrator/config"
)

// Codes of programs that cannot listen. They are stable.
const (
	CodeAddressInUse    = "ADDRESS_IN_USE"   // another program listens there
	CodeAddressUnusable = "ADDRESS_UNUSABLE" // this machine cannot listen there
)

// NotListening is the error for an address at which a program cannot listen. setting is
// the variable or the flag that has the address.
func NotListening(setting, address string, err error) error {
	problem := config.Problem{
		Variable: setting, Code: CodeAddressUnusable,
		Text: fmt.Sprintf("is %s, and this machine cannot listen there: %v; set %s to an address of this machine, with a port that this user may use", address, cause(err), setting),
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		problem.Code = CodeAddressInUse
		problem.Text = fmt.Sprintf("is %s, where another program listens already; stop it, or set %s to another address", address, setting)
	}
	return &config.Error{Problems: []config.Problem{problem}}
}

// cause returns a network error without the address, which the sentence has already.
func cause(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		return operation.Err
	}
	return err
}
