package tarspay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// order is a valid create with personal values planted in it.
var order = CreateRequest{
	OrderNumber: "ORDER-1", Way: "jazzcash", Amount: "1500", Currency: "PKR",
	NotifyURL: "https://merchant.example/notify",
	Fields:    map[string]string{"customerName": planted[0], "customerContact": planted[1], "customerEmail": planted[2], "empty": ""},
}

var planted = []string{"Ayesha Malik", "03001234567", "ayesha.malik@mail.example"}

const merchant = "M1696154848"

// client talks to a server that answers with the handler.
func newTestClient(t testing.TB, handler http.Handler, options Options) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClientFor(t, server.URL, options)
}

func newClientFor(t testing.TB, url string, options Options) *Client {
	t.Helper()
	client, err := NewClient(url, merchant, newSigner(t), options)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	return client
}

// answer is a handler that says the same to everything.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain") // never trusted
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	var failed *Error
	require.ErrorAs(t, err, &failed)
	return failed
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	at := time.UnixMilli(1704182130212)
	var seen *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"code":0,"data":{"payOrderId":"P1","mchOrderNo":"ORDER-1"}}`)
	}))
	t.Cleanup(server.Close)
	client, err := NewClient(server.URL+"/", merchant, signer, Options{Clock: func() time.Time { return at }})
	require.NoError(t, err)
	require.Equal(t, merchant, client.Merchant())

	withReturn := order
	withReturn.ReturnURL = "https://merchant.example/#/done?a=1&b=<2>"
	_, err = client.CreateDeposit(t.Context(), withReturn)
	require.NoError(t, err)

	require.Equal(t, http.MethodPost, seen.Method)
	require.Equal(t, "/api/pay/unifiedOrder", seen.URL.RequestURI())
	require.Equal(t, "application/json;charset=utf-8", seen.Header.Get("Content-Type"))
	require.Equal(t, signer.PublicKey(), seen.Header.Get("X-API-KEY"))
	require.Equal(t, "1704182130212", seen.Header.Get("X-API-NONCE"))
	var sent map[string]string
	require.NoError(t, json.Unmarshal(body, &sent))
	require.Equal(t, map[string]string{
		"mchNo": merchant, "mchOrderNo": "ORDER-1", "wayCode": "jazzcash", "amount": "1500", "currency": "PKR",
		"notifyUrl": "https://merchant.example/notify", "returnUrl": withReturn.ReturnURL,
		"customerName": planted[0], "customerContact": planted[1], "customerEmail": planted[2],
	}, sent, "empty members are left out")
	signed := "POST|/api/pay/unifiedOrder|1704182130212|amount=1500&currency=PKR&customerContact=03001234567" +
		"&customerEmail=ayesha.malik@mail.example&customerName=Ayesha Malik&mchNo=M1696154848&mchOrderNo=ORDER-1" +
		"&notifyUrl=https://merchant.example/notify&returnUrl=https://merchant.example/#/done?a=1&b=<2>&wayCode=jazzcash"
	require.NoError(t, newVerifier(t, signer.PublicKey()).Verify([]byte(signed), seen.Header.Get("X-API-SIGNATURE")))
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	signer := newSigner(t)
	for _, url := range []string{
		"", "gateway.example", "ftp://gateway.example", "https://", "http://gateway.example", "http://10.0.0.1:80",
		"https://user:secret@gateway.example", "https://gateway.example/prefix", "https://gateway.example?x=1", "https://gateway.example#x", "https://[::1", "\x7f",
	} {
		_, err := NewClient(url, merchant, signer, Options{})
		require.Error(t, err, "%q", url)
		require.NotContains(t, err.Error(), "secret")
	}
	for _, url := range []string{ProductionURL, "https://gateway.example:8443/", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"} {
		_, err := NewClient(url, merchant, signer, Options{})
		require.NoError(t, err, "%q", url)
	}
	_, err := NewClient("http://gateway.example", merchant, signer, Options{AllowPlainHTTP: true})
	require.NoError(t, err)
	for _, number := range []string{"", "M 1", "M&1", strings.Repeat("M", 65)} {
		_, err := NewClient(ProductionURL, number, signer, Options{})
		require.Error(t, err, "%q", number)
	}
	_, err = NewClient(ProductionURL, merchant, nil, Options{})
	require.Error(t, err)
	for _, options := range []Options{{Timeout: -1}, {MaxResponseBytes: -1}, {AccountCheckPath: "api/x"}, {UTRSupplementPath: "/api?x"}} {
		_, err := NewClient(ProductionURL, merchant, signer, options)
		require.Error(t, err, "%+v", options)
	}
}

// Every answer that is not a clear one, and what it proves.
func TestAnswers(t *testing.T) {
	t.Parallel()
	type outcome struct {
		class   Class
		unknown bool
	}
	lost, broken := outcome{ClassUnavailable, true}, outcome{ClassProtocol, true}
	tests := []struct {
		name     string
		status   int
		body     string
		create   outcome
		query    Class
		wantCode string
	}{
		{"rejected", 200, `{"code":5003001,"msg":"missing","data":null}`, outcome{ClassRejected, false}, ClassRejected, "5003001"},
		{"rejected, short spelling", 200, `{"code":500321,"msg":"amount"}`, outcome{ClassRejected, false}, ClassRejected, "500321"},
		{"balance short", 200, `{"code":5004006,"data":null}`, outcome{ClassRejected, false}, ClassUnavailable, "5004006"},
		{"duplicate", 200, `{"code":5003011,"data":null}`, outcome{ClassDuplicate, false}, ClassProtocol, "5003011"},
		{"system error", 200, `{"code":-1,"msg":"system error","data":null}`, outcome{ClassAmbiguous, true}, ClassUnavailable, "-1"},
		{"two meanings", 200, `{"code":5003010,"data":null}`, outcome{ClassAmbiguous, true}, ClassUnavailable, "5003010"},
		{"query failed", 200, `{"code":5003020,"data":null}`, outcome{ClassAmbiguous, true}, ClassUnavailable, "5003020"},
		{"unknown code", 200, `{"code":7,"data":null}`, outcome{ClassAmbiguous, true}, ClassUnavailable, "7"},
		{"key expired", 200, `{"code":5003006,"data":null}`, outcome{ClassAuth, false}, ClassAuth, "5003006"},
		{"wrong sign is not looked at", 200, `{"code":5003007,"sign":"3000"}`, outcome{ClassAuth, false}, ClassAuth, "5003007"},
		{"no data", 200, `{"code":0,"msg":"SUCCESS","data":null}`, broken, ClassNotFound, "0"},
		{"data absent", 200, `{"code":0,"msg":"SUCCESS"}`, broken, ClassNotFound, "0"},
		{"data empty", 200, `{"code":0,"data":{}}`, broken, ClassProtocol, "0"},
		{"data of another kind", 200, `{"code":0,"data":"P1"}`, broken, ClassProtocol, "0"},
		{"data is a list", 200, `{"code":0,"data":[]}`, broken, ClassProtocol, "0"},
		{"another order", 200, `{"code":0,"data":{"payOrderId":"P1","mchOrderNo":"ORDER-2","state":2}}`, broken, ClassProtocol, "0"},
		{"another order, by other letters", 200, `{"code":0,"data":{"payOrderId":"P1","mchOrderNo":"order-1","state":2}}`, broken, ClassProtocol, "0"},
		{"a refusal with status 400", 400, `{"code":5003001,"data":null}`, broken, ClassProtocol, "5003001"},
		{"a refusal with status 403", 403, `{"code":5003007,"data":null}`, broken, ClassProtocol, "5003007"},
		{"success with status 201", 201, `{"code":0,"data":{"payOrderId":"P1","state":2}}`, broken, ClassProtocol, "0"},
		{"not found page", 404, `<html>404</html>`, broken, ClassProtocol, ""},
		{"429", 429, `{"code":5003001}`, outcome{ClassRateLimited, true}, ClassRateLimited, "5003001"},
		{"429 page", 429, `slow down`, outcome{ClassRateLimited, true}, ClassRateLimited, ""},
		{"500", 500, ``, lost, ClassUnavailable, ""},
		{"502 page", 502, `<html>Bad Gateway</html>`, lost, ClassUnavailable, ""},
		{"503 with a refusal", 503, `{"code":5003001}`, lost, ClassUnavailable, "5003001"},
		{"500 with a success", 500, `{"code":0,"data":{"payOrderId":"P1","state":2}}`, lost, ClassUnavailable, "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newTestClient(t, answer(test.status, test.body), Options{})
			_, err := client.CreateWithdrawal(t.Context(), order)
			failed := asError(t, err)
			got := outcome{failed.Class, failed.OutcomeUnknown()}
			require.Equal(t, test.create, got, "%s", err)
			require.Equal(t, OperationCreateWithdrawal, failed.Operation)
			require.Equal(t, test.wantCode, failed.Code)
			require.Equal(t, test.status, failed.HTTPStatus)
			require.False(t, failed.NotSent)

			_, err = client.QueryWithdrawal(t.Context(), Reference{OrderNumber: "ORDER-1"})
			failed = asError(t, err)
			require.Equal(t, test.query, failed.Class, "%s", err)
			require.False(t, failed.OutcomeUnknown())
			require.Equal(t, OperationQueryWithdrawal, failed.Operation)
		})
	}
}

func TestBrokenEnvelopesAreProtocolErrors(t *testing.T) {
	t.Parallel()
	for name, body := range brokenEnvelopes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newTestClient(t, answer(200, body), Options{})
			_, err := client.CreateWithdrawal(t.Context(), order)
			failed := asError(t, err)
			require.Equal(t, ClassProtocol, failed.Class)
			require.True(t, failed.OutcomeUnknown())
			_, err = client.Balance(t.Context())
			require.Equal(t, ClassProtocol, ClassOf(err))
		})
	}
}

// A connection that breaks, stalls or never ends.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	hijack := func(w http.ResponseWriter) net.Conn {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		return connection
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		options Options
		want    Class
		is      error
	}{
		{"closed without an answer", func(w http.ResponseWriter, _ *http.Request) { _ = hijack(w).Close() }, Options{}, ClassUnavailable, io.EOF},
		{"reset before the answer", func(w http.ResponseWriter, _ *http.Request) {
			connection := hijack(w)
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		}, Options{}, ClassUnavailable, nil},
		{"reset in the middle of the answer", func(w http.ResponseWriter, _ *http.Request) {
			connection := hijack(w)
			_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"code\":0,\"data\":{\"payOrderId\":\"P1\"")
			_ = connection.Close()
		}, Options{}, ClassUnavailable, io.ErrUnexpectedEOF},
		{"not HTTP", func(w http.ResponseWriter, _ *http.Request) {
			connection := hijack(w)
			_, _ = io.WriteString(connection, "SSH-2.0-OpenSSH "+planted[0]+"\r\n\r\n")
			_ = connection.Close()
		}, Options{}, ClassUnavailable, nil},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, Options{Timeout: 50 * time.Millisecond}, ClassUnavailable, context.DeadlineExceeded},
		{"slow in the middle", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"code":0,`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, Options{Timeout: 50 * time.Millisecond}, ClassUnavailable, context.DeadlineExceeded},
		{"10 MB", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"code":0,"data":{"payOrderId":"P1","x":"`)
			_, _ = w.Write(bytes.Repeat([]byte("x"), 10<<20))
			_, _ = io.WriteString(w, `"}}`)
		}, Options{}, ClassProtocol, nil},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
					return
				}
			}
		}, Options{}, ClassProtocol, nil},
		{"one byte above a limit", answer(200, `{"code":0,"data":{"payOrderId":"P1"}}`), Options{MaxResponseBytes: 36}, ClassProtocol, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newTestClient(t, test.handler, test.options)
			_, err := client.CreateWithdrawal(t.Context(), order)
			failed := asError(t, err)
			require.Equal(t, test.want, failed.Class, "%s", err)
			require.True(t, failed.OutcomeUnknown())
			require.False(t, failed.NotSent)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			for _, secret := range planted {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestLimitOfTheAnswerIsExact(t *testing.T) {
	t.Parallel()
	client := newTestClient(t, answer(200, `{"code":0,"data":{"payOrderId":"P1"}}`), Options{MaxResponseBytes: 37})
	_, err := client.CreateWithdrawal(t.Context(), order)
	require.NoError(t, err)
}

// quiet is for servers whose handshakes are meant to fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func TestNotSentIsTrueWhereNothingLeft(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())

	untrusted := httptest.NewUnstartedServer(answer(200, `{"code":0}`))
	untrusted.Config.ErrorLog = quiet()
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	old := httptest.NewUnstartedServer(answer(200, `{"code":0}`))
	old.Config.ErrorLog = quiet()
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)

	nameless := newTransport()
	nameless.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "gateway.example", IsNotFound: true}
	}
	stuck := newTransport()
	stuck.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name    string
		url     string
		ctx     context.Context
		options Options
		is      error
		text    string
	}{
		{"refused connection", closed, t.Context(), Options{}, syscall.ECONNREFUSED, "connection refused by " + strings.TrimPrefix(closed, "http://")},
		{"unknown host", "http://127.0.0.1", t.Context(), Options{Transport: nameless}, nil, "host name not resolved"},
		{"no connection in time", "http://127.0.0.1", t.Context(), Options{Transport: stuck, Timeout: time.Millisecond}, context.DeadlineExceeded, "time limit"},
		{"untrusted certificate", untrusted.URL, t.Context(), Options{}, nil, "certificate is not accepted"},
		{"TLS 1.1", old.URL, t.Context(), Options{}, nil, ""},
		{"context done before", ProductionURL, done, Options{}, context.Canceled, "cancelled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClientFor(t, test.url, test.options).CreateWithdrawal(test.ctx, order)
			failed := asError(t, err)
			require.Equal(t, ClassUnavailable, failed.Class)
			require.True(t, failed.NotSent, "%s", err)
			require.False(t, failed.OutcomeUnknown())
			require.Zero(t, failed.HTTPStatus)
			require.Contains(t, err.Error(), test.text)
			require.Contains(t, err.Error(), "nothing was sent")
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
}

// roundTripper is a transport that reports nothing to httptrace.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNotSentIsNotClaimedWithoutEvidence(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	client := newClientFor(t, ProductionURL, Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, refused })})
	_, err := client.CreateWithdrawal(t.Context(), order)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.True(t, asError(t, err).OutcomeUnknown(), "this transport may have sent it before it failed")
}

