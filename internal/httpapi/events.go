package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

func (d *door) registerEvents(api huma.API) {
	operation(api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"events"},
		Summary: "What has happened, the oldest first",
		Description: "Every change of an order's or a batch's state is an event, and every discrepancy that is opened, closed or reminded of. " +
			"Ask again with the member next as cursor: no event is left out, and none comes twice. With wait, answers as soon as there is one.",
	}, d.listEvents)
	operation(api, huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: "/v1/events/stream", Tags: []string{"events"},
		Summary: "The same as a stream of server-sent events",
		Description: "Each message has a cursor as id. The stream ends after a minute; go on with the last id in the header Last-Event-ID, " +
			"as a browser's EventSource does by itself.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The events.",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, d.streamEvents)
}

// EventChoice is the part of a query that selects events.
type EventChoice struct {
	Merchant string   `query:"merchant" doc:"Of this merchant; without it, of all that you act for." maxLength:"32"`
	Type     []string `query:"type" doc:"Any of these types, such as withdrawal.succeeded: an order's kind and its new state. Besides these, batch. and a batch's new state, discrepancy.opened, discrepancy.closed and discrepancy.reminder."`
	From     string   `query:"from" doc:"Without a cursor: now, oldest, or a time (RFC 3339). Some events may be older than the time by a minute." default:"oldest" maxLength:"40"`
}

type eventsInput struct {
	EventChoice
	Wait string `query:"wait" doc:"How long to wait for an event, up to 60s." example:"30s" maxLength:"10"`
	PageInput
}

type eventList struct {
	Events  []payouts.Event `json:"events" nullable:"false"`
	Cursors []string        `json:"cursors" nullable:"false" doc:"Of each event, the cursor to go on after it."`
	Next    string          `json:"next" doc:"The cursor to ask with next; also there if there are no events now."`
	More    bool            `json:"more" doc:"There may be more at once."`
}

func (d *door) listEvents(ctx context.Context, caller Caller, input *eventsInput) (*answer[eventList], error) {
	patience, err := waiting(input.Wait)
	if err != nil {
		return nil, err
	}
	filter, err := d.eventFilter(ctx, caller, input.EventChoice, input.Cursor, input.Limit)
	if err != nil {
		return nil, err
	}
	if patience > 0 {
		waited, err := d.wait(caller)
		if err != nil {
			return nil, err
		}
		defer waited()
	}
	page, err := caller.service.Events(ctx, caller.Actor, filter, patience)
	list := eventList{page.Events, []string{}, page.Next.String(), page.More}
	for _, event := range page.Events {
		list.Cursors = append(list.Cursors, payouts.PlaceOf(event).String())
	}
	return &answer[eventList]{list}, err
}

// eventFilter reads a choice and a cursor. A cursor of events is a place in the list of all
// events, so that it may be used with another choice.
func (d *door) eventFilter(ctx context.Context, caller Caller, choice EventChoice, cursor string, limit int) (payouts.EventFilter, error) {
	merchants, refusal := caller.mine(choice.Merchant)
	if refusal != nil {
		return payouts.EventFilter{}, refusal
	}
	for _, kind := range choice.Type {
		if !payouts.KnownEventType(kind) {
			return payouts.EventFilter{}, invalid("type", "has no type %q", kind)
		}
	}
	filter := payouts.EventFilter{Merchants: merchants, Types: choice.Type, Limit: limit}
	if cursor != "" {
		place, is := payouts.ReadEventPlace(cursor)
		if !is {
			return filter, foreignCursor()
		}
		filter.After = place
		return filter, nil
	}
	var err error
	switch choice.From {
	case "oldest":
	case "now":
		filter.After, err = caller.service.LastEventPlace(ctx, caller.Actor)
	default:
		if filter.Since, err = time.Parse(time.RFC3339, choice.From); err != nil {
			return filter, invalid("from", "must be now, oldest, or a time such as 2026-12-01T09:00:00Z")
		}
	}
	return filter, err
}

type streamInput struct {
	EventChoice
	Last string `header:"Last-Event-ID" doc:"The id of the last message: where to go on." maxLength:"500"`
}

// How long a stream lasts, and how often it says that it is alive.
const (
	streamTime  = maxWait
	streamAlive = 15 * time.Second
	streamPage  = 100
)

func (d *door) streamEvents(ctx context.Context, caller Caller, input *streamInput) (*huma.StreamResponse, error) {
	filter, err := d.eventFilter(ctx, caller, input.EventChoice, input.Last, streamPage)
	if err != nil {
		return nil, err
	}
	first, err := caller.service.Events(ctx, caller.Actor, filter, 0) // a problem is not a stream
	if err != nil {
		return nil, err
	}
	waited, err := d.wait(caller)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(to huma.Context) {
		defer waited()
		to.SetHeader("Content-Type", "text/event-stream")
		stream := stream{d, caller, to.BodyWriter()}
		if err := stream.run(to.Context(), filter, first); err != nil {
			remember(to.Context(), err)
		}
	}}, nil
}

// stream writes events as messages.
type stream struct {
	door   *door
	caller Caller
	to     io.Writer
}

// run writes events until the time is over. What it cannot read ends the stream: the
// caller asks again, and gets the problem.
func (s stream) run(ctx context.Context, filter payouts.EventFilter, page payouts.EventPage) error {
	until := time.Now().Add(streamTime)
	if _, err := fmt.Fprint(s.to, "retry: 1000\n\n"); err != nil {
		return nil //nolint:nilerr // the caller has gone away
	}
	for {
		for _, event := range page.Events {
			text, err := json.Marshal(event)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.to, "id: %s\nevent: %s\ndata: %s\n\n", payouts.PlaceOf(event), event.Type, text)
			if err != nil {
				return nil //nolint:nilerr // the caller has gone away
			}
		}
		if len(page.Events) == 0 {
			if _, err := fmt.Fprint(s.to, ": alive\n\n"); err != nil {
				return nil //nolint:nilerr // the caller has gone away
			}
		}
		if writer, is := s.to.(http.ResponseWriter); is {
			_ = http.NewResponseController(writer).Flush() // the next write tells
		}
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		filter.After = page.Next
		var err error
		if page, err = s.caller.service.Events(ctx, s.caller.Actor, filter, min(left, streamAlive)); err != nil {
			return err
		}
	}
}
