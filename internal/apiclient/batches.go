package apiclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
)

// contentTypes are those of files of payouts.
var contentTypes = map[batch.Format]string{
	batch.CSV: "text/csv", batch.JSON: "application/json",
	batch.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// Upload is a file of payouts.
type Upload struct {
	Merchant, Country, Name string
	Format                  batch.Format
	Content                 []byte
}

// UploadBatch has a file checked, stored and run. The error is a *batch.Faults if
// something is wrong with it. The same file again is the same batch.
func (c *Client) UploadBatch(ctx context.Context, actor payouts.Actor, file Upload) (payouts.Batch, error) {
	query := merchantQuery(file.Merchant)
	query.Set("name", file.Name)
	if file.Country != "" {
		query.Set("country", file.Country)
	}
	return ask[payouts.Batch](ctx, c, actor, call{
		method: http.MethodPost, path: at("batches"), query: query, body: file.Content, contentType: contentTypes[file.Format],
	})
}

// Batch returns a batch with the counts of its rows.
func (c *Client) Batch(ctx context.Context, actor payouts.Actor, id string) (payouts.Batch, error) {
	return get[payouts.Batch](ctx, c, actor, at("batches", id), nil)
}

// Batches lists batches, the newest first.
func (c *Client) Batches(ctx context.Context, actor payouts.Actor, filter payouts.BatchFilter) (payouts.BatchPage, error) {
	query := url.Values{}
	for _, merchant := range filter.Merchants {
		query.Add("merchant", merchant)
	}
	for _, state := range filter.States {
		query.Add("state", string(state))
	}
	list := payouts.BatchPage{Batches: []payouts.StoredBatch{}}
	more, err := pages(filter.Limit, query, func(query url.Values) (int, string, error) {
		page, err := get[struct {
			Batches []payouts.StoredBatch
			Next    string
		}](ctx, c, actor, at("batches"), query)
		list.Batches = append(list.Batches, page.Batches...)
		return len(page.Batches), page.Next, err
	})
	list.More = more
	return list, err
}

// BatchRows lists rows of a batch after one of them, in the sequence of the file.
func (c *Client) BatchRows(ctx context.Context, actor payouts.Actor, id string, states []payouts.RowState, after, limit int) (payouts.BatchRowPage, error) {
	query := url.Values{}
	for _, state := range states {
		query.Add("state", string(state))
	}
	if after > 0 {
		query.Set("after", strconv.Itoa(after))
	}
	list := payouts.BatchRowPage{Rows: []payouts.BatchRow{}}
	more, err := pages(limit, query, func(query url.Values) (int, string, error) {
		page, err := get[struct {
			Rows []payouts.BatchRow
			Next string
		}](ctx, c, actor, at("batches", id, "rows"), query)
		list.Rows = append(list.Rows, page.Rows...)
		return len(page.Rows), page.Next, err
	})
	list.More = more
	return list, err
}

// WriteBatchResult writes the file of results.
func (c *Client) WriteBatchResult(ctx context.Context, actor payouts.Actor, id string, format batch.Format, to io.Writer) error {
	return c.send(ctx, actor, call{method: http.MethodGet, path: at("batches", id, "result"), accept: contentTypes[format]}, func(response *http.Response) error {
		if kind := mediaType(response); kind != contentTypes[format] {
			return c.foreign("it answers with " + strconv.Quote(kind))
		}
		if _, err := io.Copy(to, response.Body); err != nil {
			return c.broken(ctx, err)
		}
		return nil
	})
}

// PauseBatch starts no further row until the batch is resumed.
func (c *Client) PauseBatch(ctx context.Context, actor payouts.Actor, id, reason string) (payouts.Batch, error) {
	return post[payouts.Batch](ctx, c, actor, at("batches", id, "pause"), why{reason})
}

// ResumeBatch starts rows of a paused batch again.
func (c *Client) ResumeBatch(ctx context.Context, actor payouts.Actor, id, reason string) (payouts.Batch, error) {
	return post[payouts.Batch](ctx, c, actor, at("batches", id, "resume"), why{reason})
}

// CancelBatch starts no further row, for ever.
func (c *Client) CancelBatch(ctx context.Context, actor payouts.Actor, id, reason string) (payouts.Batch, error) {
	return post[payouts.Batch](ctx, c, actor, at("batches", id, "cancel"), why{reason})
}