// net/http repeats a request by itself only if it can rewind the body or finds
// an idempotency key.
func TestRequestsCannotBeRepeatedByTheTransport(t *testing.T) {
	t.Parallel()
	client := newClientFor(t, ProductionURL, Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		require.Nil(t, r.GetBody)
		require.Empty(t, r.Header.Values("Idempotency-Key"))
		require.Empty(t, r.Header.Values("X-Idempotency-Key"))
		return nil, io.EOF
	})})
	_, err := client.CreateWithdrawal(t.Context(), order)
	require.ErrorIs(t, err, io.EOF)
}

// A server that answers once and then closes the connection under the second
// request: that request must go out once, on no other connection, and count as
// unknown.
func TestStaleConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var requests, connections atomic.Int32
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			reader := bufio.NewReader(connection)
			for i := range 2 {
				request, err := http.ReadRequest(reader)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, request.Body)
				requests.Add(1)
				if i == 0 {
					body := `{"code":0,"data":{"payOrderId":"P1"}}`
					_, _ = fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				}
			}
			_ = connection.Close()
		}
	}()
	client := newClientFor(t, "http://"+listener.Addr().String(), Options{})
	_, err = client.CreateWithdrawal(t.Context(), order)
	require.NoError(t, err)
	_, err = client.CreateWithdrawal(t.Context(), order)
	failed := asError(t, err)
	require.Equal(t, ClassUnavailable, failed.Class)
	require.True(t, failed.OutcomeUnknown())
	require.Equal(t, int32(2), requests.Load())
	require.Equal(t, int32(1), connections.Load())
}

