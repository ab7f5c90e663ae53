package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/tarspay-payouts/orchestrator/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got is a request as a receiver got it.
type got struct {
	header http.Header
	body   []byte
}

// requests are what a receiver got.
type requests struct {
	mutex sync.Mutex
	all   []got
}

func (r *requests) add(one got) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.all = append(r.all, one)
}

func (r *requests) list() []got {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.all)
}

// bodyKey is where the handlers of a receiver find the body.
type bodyKey struct{}

// receiver is a finance system. It answers as it is told.
func receiver(t *testing.T, answer http.HandlerFunc) (url string, seen *requests) {
	t.Helper()
	seen = new(requests)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.add(got{r.Header, body})
		answer(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, body)))
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func sender(t *testing.T, options Options) *Sender {
	t.Helper()
	s := NewSender(options)
	t.Cleanup(s.Close)
	return s
}

var message = Message{ID: "evt_0123456789abcdef0123456789abcdef", Body: []byte(`{"id":"evt_1","type":"withdrawal.succeeded"}`)}

func send(t *testing.T, s *Sender, url string, secrets ...string) Result {
	t.Helper()
	if secrets == nil {
		secrets = []string{NewSecret()}
	}
	result, err := s.Send(t.Context(), Target{url, secrets}, message, time.Now())
	require.NoError(t, err)
	return result
}

// The public library accepts what is sent, with each of the secrets, and with no other.
func TestSigned(t *testing.T) {
	t.Parallel()
	url, seen := receiver(t, says(http.StatusNoContent, ""))
	current, previous := NewSecret(), NewSecret()
	result := send(t, sender(t, Options{AllowPrivate: true, Version: "1"}), url, current, previous)
	require.Equal(t, Delivered, result.Outcome)
	require.Equal(t, http.StatusNoContent, result.Status)
	require.Len(t, seen.list(), 1)
	request := seen.list()[0]
	require.Equal(t, message.Body, request.body)
	require.Equal(t, message.ID, request.header.Get("Webhook-Id"))
	require.Equal(t, "application/json", request.header.Get("Content-Type"))
	require.Equal(t, "payouts-webhook/1", request.header.Get("User-Agent"))
	require.Len(t, strings.Fields(request.header.Get("Webhook-Signature")), 2)
	for _, secret := range []string{current, previous} {
		require.NoError(t, verifier(t, secret).Verify(request.body, request.header))
	}
	require.ErrorIs(t, verifier(t, NewSecret()).Verify(request.body, request.header), standardwebhooks.ErrNoMatchingSignature)
	require.ErrorIs(t, verifier(t, current).Verify(append(request.body, ' '), request.header), standardwebhooks.ErrNoMatchingSignature)
}

func verifier(t *testing.T, secret string) *standardwebhooks.Webhook {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return v
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, NewSecret())
	one, two := NewSecret(), NewSecret()
	require.NotEqual(t, one, two)
	for _, secrets := range [][]string{nil, {"whsec_*not base64*"}} {
		_, err := NewSender(Options{AllowPrivate: true}).Send(t.Context(), Target{"http://127.0.0.1:1", secrets}, message, time.Now())
		require.Error(t, err)
		require.NotContains(t, err.Error(), "not base64*")
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		outcome Outcome
		status  int
		why     string
	}{
		"200":     {says(200, "thanks"), Delivered, 200, ""},
		"299":     {says(299, ""), Delivered, 299, ""},
		"304":     {says(304, ""), Failed, 304, "it answered 304: redirects are not followed"},
		"400":     {says(400, "secret text"), Failed, 400, "it answered 400"},
		"410":     {says(410, ""), Gone, 410, "it answered 410 Gone: it wants no events any more"},
		"500":     {says(500, ""), Failed, 500, "it answered 500"},
		"hang up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Failed, 0, "the connection broke off, or what came was no answer of HTTP"},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			raw, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(raw, "secret text\r\n\r\n")
			_ = raw.Close()
		}, Failed, 0, "the connection broke off, or what came was no answer of HTTP"},
		"large headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 64<<10))
		}, Failed, 0, "the connection broke off, or what came was no answer of HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := receiver(t, test.answer)
			result := send(t, sender(t, Options{AllowPrivate: true}), url)
			require.Equal(t, test.outcome, result.Outcome)
			require.Equal(t, test.status, result.Status)
			require.Equal(t, test.why, result.Why)
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere, seen := receiver(t, says(200, ""))
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	result := send(t, sender(t, Options{AllowPrivate: true}), url)
	require.Equal(t, Failed, result.Outcome)
	require.Equal(t, http.StatusTemporaryRedirect, result.Status)
	require.Empty(t, seen.list())
}

