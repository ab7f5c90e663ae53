// Package openapi tests docs/openapi.json with other people's tools: a validator, and a
// client that a generator makes of it. It is a module of its own, so that their many
// dependencies are nobody else's.
//
// Package generated is written by make, from docs/openapi.json.
package openapi