func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := newTestClient(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}), Options{})
	_, err := client.CreateWithdrawal(ctx, order)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, asError(t, err).OutcomeUnknown(), "the request had left")
}

func TestRedirectIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var elsewhere atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
		client := newTestClient(t, http.RedirectHandler(other.URL, status), Options{})
		_, err := client.CreateWithdrawal(t.Context(), order)
		failed := asError(t, err)
		require.Equal(t, ClassProtocol, failed.Class)
		require.Equal(t, status, failed.HTTPStatus)
		require.True(t, failed.OutcomeUnknown())
		require.Zero(t, elsewhere.Load())
		other.Close()
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(answer(200, `{"code":0,"data":{"availableAmount":"1","frozenAmount":"0"}}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newClientFor(t, server.URL, Options{})
	for range 20 {
		_, err := client.Balance(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, int32(1), connections.Load())
}

func TestTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	var protocolSeen atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocolSeen.Store(r.Proto)
		_, _ = io.WriteString(w, `{"code":0,"data":{"availableAmount":"1","frozenAmount":"0"}}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := newTransport()
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	require.Equal(t, uint16(tls.VersionTLS12), transport.TLSClientConfig.MinVersion)
	client := newClientFor(t, server.URL, Options{Transport: transport})
	_, err := client.Balance(t.Context())
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", protocolSeen.Load())
}

func TestNotFoundCodes(t *testing.T) {
	t.Parallel()
	handler := answer(200, `{"code":5003099,"data":null}`)
	plain := newTestClient(t, handler, Options{})
	_, err := plain.QueryDeposit(t.Context(), Reference{OrderNumber: "A"})
	require.Equal(t, ClassUnavailable, ClassOf(err))

	told := newTestClient(t, handler, Options{NotFoundCodes: []string{"1", "5003099"}})
	_, err = told.QueryDeposit(t.Context(), Reference{OrderNumber: "A"})
	require.Equal(t, ClassNotFound, ClassOf(err))
	_, err = told.CreateDeposit(t.Context(), order)
	require.Equal(t, ClassAmbiguous, ClassOf(err), "on a create the code proves nothing")
}

func TestRequestsRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	client := newTestClient(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }), Options{})
	many := make(map[string]string)
	for i := range 51 {
		many[fmt.Sprintf("f%d", i)] = "x"
	}
	tests := map[string]func(*CreateRequest){
		"no order number":      func(r *CreateRequest) { r.OrderNumber = "" },
		"no way":               func(r *CreateRequest) { r.Way = "" },
		"no amount":            func(r *CreateRequest) { r.Amount = "" },
		"no currency":          func(r *CreateRequest) { r.Currency = "" },
		"no notify URL":        func(r *CreateRequest) { r.NotifyURL = "" },
		"long order number":    func(r *CreateRequest) { r.OrderNumber = strings.Repeat("9", 65) },
		"line break":           func(r *CreateRequest) { r.OrderNumber = "a\nb" },
		"reserved field":       func(r *CreateRequest) { r.Fields = map[string]string{"mchNo": "M2"} },
		"reserved empty field": func(r *CreateRequest) { r.Fields = map[string]string{"amount": ""} },
		"field name":           func(r *CreateRequest) { r.Fields = map[string]string{"a&b": planted[0]} },
		"long field name":      func(r *CreateRequest) { r.Fields = map[string]string{strings.Repeat("a", 65): planted[0]} },
		"long field":           func(r *CreateRequest) { r.Fields = map[string]string{"a": strings.Repeat(planted[0], 100)} },
		"control character":    func(r *CreateRequest) { r.Fields = map[string]string{"a": planted[0] + "\x00"} },
		"not UTF-8":            func(r *CreateRequest) { r.Fields = map[string]string{"a": planted[0] + "\xff"} },
		"too many fields":      func(r *CreateRequest) { r.Fields = many },
	}
	for name, change := range tests {
		changed := order
		change(&changed)
		for _, create := range []func() error{
			func() error { _, err := client.CreateDeposit(t.Context(), changed); return err },
			func() error { _, err := client.CreateWithdrawal(t.Context(), changed); return err },
		} {
			failed := asError(t, create())
			require.Equal(t, ClassRejected, failed.Class, name)
			require.True(t, failed.NotSent, name)
			require.False(t, failed.OutcomeUnknown(), name)
			require.True(t, errors.Is(failed, ErrRequest) || errors.Is(failed, ErrUnsignable), "%s: %s", name, failed)
			require.NotContains(t, failed.Error(), planted[0], name)
		}
	}
	_, err := client.QueryDeposit(t.Context(), Reference{})
	require.ErrorIs(t, err, ErrRequest)
	require.True(t, asError(t, err).NotSent)
	require.Zero(t, calls.Load())
}

