package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// Codes of refusals about a statement. They are stable.
const (
	CodeStatementNotFound = "STATEMENT_NOT_FOUND" // there is no such statement
	CodeStatementConflict = "STATEMENT_CONFLICT"  // the id belongs to a statement with other content
	CodeStatementBroken   = "STATEMENT_BROKEN"    // what was stored is not the file
)

// StatementRecord is a statement as the ledger has it.
type StatementRecord struct {
	order.Statement
	State   order.StatementState `json:"state"`
	Matched int                  `json:"matched"` // the last line that was compared
	StatementCounts
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"` // when the state last changed
}

// StatementCounts counts the results of comparing a statement.
type StatementCounts struct {
	Compared   int `json:"compared"`   // lines whose order has ended in the ledger
	Asked      int `json:"asked"`      // orders that the gateway was asked about
	Unanswered int `json:"unanswered"` // those of which the gateway gave no usable answer
	Settled    int `json:"settled"`    // orders that the answer settled
	Absent     int `json:"absent"`     // paid orders of the statement's time that it does not have
}

// StoreStatementPage stores some lines of a statement, and the statement with its first
// page. A line that is stored stays as it is. Nothing is compared before
// MakeStatementReady. The codes are INVALID_REQUEST and STATEMENT_CONFLICT.
func (l *Ledger) StoreStatementPage(ctx context.Context, s order.Statement, lines []order.StatementLine) (*order.Refusal, error) {
	if refusal := checkStatementPage(s, lines); refusal != nil {
		return refusal, nil
	}
	var refusal *order.Refusal
	err := l.inTx(ctx, func(t tx) (err error) {
		refusal, err = t.storeStatementPage(ctx, newStatementRow(s, t.At), lines)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: store statement %s: %w", s.ID, err)
	}
	return refusal, nil
}

// checkStatementPage refuses lines that no statement has.
func checkStatementPage(s order.Statement, lines []order.StatementLine) *order.Refusal {
	whole := len(s.Fingerprint) == 2*sha256Bytes && len(s.File) == 2*sha256Bytes && len(s.Content) == 2*sha256Bytes
	if !whole || s.ID != s.Fingerprint[:order.StatementIDDigits] || s.Merchant == "" || s.Lines < 1 || s.To.Before(s.From) || len(lines) > order.StatementPageLines {
		return order.Refuse(order.CodeInvalidRequest, "the statement has no merchant, no lines, or another id than that of its fingerprint")
	}
	for _, line := range lines {
		fits := func(reference string) bool { return reference == "" || rules.GatewayIDFits(reference) }
		if line.Seq < 1 || line.Seq > s.Lines || line.GatewayID == "" && line.Number == "" || !fits(line.GatewayID) || !fits(line.Number) || line.Amount < 0 {
			return order.Refuse(order.CodeInvalidRequest, "line %d is no line of a statement", line.Seq)
		}
	}
	return nil
}

func (t tx) storeStatementPage(ctx context.Context, fresh statementRow, lines []order.StatementLine) (*order.Refusal, error) {
	var ids []string
	err := t.PutRows(ctx, &ids, `
		INSERT INTO statements (id, merchant, fingerprint, file, content, profile, line_count, paid_deposits, paid_withdrawals, from_at, to_at, state,
			imported_by, created_at, changed_at)
		VALUES (:id, :merchant, :fingerprint, :file, :content, :profile, :line_count, :paid_deposits, :paid_withdrawals, :from_at, :to_at, :state,
			:imported_by, :created_at, :changed_at)
		ON CONFLICT (id) DO NOTHING RETURNING id`, fresh)
	if err != nil {
		return nil, err
	}
	var there statementRow
	err = t.Get(ctx, &there, "SELECT "+statementColumns+" FROM statements WHERE id = ?"+t.ForUpdate, fresh.ID)
	switch {
	case err != nil:
		return nil, err
	case !there.same(fresh):
		return order.Refuse(CodeStatementConflict, "the id %s belongs to a statement with other content", fresh.ID), nil
	case there.State != order.StatementStoring || len(lines) == 0:
		return nil, nil
	}
	page := make([]statementLineRow, len(lines))
	for i, line := range lines {
		page[i] = newStatementLineRow(fresh, line)
	}
	var stored []int
	return nil, t.PutRows(ctx, &stored, `
		INSERT INTO statement_lines (statement, seq, line, merchant, gateway_id, number, kind, state, currency, amount, paid, fee, at)
		VALUES (:statement, :seq, :line, :merchant, :gateway_id, :number, :kind, :state, :currency, :amount, :paid, :fee, :at)
		ON CONFLICT DO NOTHING RETURNING seq`, page)
}

// statementPage is how many lines of a statement are read at once.
const statementPage = 1000

// MakeStatementReady lets a statement be compared if every line is stored and they are
// what its content says. It returns the state: storing if lines are missing. beat is
// called now and then. Who imported it is audited in the merchant's chain.
func (l *Ledger) MakeStatementReady(ctx context.Context, id string, beat func()) (order.StatementState, error) {
	s, err := l.Statement(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return order.StatementStoring, nil
	}
	if err != nil || s.State != order.StatementStoring {
		return s.State, err
	}
	var stored int
	if err := l.db.Get(ctx, &stored, "SELECT COUNT(*) FROM statement_lines WHERE statement = ?", id); err != nil {
		return "", fmt.Errorf("ledger: count the lines of statement %s: %w", id, err)
	}
	if stored != s.Lines {
		return order.StatementStoring, nil
	}
	same, err := l.sameLines(ctx, s, beat)
	if err != nil {
		return "", fmt.Errorf("ledger: read statement %s: %w", id, err)
	}
	state := order.StatementMatching
	imported := entry{action: ActionStatement, actor: s.ImportedBy, source: rules.FromOperator, evidence: describeStatement(s)}
	if !same {
		state = order.StatementBroken
		imported.refused, imported.reason = true, order.Reason{Code: CodeStatementBroken, Text: "its lines are not those of its content"}
	}
	err = l.inTx(ctx, func(t tx) error {
		changed, err := t.Put(ctx, "UPDATE statements SET state = ?, changed_at = ? WHERE id = ? AND state = 'storing'", state, t.At.UnixMilli(), id)
		if err != nil || changed == 0 {
			return err
		}
		return t.noteOther(ctx, order.Key{Merchant: s.Merchant}, imported)
	})
	if err != nil {
		return "", fmt.Errorf("ledger: make statement %s ready: %w", id, err)
	}
	return state, nil
}

// describeStatement says in the audit what a statement is.
func describeStatement(s StatementRecord) string {
	return fmt.Sprintf("statement %s: %d lines from %s to %s, profile %s, file %s", s.ID, s.Lines,
		s.From.UTC().Format(time.RFC3339), s.To.UTC().Format(time.RFC3339), s.Profile, s.File)
}

// sameLines reports whether the stored lines are those of the statement's content.
func (l *Ledger) sameLines(ctx context.Context, s StatementRecord, beat func()) (bool, error) {
	digest, counts, next := order.NewStatementDigest(), order.Statement{}, 1
	for {
		var page []statementLineRow
		err := l.db.List(ctx, &page, "SELECT "+statementLineColumns+" FROM statement_lines l WHERE statement = ? AND seq >= ? ORDER BY seq LIMIT ?", s.ID, next, statementPage)
		if err != nil {
			return false, err
		}
		for _, row := range page {
			if row.Seq != next || row.Merchant != s.Merchant {
				return false, nil
			}
			line := row.statementLine()
			digest.Add(line)
			counts.Count(line)
			next++
		}
		beat()
		if len(page) < statementPage {
			break
		}
	}
	return digest.Sum() == s.Content && counts.From.Equal(s.From) && counts.To.Equal(s.To) &&
		counts.PaidDeposits == s.PaidDeposits && counts.PaidWithdrawals == s.PaidWithdrawals, nil
}

// Statement returns a statement. ErrNotFound if there is none.
func (l *Ledger) Statement(ctx context.Context, id string) (StatementRecord, error) {
	var row statementRow
	if err := l.db.Get(ctx, &row, "SELECT "+statementColumns+" FROM statements WHERE id = ?", id); err != nil {
		return StatementRecord{}, fmt.Errorf("ledger: %w", missing(err, "statement %.32q", id))
	}
	return row.record(), nil
}

// StatementFilter selects statements. The zero value selects all.
type StatementFilter struct {
	Merchants []string // any of them; none: all
	After     string   // the id of the last statement of the page before
	Limit     int
}

// Statements lists statements, the newest first. ErrNotFound when After names none.
func (l *Ledger) Statements(ctx context.Context, filter StatementFilter) ([]StatementRecord, error) {
	var where conditions
	where.among("merchant", filter.Merchants)
	if filter.After != "" {
		var at int64
		if err := l.db.Get(ctx, &at, "SELECT created_at FROM statements WHERE id = ?", filter.After); err != nil {
			return nil, fmt.Errorf("ledger: list statements: %w", missing(err, "statement %.32q", filter.After))
		}
		where.add("(created_at, id) < (?, ?)", at, filter.After)
	}
	var rows []statementRow
	err := l.db.List(ctx, &rows, "SELECT "+statementColumns+" FROM statements"+where.sql()+" ORDER BY created_at DESC, id DESC LIMIT ?",
		append(where.args, pageSize(filter.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("ledger: list statements: %w", err)
	}
	found := make([]StatementRecord, len(rows))
	for i, row := range rows {
		found[i] = row.record()
	}
	return found, nil
}

const statementColumns = "id, merchant, fingerprint, file, content, profile, line_count, paid_deposits, paid_withdrawals, from_at, to_at, state, " +
	"imported_by, matched, compared, asked, unanswered, settled, absent, created_at, changed_at"

type statementRow struct {
	ID              string               `db:"id"`
	Merchant        string               `db:"merchant"`
	Fingerprint     string               `db:"fingerprint"`
	File            string               `db:"file"`
	Content         string               `db:"content"`
	Profile         string               `db:"profile"`
	LineCount       int                  `db:"line_count"`
	PaidDeposits    int                  `db:"paid_deposits"`
	PaidWithdrawals int                  `db:"paid_withdrawals"`
	FromAt          int64                `db:"from_at"`
	ToAt            int64                `db:"to_at"`
	State           order.StatementState `db:"state"`
	ImportedBy      string               `db:"imported_by"`
	Matched         int                  `db:"matched"`
	Compared        int                  `db:"compared"`
	Asked           int                  `db:"asked"`
	Unanswered      int                  `db:"unanswered"`
	Settled         int                  `db:"settled"`
	Absent          int                  `db:"absent"`
	CreatedAt       int64                `db:"created_at"`
	ChangedAt       int64                `db:"changed_at"`
}

func newStatementRow(s order.Statement, at time.Time) statementRow {
	return statementRow{
		ID: s.ID, Merchant: sanitizeKey(s.Merchant), Fingerprint: s.Fingerprint, File: s.File, Content: s.Content, Profile: sanitizeText(s.Profile),
		LineCount: s.Lines, PaidDeposits: s.PaidDeposits, PaidWithdrawals: s.PaidWithdrawals, FromAt: s.From.UnixMilli(), ToAt: s.To.UnixMilli(),
		State: order.StatementStoring, ImportedBy: sanitizeText(s.ImportedBy), CreatedAt: at.UnixMilli(), ChangedAt: at.UnixMilli(),
	}
}

// same reports whether both rows are of one file.
func (r statementRow) same(other statementRow) bool {
	return r.Merchant == other.Merchant && r.Fingerprint == other.Fingerprint && r.File == other.File && r.Content == other.Content && r.LineCount == other.LineCount
}

func (r statementRow) record() StatementRecord {
	return StatementRecord{
		Statement: order.Statement{
			Merchant: r.Merchant, ID: r.ID, Fingerprint: r.Fingerprint, File: r.File, Content: r.Content, Profile: r.Profile, Lines: r.LineCount,
			From: moment(r.FromAt), To: moment(r.ToAt), PaidDeposits: r.PaidDeposits, PaidWithdrawals: r.PaidWithdrawals, ImportedBy: r.ImportedBy,
		},
		State: r.State, Matched: r.Matched,
		StatementCounts: StatementCounts{Compared: r.Compared, Asked: r.Asked, Unanswered: r.Unanswered, Settled: r.Settled, Absent: r.Absent},
		CreatedAt:       moment(r.CreatedAt), ChangedAt: moment(r.ChangedAt),
	}
}

const statementLineColumns = "l.seq, l.line, l.merchant, l.gateway_id, l.number, l.kind, l.state, l.currency, l.amount, l.paid, l.fee, l.at"

type statementLineRow struct {
	Statement string `db:"statement"`
	Seq       int    `db:"seq"`
	Line      int    `db:"line"`
	Merchant  string `db:"merchant"`
	GatewayID string `db:"gateway_id"`
	Number    string `db:"number"`
	Kind      int    `db:"kind"`
	State     int    `db:"state"`
	Currency  string `db:"currency"`
	Amount    int64  `db:"amount"`
	Paid      int64  `db:"paid"`
	Fee       int64  `db:"fee"`
	At        int64  `db:"at"`
}

func newStatementLineRow(s statementRow, l order.StatementLine) statementLineRow {
	return statementLineRow{
		Statement: s.ID, Seq: l.Seq, Line: l.Line, Merchant: s.Merchant, GatewayID: sanitizeKey(l.GatewayID), Number: sanitizeKey(l.Number),
		Kind: int(l.Kind), State: int(l.State), Currency: sanitizeText(l.Currency), Amount: l.Amount, Paid: l.Paid, Fee: l.Fee, At: l.At.UnixMilli(),
	}
}

func (r statementLineRow) statementLine() order.StatementLine {
	return order.StatementLine{
		Seq: r.Seq, Line: r.Line, GatewayID: r.GatewayID, Number: r.Number, Kind: tarspay.HistoryKind(r.Kind), State: tarspay.State(r.State),
		Currency: r.Currency, Amount: r.Amount, Paid: r.Paid, Fee: r.Fee, At: moment(r.At),
	}
}
