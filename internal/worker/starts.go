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

// Starts checks whether Temporal accepts a start with our search attributes. Each
// frontend of a server learns of new attributes with a delay of its own, and
// refuses starts until then.
type Starts struct {
	temporal counter
	log      *slog.Logger
	accepted atomic.Bool // once accepted, always accepted
	told     atomic.Bool
}

// counter is the part of Temporal's client that Starts needs.
type counter interface {
	CountWorkflow(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
}

// NewStarts returns a check of the client's namespace.
func NewStarts(temporal counter, log *slog.Logger) *Starts {
	return &Starts{temporal: temporal, log: log}
}

// inARow is the number of queries in a row that must succeed, because the client
// uses one frontend after the other.
const inARow = 10

// Try is the check for /readyz. It starts no workflow. It makes a visibility
// query, which a frontend checks against the same list of attributes as a start.
func (s *Starts) Try(ctx context.Context) error {
	if s.accepted.Load() {
		return nil
	}
	for range inARow {
		if err := s.ask(ctx); err != nil {
			if !s.told.Swap(true) {
				s.log.Warn("Temporal does not accept starts with our search attributes yet", "error", err)
			}
			return fmt.Errorf("query with our search attributes: %w", err)
		}
	}
	if !s.accepted.Swap(true) {
		s.log.Info("Temporal accepts starts with our search attributes")
	}
	return nil
}

func (s *Starts) ask(ctx context.Context) error {
	_, err := s.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: everyAttribute()})
	var denied *serviceerror.PermissionDenied
	var absent *serviceerror.Unimplemented
	if errors.As(err, &denied) || errors.As(err, &absent) {
		s.log.Warn("This client may not query whether Temporal accepts starts with our search attributes", "error", err)
		return nil
	}
	return err
}

// everyAttribute returns a query that uses each search attribute with a value of
// its type, and that matches no order.
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