// An answer without end is read to its limit, and then its connection is closed.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	var wrote atomic.Int64
	ended := make(chan struct{})
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		page := bytes.Repeat([]byte("x"), 64<<10)
		for r.Context().Err() == nil {
			n, err := w.Write(page)
			if wrote.Add(int64(n)); err != nil {
				return
			}
		}
	})
	result := send(t, sender(t, Options{AllowPrivate: true}), url)
	<-ended
	require.Equal(t, Delivered, result.Outcome)
	require.Len(t, result.Answer, maxAnswer)
	require.Less(t, wrote.Load(), int64(64<<20), "what the sockets of both sides hold")
}

// A compressed answer is not decompressed.
func TestAnswersAreNotDecompressed(t *testing.T) {
	t.Parallel()
	url, seen := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "no gzip at all")
	})
	result := send(t, sender(t, Options{AllowPrivate: true}), url)
	require.Equal(t, "no gzip at all", string(result.Answer))
	require.Empty(t, seen.list()[0].header.Get("Accept-Encoding"))
}

// A status counts even if the body never ends. Without a status the try has failed.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	fast := sender(t, Options{AllowPrivate: true, Timeout: 200 * time.Millisecond})
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	result := send(t, fast, url)
	require.Equal(t, Delivered, result.Outcome)
	require.Less(t, result.Took, 5*time.Second)

	url, _ = receiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	result = send(t, fast, url)
	require.Equal(t, Failed, result.Outcome)
	require.Equal(t, "it did not answer in time", result.Why)
}

// A cancelled delivery is no failure of the endpoint.
func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := sender(t, Options{AllowPrivate: true}).Send(ctx, Target{url, []string{NewSecret()}}, message, time.Now())
	require.ErrorIs(t, err, context.Canceled)
}

// A certificate that is not trusted is a failure, and one that is trusted is accepted.
func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(says(200, ""))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	result := send(t, sender(t, Options{AllowPrivate: true}), server.URL)
	require.Equal(t, "its certificate is not trusted, or is another name's", result.Why)
	transport, is := server.Client().Transport.(*http.Transport)
	require.True(t, is)
	trusting := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: transport.TLSClientConfig.RootCAs}
	require.Equal(t, Delivered, send(t, sender(t, Options{AllowPrivate: true, TLS: trusting}), server.URL).Outcome)
}

// A proxy of the environment is not used.
func TestNoProxy(t *testing.T) {
	proxy, seen := receiver(t, says(200, ""))
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	result := send(t, sender(t, Options{AllowPrivate: true, Resolver: names(t, "127.0.0.1")}), "http://hook.example:1/")
	require.Equal(t, Failed, result.Outcome)
	require.Empty(t, seen.list())
}

// names is a resolver for which every name has one address. A real DNS server answers.
func names(t *testing.T, address string) *net.Resolver {
	t.Helper()
	connection, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := connection.ReadFrom(buffer)
			if err != nil {
				return
			}
			var asked dnsmessage.Message
			if asked.Unpack(buffer[:n]) != nil {
				continue
			}
			asked.Response, asked.Additionals = true, nil
			for _, question := range asked.Questions {
				if question.Type == dnsmessage.TypeA {
					asked.Answers = append(asked.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
					})
				}
			}
			if text, err := asked.Pack(); err == nil {
				_, _ = connection.WriteTo(text, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", connection.LocalAddr().String())
	}}
}

