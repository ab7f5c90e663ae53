package e2e

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/order"
)

// surfer follows redirects and keeps cookies, as a browser does.
type surfer struct{ http.Client }

// loads returns where the surfer is then, and the page. With a form it sends that.
func (s *surfer) loads(t *testing.T, address string, form url.Values) (at *url.URL, page string) {
	t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", request.URL.Scheme+"://"+request.URL.Host)
	}
	response, err := s.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", address, text)
	return response.Request.URL, string(text)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// approvedInABrowser has people log in at the pages of bin/dev up, and each approve an order
// that nobody signed. It is then paid.
func (h *house) approvedInABrowser(t *testing.T, dir string, key order.Key, people ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "var", "dev", "api.env"))
	require.NoError(t, err)
	api := regexp.MustCompile(`PAYOUTS_API_ADDRESS='(.*)'`).FindSubmatch(text)
	require.NotNil(t, api)
	page := string(api[1]) + "/approvals/" + key.Merchant + "/" + key.Number
	for _, name := range people {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		s := &surfer{http.Client{Jar: jar}}
		provider, buttons := s.loads(t, string(api[1])+"/approvals/login", nil)
		require.NotContains(t, page, provider.Host)
		require.Contains(t, buttons, `name="subject" value="`+name+`"`)
		_, list := s.loads(t, provider.String(), url.Values{"subject": {name}})
		require.Contains(t, list, `<b id="person">`+name+`</b>`)
		require.Contains(t, list, key.Number)

		_, shown := s.loads(t, page, nil)
		_, form, found := strings.Cut(shown, `action="/approvals/`+key.Merchant+"/"+key.Number+`/approve"`)
		require.True(t, found, shown)
		form, _, _ = strings.Cut(form, "</form>")
		fields := url.Values{}
		for _, field := range hiddenField.FindAllStringSubmatch(form, -1) {
			fields.Set(field[1], html.UnescapeString(field[2]))
		}
		s.loads(t, page+"/approve", fields)
	}
	until(t, h, "the order to be paid", func(ctx context.Context) (order.Order, error) { return h.books.Order(ctx, key) },
		func(row order.Order) bool { return row.State == order.Succeeded })
}
