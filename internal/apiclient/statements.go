package apiclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/tarspay-payouts/orchestrator/internal/batch"
	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/internal/statement"
	"github.com/tarspay-payouts/orchestrator/order"
)

// Export is a file that a person exported from the gateway's portal.
type Export struct {
	Merchant, Country string
	Profile           string // the name of a built-in profile
	ProfileText       []byte // the text of another profile; nil: Profile
	Format            sheet.Format
	File              io.ReaderAt
	Size              int64
}

// ImportStatement has a file checked, stored and compared. The error is a *sheet.Faults if
// something is wrong with it. The same file again is the same statement.
func (c *Client) ImportStatement(ctx context.Context, actor payouts.Actor, file Export) (payouts.Statement, error) {
	if file.Size > statement.MaxUpload {
		return payouts.Statement{}, order.Refuse(statement.CodeTooLarge,
			"the api takes files of at most %d MB; export fewer days, or run it without --api, where Temporal can be reached", statement.MaxUpload>>20)
	}
	content, err := io.ReadAll(io.NewSectionReader(file.File, 0, file.Size))
	if err != nil {
		return payouts.Statement{}, fmt.Errorf("read the statement: %w", err)
	}
	query := merchantQuery(file.Merchant)
	query.Set("country", file.Country)
	if file.ProfileText != nil {
		query.Set("profile_text", string(file.ProfileText))
	} else {
		query.Set("profile", file.Profile)
	}
	answer, err := ask[struct{ Statement payouts.Statement }](ctx, c, actor, call{
		method: http.MethodPost, path: at("statements"), query: query, body: content, contentType: contentTypes[batch.Format(file.Format)],
	})
	return answer.Statement, err
}

// Statement returns a statement.
func (c *Client) Statement(ctx context.Context, actor payouts.Actor, id string) (payouts.Statement, error) {
	return get[payouts.Statement](ctx, c, actor, at("statements", id), nil)
}

// Statements lists statements, the newest first.
func (c *Client) Statements(ctx context.Context, actor payouts.Actor, filter payouts.StatementFilter) (payouts.StatementList, error) {
	query := url.Values{}
	for _, merchant := range filter.Merchants {
		query.Add("merchant", merchant)
	}
	list := payouts.StatementList{Statements: []payouts.StoredStatement{}}
	more, err := pages(filter.Limit, query, func(query url.Values) (int, string, error) {
		page, err := get[struct {
			Statements []payouts.StoredStatement
			Next       string
		}](ctx, c, actor, at("statements"), query)
		list.Statements = append(list.Statements, page.Statements...)
		return len(page.Statements), page.Next, err
	})
	list.More = more
	return list, err
}