// A name that resolves to a private address is refused where the connection is made: a
// name may change after it was checked.
func TestNamesOfPrivateAddresses(t *testing.T) {
	t.Parallel()
	url, seen := receiver(t, says(200, ""))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	resolver := names(t, "127.0.0.1")
	for _, scheme := range []string{"https://hook.example:", "https://hook.example.:"} {
		result := send(t, sender(t, Options{Resolver: resolver}), scheme+port)
		require.Equal(t, Failed, result.Outcome)
		require.Equal(t, "the URL names a loopback or private address", result.Why)
	}
	require.Empty(t, seen.list())
	result := send(t, sender(t, Options{Resolver: resolver, AllowPrivate: true}), "http://hook.example:"+port)
	require.Equal(t, Delivered, result.Outcome, "the resolver is used: %s", result.Why)

	result = send(t, sender(t, Options{Resolver: names(t, "169.254.169.254"), AllowPrivate: true}), "http://hook.example/latest/meta-data")
	require.Equal(t, "the URL names an address that is not public", result.Why)
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, code := range map[string]string{
		"https://pay.example.com/hooks?tenant=1": "",
		"https://pay.example.com:8443":           "",
		"https://8.8.8.8/":                       "",
		"https://[2606:4700::1111]/":             "",
		"http://pay.example.com/":                CodeURLNotHTTPS,
		"ftp://pay.example.com/":                 CodeURLNotHTTPS,
		"https://user@pay.example.com/":          CodeURLMalformed,
		"https://user:word@pay.example.com/":     CodeURLMalformed,
		"https://pay.example.com/#part":          CodeURLMalformed,
		"https://pay.example.com/#":              CodeURLMalformed,
		"https:///path":                          CodeURLMalformed,
		"https:pay.example.com":                  CodeURLMalformed,
		"pay.example.com":                        CodeURLMalformed,
		"":                                       CodeURLMalformed,
		"https://x/" + strings.Repeat("x", 1000): CodeURLMalformed,
		"https://localhost/":                     CodeURLPrivate,
		"https://LOCALHOST./":                    CodeURLPrivate,
		"https://a.localhost/":                   CodeURLPrivate,
		"https://127.0.0.1/":                     CodeURLPrivate,
		"https://[::1]/":                         CodeURLPrivate,
		"https://[::ffff:10.0.0.1]/":             CodeURLPrivate,
		"https://169.254.169.254/":               CodeURLPrivate,
	} {
		err := CheckURL(url, false)
		if code == "" {
			require.NoError(t, err, url)
			continue
		}
		var invalid *order.Invalid
		require.ErrorAs(t, err, &invalid, url)
		require.Equal(t, code, invalid.Problems[0].Code, url)
		require.Equal(t, "url", invalid.Problems[0].Field, url)
	}
	for _, url := range []string{"http://127.0.0.1:3000/hook", "http://localhost:3000", "https://10.0.0.1"} {
		require.NoError(t, CheckURL(url, true), url)
	}
	require.Error(t, CheckURL("http://169.254.169.254/", true))
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const anybody, near, nobody = "anybody", "near", "nobody"
	for text, who := range map[string]string{
		"8.8.8.8": anybody, "1.1.1.1": anybody, "2606:4700::1111": anybody, "64:ff9b::8.8.8.8": anybody, "::ffff:8.8.8.8": anybody,
		"127.0.0.1": near, "127.9.9.9": near, "10.1.2.3": near, "172.16.0.1": near, "172.31.255.255": near, "192.168.1.1": near,
		"100.64.0.1": near, "100.127.255.255": near, "::1": near, "fd00::1": near, "fc00::1": near,
		"::ffff:127.0.0.1": near, "64:ff9b::10.0.0.1": near, "64:ff9b::127.0.0.1": near,
		"172.32.0.1": anybody, "100.128.0.1": anybody,
		"0.0.0.0": nobody, "::": nobody, "0.1.2.3": nobody, "169.254.169.254": nobody, "fe80::1": nobody, "fe80::1%eth0": nobody,
		"224.0.0.1": nobody, "255.255.255.255": nobody, "240.0.0.1": nobody, "ff02::1": nobody, "198.18.0.1": nobody,
		"192.0.2.1": nobody, "198.51.100.1": nobody, "203.0.113.1": nobody, "192.88.99.1": nobody, "192.0.0.1": nobody,
		"2001:db8::1": nobody, "2001::1": nobody, "2002:7f00:1::": nobody, "3fff::1": nobody, "64:ff9b:1::1": nobody,
		"fec0::1": nobody, "::127.0.0.1": nobody, "100::1": nobody, "64:ff9b::169.254.169.254": nobody, "::ffff:0.0.0.0": nobody,
	} {
		address := netip.MustParseAddr(text)
		require.Equal(t, who == anybody, refuse(address, false) == "", text)
		require.Equal(t, who != nobody, refuse(address, true) == "", text)
	}
}
