package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/client"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/roster"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
)

// batch stores a batch of orders that wait, W-1 and so on, and starts them, as a worker does.
func (s *site) batch(t *testing.T, by, value string, rows int) order.Batch {
	t.Helper()
	var page []order.BatchRow
	digest := order.NewBatchDigest(merchant)
	total := amount(t, "0", "PKR")
	for i := range rows {
		r := s.signs(t, order.Request{
			Kind: order.Withdrawal, Merchant: merchant, Number: fmt.Sprintf("W-%d", i+1), Country: "PK", Way: "easypaisa", Amount: amount(t, value, "PKR"), RequestedBy: by,
			Details: map[string]string{"customerName": "A Khan", "customerAccountNumber": fmt.Sprintf("0300765%04d", i), "customerContact": "03007654321"},
		})
		digest.Add(r.Fingerprint())
		page = append(page, order.BatchRow{Seq: i + 1, Line: i + 2, Request: r})
		var err error
		total, err = total.Add(r.Amount)
		require.NoError(t, err)
	}
	sum := digest.Sum()
	b := order.Batch{
		Merchant: merchant, ID: sum[:order.BatchIDDigits], Fingerprint: sum, Name: "salaries <May>.csv", Columns: []string{"number"},
		Rows: rows, Totals: []money.Amount{total}, RequestedBy: by,
	}
	refusal, err := s.ledger.StoreBatchPage(t.Context(), b, page)
	require.NoError(t, err)
	require.Nil(t, refusal)
	_, err = s.ledger.MakeBatchReady(t.Context(), b.ID, func() {})
	require.NoError(t, err)
	begun, _, err := s.ledger.BeginBatchRows(t.Context(), b.ID, rows, rows)
	require.NoError(t, err)
	require.Len(t, begun, rows)
	var results []ledger.RowResult
	for _, row := range begun {
		s.opens(t, row.Request)
		results = append(results, ledger.RowResult{Seq: row.Seq, Outcome: ledger.RowStarted})
	}
	require.NoError(t, s.ledger.RecordBatchRows(t.Context(), b.ID, results))
	return b
}

// decides presses a button of a batch's page.
func (b *browser) decides(t *testing.T, id, action, why string, change ...func(url.Values)) page {
	t.Helper()
	path := Root + "/batches/" + id
	form := formOf(t, b.get(t, path), path+"/"+action)
	form.Set("why", why)
	for _, c := range change {
		c(form)
	}
	return b.post(t, path+"/"+action, form, b.site.server.URL)
}

// The orders of a batch that wait are approved or rejected by one decision, whose
// envelope each entry of the audit refers to.
func TestDecideAboutABatch(t *testing.T) {
	t.Parallel()
	s := setup(t)
	batch := s.batch(t, "billing", "500", 3)
	b := s.as(t, "sana")
	list := b.get(t, Root)
	require.Contains(t, list.text, `<a href="/approvals/batches/`+batch.ID+`">salaries &lt;May&gt;.csv</a>: 3 of 3 orders wait`)
	require.Contains(t, b.sends(t, "W-2", "reject", "not his").text, "You have rejected order W-2.")
	shown := b.get(t, Root+"/batches/"+batch.ID)
	require.Equal(t, http.StatusOK, shown.status, shown.text)
	require.Contains(t, shown.text, `<dd id="waiting">2</dd>`)
	require.Contains(t, shown.text, `<dd id="totals">1000.00 PKR </dd>`)
	require.NotContains(t, shown.text, "Khan")

	form := formOf(t, shown, Root+"/batches/"+batch.ID+"/approve")
	done := b.decides(t, batch.ID, "approve", "")
	require.Equal(t, http.StatusOK, done.status, done.text)
	require.Equal(t, Root+"/batches/"+batch.ID, done.at)
	require.Contains(t, done.text, "You have approved 2 of 2 orders of batch "+batch.ID+".")
	require.Contains(t, done.text, "No order of it waits for you.")
	first := s.proof(t, "W-1", ledger.ActionApprove)
	require.Equal(t, "sana api", first.Envelope.By+" "+first.Door)
	require.Equal(t, 2, first.Envelope.List.Count)
	require.Equal(t, form.Get("root"), first.Envelope.List.Root)
	require.Equal(t, first.Decision, s.proof(t, "W-3", ledger.ActionApprove).Decision)
	require.Equal(t, order.Rejected, s.state(t, "W-2"))
	b.post(t, Root+"/batches/"+batch.ID+"/approve", form, s.server.URL).refused(t, http.StatusConflict, codes.FingerprintMismatch)
}

// What a person may not decide about one order, they may not about many.
func TestBatchesThatPeopleMayNotDecide(t *testing.T) {
	t.Parallel()
	s := setup(t)
	batch := s.batch(t, "omar", "40000", 3) // together above what a login may approve
	path := Root + "/batches/" + batch.ID
	sana, rida, omar, vera := s.as(t, "sana"), s.as(t, "rida"), s.as(t, "omar"), s.as(t, "vera")
	require.Contains(t, sana.get(t, path).text, roster.CodeOwnSignatureNeeded)
	require.Contains(t, sana.get(t, path).text, `<pre id="command">starter approve --batch `+batch.ID+`</pre>`)
	root := formOf(t, sana.get(t, path), path+"/reject").Get("root")
	anyway := func(b *browser, action string) page {
		form := formOf(t, b.get(t, Root), Root+"/logout")
		form.Set("root", root)
		form.Set("why", "w")
		return b.post(t, path+"/"+action, form, s.server.URL)
	}
	anyway(sana, "approve").refused(t, http.StatusForbidden, roster.CodeOwnSignatureNeeded)
	anyway(rida, "approve").refused(t, http.StatusForbidden, roster.CodeRoleMissing)
	anyway(rida, "reject").refused(t, http.StatusForbidden, roster.CodeRoleMissing)
	require.NotContains(t, omar.get(t, Root).text, batch.ID)
	anyway(omar, "approve").refused(t, http.StatusForbidden, codes.SamePerson)
	vera.get(t, path).refused(t, http.StatusNotFound, payouts.CodeBatchNotFound)
	anyway(vera, "reject").refused(t, http.StatusNotFound, payouts.CodeBatchNotFound)
	require.NotContains(t, vera.get(t, Root).text, batch.ID)
	sana.get(t, Root+"/batches/0000000000000000").refused(t, http.StatusNotFound, payouts.CodeBatchNotFound)
	sana.decides(t, batch.ID, "reject", "w", func(form url.Values) { form.Set("form", "x") }).refused(t, http.StatusForbidden, CodeFormForeign)
	sana.decides(t, batch.ID, "reject", "w", func(form url.Values) { form.Set("root", root[:16]) }).refused(t, http.StatusConflict, codes.FingerprintMismatch)
	sana.decides(t, batch.ID, "reject", " ").refused(t, http.StatusUnprocessableEntity, order.CodeWhyMissing)
	require.Zero(t, s.orders.acted)

	s.orders.err = order.Refuse(client.CodeNoAnswer, "it may still do as told")
	sana.decides(t, batch.ID, "reject", "w").refused(t, http.StatusGatewayTimeout, client.CodeNoAnswer)
	s.orders.err = nil
	require.Contains(t, sana.decides(t, batch.ID, "reject", "w").text, "You have rejected 3 of 3 orders")
}
