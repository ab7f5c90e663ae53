package reconcile

import (
	"bytes"
	"encoding/json"

	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// lie changes an answer of the gateway to a question about its history or a balance. An
// answer that has nothing to lie about stays as it is.
func (w *world) lie(answer []byte) []byte {
	var envelope map[string]json.RawMessage
	var data map[string]any
	reader := json.NewDecoder(bytes.NewReader(answer))
	if reader.Decode(&envelope) != nil || !decodeNumbers(envelope["data"], &data) {
		return answer
	}
	changed := false
	if merchant, _ := data["mchNo"].(string); w.lying(merchant) {
		data["availableAmount"], changed = "about 1000", true
	}
	records, _ := data["records"].([]any)
	for _, record := range records {
		r, _ := record.(map[string]any)
		if number, _ := r["mchOrderNo"].(string); w.lying(number) {
			r["state"], changed = int(tarspay.StateSucceeded), true
		}
	}
	if !changed {
		return answer
	}
	var err error
	if envelope["data"], err = json.Marshal(data); err != nil {
		return answer
	}
	lied, err := json.Marshal(envelope)
	if err != nil {
		return answer
	}
	return lied
}

// decodeNumbers reads JSON and keeps the digits of its numbers.
func decodeNumbers(text []byte, into any) bool {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	return reader.Decode(into) == nil
}
