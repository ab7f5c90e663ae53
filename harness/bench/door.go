package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/tarspay-payouts/orchestrator/internal/httpapi"
)

// actor is who asks the HTTP door. Without a roster it takes everybody's word.
const actor = "bench"

// ask sends a request to the HTTP door and reads the answer. A status of 300 or above is an
// error.
func (r *rig) ask(ctx context.Context, method, path, media string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, r.stack.Addresses.API+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set(httpapi.ByHeader, actor)
	request.Header.Set("Content-Type", media)
	answer, err := r.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// askJSON posts JSON to the HTTP door.
func (r *rig) askJSON(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return r.ask(ctx, http.MethodPost, path, "application/json", text, into)
}
