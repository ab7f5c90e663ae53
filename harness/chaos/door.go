package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
	"github.com/tarspay-payouts/orchestrator/order"
)

// actor is who asks the HTTP door. Without a roster it takes everybody's word.
const actor = "chaos"

// door asks the HTTP door at an address.
type door struct{ address string }

// ask returns the body of a good answer. A refusal has the code of the answer. If the answer
// says nothing about the request, or there is none, the code is that of no answer.
func (d door) ask(ctx context.Context, method, path, media string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set(httpapi.ByHeader, actor)
	if media != "" {
		request.Header.Set("Content-Type", media)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, order.Refuse(client.CodeNoAnswer, "%v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, order.Refuse(client.CodeNoAnswer, "%v", err)
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated:
		return text, nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, order.Refuse(client.CodeNoAnswer, "%s: %s", answer.Status, text)
	}
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(text, &problem); err != nil {
		return nil, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil, order.Refuse(problem.Code, "%s: %s", answer.Status, problem.Detail)
}
