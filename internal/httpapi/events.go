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
		Description: "Every change of an order's state is an event, and every discrepancy that is opened or closed. " +
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
	Type     []string `query:"type" doc:"Any of these types, such as withdrawal.succeeded: an order's kind and its new state. Besides these, discrepancy.opened and discrepancy.closed."`
	From     string   `query:"from" doc:"Without a cursor: now, oldest, or a time (RFC 3339). Some events may be older than the time by a minute." default:"oldest" maxLength:"40"`
}

type eventsInput struct {
	EventChoice
	Wait string `query:"wait" doc:"How long to wait for an event, up to 60s." example:"30s" maxLength:"10"`
	PageInput
}

// cursor returns the cursor of the events of a choice. Where a reader began makes no
// difference.
func (c EventChoice) cursor() cursor {
	c.From = ""
	return newCursor("events", c)
}

type eventList struct {
	Events []payouts.Event `json:"events" nullable:"false"`
	Next   string          `json:"next" doc:"The cursor to ask with next; also there if there are no events now."`
	More   bool            `json:"more" doc:"There may be more at once."`
}

func (d *door) listEvents(ctx context.Context, caller Caller, input *eventsInput) (*answer[eventList], error) {
	patience, err := waiting(input.Wait)
	if err != nil {
		return nil, err
	}
	filter, cursor, err := d.eventFilter(ctx, caller, input.EventChoice, input.Cursor, input.Limit)
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
	page, err := d.Service.Events(ctx, caller.Actor, filter, patience)
	return &answer[eventList]{eventList{page.Events, cursor.write(page.Next), page.More}}, err
}

// eventFilter reads a choice and a cursor.
func (d *door) eventFilter(ctx context.Context, caller Caller, choice EventChoice, text string, limit int) (payouts.EventFilter, cursor, error) {
	merchants, refusal := caller.mine(choice.Merchant)
	if refusal != nil {
		return payouts.EventFilter{}, cursor{}, refusal
	}
	for _, kind := range choice.Type {
		if !payouts.KnownEventType(kind) {
			return payouts.EventFilter{}, cursor{}, invalid("type", "has no type %q", kind)
		}
	}
	filter, at := payouts.EventFilter{Merchants: merchants, Types: choice.Type, Limit: limit}, choice.cursor()
	if text != "" {
		return filter, at, at.read(text, &filter.After)
	}
	var err error
	switch choice.From {
	case "oldest":
	case "now":
		filter.After, err = d.Service.LastEventPlace(ctx, caller.Actor)
	default:
		begin, wrong := time.Parse(time.RFC3339, choice.From)
		if wrong != nil {
			return filter, at, invalid("from", "must be now, oldest, or a time such as 2026-12-01T09:00:00Z")
		}
		filter.After, err = d.Service.EventPlaceAt(ctx, caller.Actor, begin)
	}
	return filter, at, err
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
	filter, cursor, err := d.eventFilter(ctx, caller, input.EventChoice, input.Last, streamPage)
	if err != nil {
		return nil, err
	}
	first, err := d.Service.Events(ctx, caller.Actor, filter, 0) // a problem is not a stream
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
		stream := stream{d, caller, cursor, to.BodyWriter()}
		if err := stream.run(to.Context(), filter, first); err != nil {
			remember(to.Context(), err)
		}
	}}, nil
}

// stream writes events as messages.
type stream struct {
	door   *door
	caller Caller
	cursor cursor
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
			_, err = fmt.Fprintf(s.to, "id: %s\nevent: %s\ndata: %s\n\n", s.cursor.write(payouts.PlaceOf(event)), event.Type, text)
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
		if page, err = s.door.Service.Events(ctx, s.caller.Actor, filter, min(left, streamAlive)); err != nil {
			return err
		}
	}
}
