package order

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const schemaFile = "../docs/order.schema.json"

// schema is the JSON schema of what an order's workflow is started with. The
// members are those of Request; a member that it gains and that is not described
// here stops the test.
func schema(t *testing.T) map[string]any {
	t.Helper()
	text := func(about string, more map[string]any) map[string]any {
		member := map[string]any{"type": "string", "description": about}
		for name, value := range more {
			member[name] = value
		}
		return member
	}
	optional := func(member map[string]any) map[string]any {
		member["type"] = []string{member["type"].(string), "null"}
		return member
	}
	described := map[string]map[string]any{
		"kind":     {"enum": []any{"deposit", "withdrawal", nil}, "description": "May be left out: the workflow's type says it."},
		"merchant": text("The gateway's merchant number (mchNo).", map[string]any{"pattern": merchantForm.String()}),
		"number":   text("The merchant's order number (mchOrderNo), chosen once.", map[string]any{"pattern": numberForm.String()}),
		"country":  text("ISO 3166 alpha-2.", map[string]any{"pattern": "^[A-Z]{2}$"}),
		"way":      text("The gateway's wayCode: method, wallet or bank (starter ways).", map[string]any{"minLength": 1}),
		"amount": {
			"type": "object", "description": "In the country's ISO 4217 currency, with at most its decimals.",
			"required": []string{"currency", "value"}, "additionalProperties": false,
			"properties": map[string]any{
				"value":    map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?$`, "description": "A text such as 1500, never a number. In most countries the gateway takes no decimals."},
				"currency": map[string]any{"type": "string", "pattern": "^[A-Z]{3}$"},
			},
		},
		"details": optional(map[string]any{
			"type": "object", "description": "The country's own members by the names that the gateway documents, for example customerName. Personal data.",
			"maxProperties": maxDetails, "additionalProperties": map[string]any{"type": []string{"string", "null"}},
		}),
		"return_url": optional(text("Where the payer's browser goes after paying. Deposits only.", map[string]any{"maxLength": maxURL})),
		"not_before": optional(text("When the order is sent at the earliest, RFC 3339; at most a year ahead. Without it, and if it has passed: at once.", map[string]any{
			"pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`, "format": "date-time",
		})),
		"metadata": optional(map[string]any{
			"type": "object", "description": "The caller's own: stored and shown with the order, and lists are filtered by it. The gateway never sees it. An entry without a value is none.",
			"maxProperties": maxMetadata, "propertyNames": map[string]any{"pattern": metadataKey.String()},
			"additionalProperties": map[string]any{"type": []string{"string", "null"}, "maxLength": maxMetadataValue},
		}),
		"requested_by": optional(text("The person or system that asks. Not part of the order's content.", map[string]any{"maxLength": MaxName})),
		"proof": optional(map[string]any{
			"type": "object", "description": "The requester's signature of the start, for an installation with a roster: see docs/security.md. Not part of the order's content.",
			"required": []string{"envelope", "signature"}, "additionalProperties": false,
			"properties": map[string]any{
				"envelope":  map[string]any{"type": "object", "description": "The envelope of the start."},
				"signature": map[string]any{"type": "string", "description": "An armored SSH signature, or ed25519:ID:BASE64, of the envelope's canonical bytes."},
			},
		}),
	}
	var required []string
	properties := make(map[string]any)
	for i := range reflect.TypeFor[Request]().NumField() {
		tag, options, _ := strings.Cut(reflect.TypeFor[Request]().Field(i).Tag.Get("json"), ",")
		require.Contains(t, described, tag, "describe the member in the schema")
		properties[tag] = described[tag]
		if options == "" && tag != "kind" {
			required = append(required, tag)
		}
	}
	require.Len(t, properties, len(described))
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
		"description": "The one argument of the workflows Deposit and Withdrawal, as json/plain. The workflow's id is order:<merchant>:<number>, its task queue payouts; it has no timeouts. No member may be there twice.",
		"type":        "object", "required": required, "additionalProperties": false, "properties": properties,
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	var wanted bytes.Buffer
	encoder := json.NewEncoder(&wanted)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(schema(t)))
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, wanted.Bytes(), 0o600))
	}
	published, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	require.Equal(t, wanted.String(), string(published), "docs/order.schema.json differs from the code: run go test ./order -run TestSchema -update")
}

// What the schema takes the workflow reads, and what the workflow cannot read the
// schema refuses, but for what no schema can see: members that are there twice,
// and bytes that are not UTF-8.
func TestTheSchemaSaysWhatIsRead(t *testing.T) {
	t.Parallel()
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile)
	require.NoError(t, err)
	const whole = `{"merchant":"M1700000001","number":"W-1","country":"PK","way":"easypaisa","amount":{"value":"1500.00","currency":"PKR"}`
	for text, good := range map[string]bool{
		whole + `}`: true,
		whole + `,"kind":"withdrawal","details":{"customerName":"Zoë"},"return_url":null,"requested_by":"erp"}`: true,
		whole + `,"kind":null,"details":null}`:                                          true,
		whole + `,"details":{"customerName":null}}`:                                     true,
		whole + `,"proof":{"envelope":{"by":"erp"},"signature":"ed25519:a:b"}}`:         true,
		whole + `,"proof":{"envelope":{},"signature":"s","more":1}}`:                    false,
		whole + `,"beneficiary":"x"}`:                                                   false,
		whole + `,"Kind":"withdrawal"}`:                                                 false,
		whole + `,"details":[]}`:                                                        false,
		whole + `,"details":{"customerName":5}}`:                                        false,
		whole + `,"metadata":{"cost.center":"4711","run":null}}`:                        true,
		whole + `,"not_before":"2026-12-24T09:00:00.5+05:00"}`:                          true,
		whole + `,"not_before":null}`:                                                   true,
		whole + `,"not_before":"2026-12-24"}`:                                           false,
		whole + `,"not_before":1766566800}`:                                             false,
		whole + `,"metadata":{"run":5}}`:                                                false,
		whole + `,"metadata":["run"]}`:                                                  false,
		whole + `,"requested_by":7}`:                                                    false,
		strings.Replace(whole, `{"value":"1500.00","currency":"PKR"}`, `1500`, 1) + `}`: false,
		strings.Replace(whole, `"1500.00"`, `1500`, 1) + `}`:                            false,
		strings.Replace(whole, `"1500.00"`, `"1,500"`, 1) + `}`:                         false,
		strings.Replace(whole, `"PKR"}`, `"PKR","unit":"x"}`, 1) + `}`:                  false,
		strings.Replace(whole, `"way":"easypaisa"`, `"way":["easypaisa"]`, 1) + `}`:     false,
		`[]`: false, `null`: false, `"text"`: false, `1500`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, good, compiled.Validate(value) == nil, text)
		var request Request
		require.Equal(t, good, Read([]byte(text), &request) == nil, text)
	}
}

// update is whether to write docs/order.schema.json.
var update = flag.Bool("update", false, "write docs/order.schema.json")