// A gateway that sends back everything it got, in every way that ends in an
// error: nothing personal, no signature and no signed string may come out.
func TestErrorsNeverRepeatWhatWasSent(t *testing.T) {
	t.Parallel()
	var signature atomic.Value
	echo := func(status int, wrap func(string) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			signature.Store(r.Header.Get(HeaderSignature))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, wrap(string(body)))
		}
	}
	asMessage := func(code int) func(string) string {
		return func(body string) string {
			text, _ := json.Marshal("invalid: " + body + " of " + strings.Join(planted, ","))
			return fmt.Sprintf(`{"code":%d,"msg":%s,"data":null}`, code, text)
		}
	}
	same := func(body string) string { return body }
	handlers := map[string]http.HandlerFunc{
		"as a message":           echo(200, asMessage(5003001)),
		"as an ambiguous one":    echo(200, asMessage(-1)),
		"as an HTML page":        echo(500, func(body string) string { return "<pre>" + body + "</pre>" }),
		"as the answer":          echo(200, same),
		"as data":                echo(200, func(body string) string { return `{"code":0,"msg":"SUCCESS","data":` + body + `}` }),
		"as the wrong type":      echo(200, func(body string) string { return `{"code":0,"data":{"payOrderId":"P1","mchOrderNo":` + body + `}}` }),
		"as a broken connection": echo(299, same),
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newTestClient(t, handler, Options{})
			_, err := client.CreateWithdrawal(t.Context(), order)
			failed := asError(t, err)
			texts := []string{failed.Message, fmt.Sprintf("%v %+v %s", err, err, err), fmt.Sprintf("%#v", *failed)}
			encoded, marshalErr := json.Marshal(failed)
			require.NoError(t, marshalErr)
			texts = append(texts, string(encoded))
			for cause := error(failed); cause != nil; cause = errors.Unwrap(cause) {
				texts = append(texts, cause.Error())
			}
			for _, text := range texts {
				for _, secret := range append(planted, signature.Load().(string), "POST|") {
					require.NotContains(t, text, secret)
				}
			}
		})
	}
}

func TestNoncesAreUniqueAcrossClients(t *testing.T) {
	t.Parallel()
	const clients, each = 4, 50
	var mutex sync.Mutex
	seen := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		seen[r.Header.Get(HeaderNonce)]++
		mutex.Unlock()
		_, _ = io.WriteString(w, `{"code":0,"data":{"availableAmount":"1","frozenAmount":"0"}}`)
	}))
	t.Cleanup(server.Close)
	var workers sync.WaitGroup
	for range clients {
		client := newClientFor(t, server.URL, Options{})
		workers.Go(func() {
			for range each {
				if _, err := client.Balance(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	require.Len(t, seen, clients*each)
	for nonce := range seen {
		require.Regexp(t, "^[0-9]{13}$", nonce)
	}
}
