package main

import (
	"crypto/subtle"
	"net/http"

	"github.com/rs/cors"
	"go.temporal.io/sdk/converter"

	"github.com/tarspay-payouts/orchestrator/codec"
)

// server decrypts payloads for the Temporal UI and its command line, which ask
// POST /decode and /encode. Pages of the allowed origins may ask, and with a
// token set only who sends it as "Authorization: Bearer …". Whoever is
// answered can read what orders hold: the way to it is the operator's to guard.
func server(c *codec.Codec, origins []string, token string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /", authorised(token, converter.NewPayloadCodecHTTPHandler(c)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"process":"up"}`)) // nobody left to tell
	})
	return cors.New(cors.Options{
		AllowedOrigins:   origins,
		AllowedMethods:   []string{http.MethodPost},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "X-Namespace"},
		AllowCredentials: true,
	}).Handler(mux)
}

// authorised lets in who knows the token.
func authorised(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
