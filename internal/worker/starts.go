package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// Starts knows whether Temporal takes a start with our search attributes. A
// server hears of attributes some time after they were registered, each of its
// frontends for itself, and refuses starts until then.
type Starts struct {
	temporal counter
	log      *slog.Logger
	accepted atomic.Bool // once accepted, they stay so
	told     atomic.Bool
}

// counter is what is needed of Temporal's client.
type counter interface {
	CountWorkflow(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
}

// NewStarts makes a check of the namespace that the client was dialled with.
func NewStarts(temporal counter, log *slog.Logger) *Starts {
	return &Starts{temporal: temporal, log: log}
}

// inARow is how many questions in a row have to be understood: the client asks
// one frontend after the other.
const inARow = 10

// Try is the check for /readyz. It starts nothing: a query is read by the same
// lists of attributes as a start, in the same process of the server.
func (s *Starts) Try(ctx context.Context) error {
	if s.accepted.Load() {
		return nil
	}
	for range inARow {
		if err := s.ask(ctx); err != nil {
			if !s.told.Swap(true) {
				s.log.Warn("Temporal does not take starts with our search attributes yet", "error", err)
			}
			return fmt.Errorf("ask for our search attributes: %w", err)
		}
	}
	if !s.accepted.Swap(true) {
		s.log.Info("Temporal takes starts with our search attributes")
	}
	return nil
}

func (s *Starts) ask(ctx context.Context) error {
	_, err := s.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: everyAttribute()})
	var denied *serviceerror.PermissionDenied
	var absent *serviceerror.Unimplemented
	if errors.As(err, &denied) || errors.As(err, &absent) {
		s.log.Warn("Whether Temporal takes starts with our search attributes cannot be asked from here", "error", err)
		return nil
	}
	return err
}

// everyAttribute is a query that names each search attribute with a value of
// its type, and that no order fits.
func everyAttribute() string {
	var terms []string
	for name, kind := range wantedAttributes() {
		value := "'none'"
		switch kind {
		case enumspb.INDEXED_VALUE_TYPE_INT:
			value = "0"
		case enumspb.INDEXED_VALUE_TYPE_BOOL:
			value = "false"
		default: // keywords
		}
		terms = append(terms, name+" = "+value)
	}
	return strings.Join(terms, " AND ")
}
