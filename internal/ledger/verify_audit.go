package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/ledger/sqldb"
	"github.com/tarspay-payouts/orchestrator/internal/rules"
	"github.com/tarspay-payouts/orchestrator/internal/seal"
	"github.com/tarspay-payouts/orchestrator/internal/vault"
	"github.com/tarspay-payouts/orchestrator/order"
)

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Orders  int          `json:"orders"` // number of chains: one per order, merchant and unknown order number, and one for the installation
	Entries int          `json:"entries"`
	Signed  int          `json:"signed"`           // number of entries whose signature was verified
	Covered int64        `json:"covered"`          // number of entries that are those of the given checkpoints
	Hidden  int          `json:"hidden,omitempty"` // number of entries whose content could not be read: it was erased, or there is no key
	Broken  []AuditBreak `json:"broken,omitempty"`
	More    int          `json:"more,omitempty"` // number of breaks that are not in Broken
}

// AuditBreak is a place where the check failed: the first one of a chain, an entry with
// a missing or wrong seal, or entries that are not those of the tree or a checkpoint.
type AuditBreak struct {
	Key    order.Key `json:"key"`
	Seq    int       `json:"seq,omitempty"` // 0: the whole chain
	Code   string    `json:"code"`          // CodeChainBroken, or a code of package seal
	Detail string    `json:"detail"`
}

// CodeChainBroken is the code of an entry that was changed, put in or taken out, and
// of an order whose content was changed.
const CodeChainBroken = "AUDIT_CHAIN_BROKEN"

// AuditEvidence is what an audit is verified with, besides itself.
type AuditEvidence struct {
	Keys        *seal.Public      // nil: seals are not checked
	Checkpoints []seal.Checkpoint // kept where the database's owner cannot write
	// Proofs returns what verifies the signatures of people, with the stored rosters.
	// nil: they are not checked.
	Proofs func([]Roster) Proofs
}

// Proofs verifies the signatures of people: see authority.Review.
type Proofs interface {
	// Roster takes a roster that came into force, or returns why it is refused.
	Roster(hash string, at time.Time) *order.Refusal
	// Check returns why the signature of an entry is refused, or why it does not stand as
	// what two persons do, or nil. genuine says that the entry's hash and seal are right.
	Check(e AuditEntry, genuine bool) *order.Refusal
}

// maxBreaks is the most breaks that one check lists.
const maxBreaks = 1000

// VerifyAudit reads the whole audit as of one moment, with one entry in memory at
// a time. It checks:
//   - each entry's hash
//   - each entry's link to the previous entry
//   - that no entry is missing, neither in a chain nor at its end
//   - that each order has the content and the expected fee with which it was opened, if
//     they can be read
//   - that an order that waits for an approval goes on by one, and by two persons' if its
//     start was not signed, or because the gateway has it
//   - that an entry whose key was destroyed has an erasure after it, and that one whose
//     key this process does not have was encrypted with a data key that is on record
//   - each entry's seal, if the evidence has keys
//   - each person's signature, with the roster that was in force, if the evidence has
//     what verifies them and the signature can be read
//   - that what two persons do has an earlier entry of another person about the same, which
//     is sealed, signed, and was permitted by the roster that was in force when the second
//     one acted
//   - that the entries are those that were added to the tree, and those of the
//     checkpoints, and that no old entry is missing there
//
// Without keys it does not detect an attacker who adds entries, or who rewrites all
// later entries, the heads of the chains and the orders. Without checkpoints it does
// not detect one who rewrites the tree as well.
//
// The error is a *seal.Fault if the checkpoints contradict each other.
func (l *Ledger) VerifyAudit(ctx context.Context, evidence AuditEvidence) (AuditReport, error) {
	check := auditCheck{keys: evidence.Keys, private: private{l.private.ring, true}}
	if evidence.Proofs != nil {
		rosters, err := l.Rosters(ctx, evidence.Keys)
		if err != nil {
			return AuditReport{}, err
		}
		check.proofs = evidence.Proofs(rosters)
	}
	err := l.db.View(ctx, func(t *sqldb.Tx) error {
		if err := check.read(ctx, tx{Tx: t, private: check.private}); err != nil {
			return err
		}
		if err := check.missing(ctx, tx{Tx: t, private: check.private}); err != nil {
			return err
		}
		return check.tree(ctx, tx{Tx: t, private: check.private}, evidence.Checkpoints)
	})
	if err != nil {
		return AuditReport{}, fmt.Errorf("ledger: verify the audit: %w", err)
	}
	return check.report, nil
}

// headedRow is an entry with the head of its chain. The first entry of an order
// also has the order's fingerprint and request.
type headedRow struct {
	auditRow
	ID          int64  `db:"id"`
	Entries     int64  `db:"entries"` // 0: no head is stored
	Head        []byte `db:"head"`
	Fingerprint string `db:"fingerprint"`
	Request     string `db:"request"`
	Currency    string `db:"currency"`
	ExpectedFee int64  `db:"expected_fee"`
	DataKey     string `db:"data_key"`
	ErasedAt    int64  `db:"erased_at"`
}

// auditCheck checks all entries, chain by chain.
type auditCheck struct {
	keys   *seal.Public // nil: seals are not checked
	proofs Proofs       // nil: signatures are not checked
	signed decisions
	keyIDs map[string]bool     // the data keys that are on record
	erased map[order.Key]int64 // of each order that was erased, the entry of the last time
	private
	report AuditReport
	last   headedRow   // the last entry of the chain that is being read; Seq 0: none yet
	broken bool        // this chain is broken: later breaks in it are not reported
	force  []headedRow // the rosters that came into force, which are read first
	least  int64       // of this chain, the latest time that was read

	unsigned  bool      // the start of the order whose chain is being read was not signed
	approvers []string  // persons who have approved it so far
	gone      headedRow // the last entry of this chain whose key was destroyed; Seq 0: none
}

func (c *auditCheck) read(ctx context.Context, t tx) error {
	var err error
	if c.signed, err = t.decisions(ctx); err != nil {
		return err
	}
	var ids []string
	if err := t.List(ctx, &ids, "SELECT id FROM data_keys"); err != nil {
		return err
	}
	c.keyIDs = make(map[string]bool)
	for _, id := range ids {
		c.keyIDs[id] = true
	}
	if err := c.readErased(ctx, t); err != nil {
		return err
	}
	rows, err := t.Rows(ctx, `
		SELECT a.id, `+auditColumnsOfA+`,
			COALESCE(o.audit_entries, c.entries, 0) AS entries, COALESCE(o.audit_head, c.head) AS head,
			CASE WHEN a.seq = 1 AND o.id IS NOT NULL THEN o.fingerprint ELSE '' END AS fingerprint,
			CASE WHEN a.seq = 1 AND o.id IS NOT NULL THEN o.request ELSE '' END AS request,
			COALESCE(o.currency, '') AS currency, COALESCE(o.expected_fee, 0) AS expected_fee,
			COALESCE(o.data_key, c.data_key, '') AS data_key, COALESCE(o.erased_at, c.erased_at, 0) AS erased_at
		FROM audit a
		LEFT JOIN orders o ON a.chain = 'order' AND o.merchant = a.merchant AND o.number = a.number
		LEFT JOIN chains c ON a.chain = 'other' AND c.merchant = a.merchant AND c.number = a.number
		ORDER BY a.merchant, a.number, a.chain DESC, a.seq`) // what was noted about an order's number before it was opened comes first
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row headedRow
		if err := rows.StructScan(&row); err != nil {
			return err
		}
		c.entry(row)
	}
	c.end()
	return rows.Err()
}

func (c *auditCheck) entry(row headedRow) {
	if row.Merchant != c.last.Merchant || row.Number != c.last.Number || row.Chain != c.last.Chain {
		c.end()
		c.last, c.broken, c.gone, c.least = headedRow{}, false, headedRow{}, 0
		c.report.Orders++
	}
	c.report.Entries++
	linked, sealed := row.follows(c.last.Seq, c.last.Hash), true // as stored
	unreadable := row.decrypt(c.private)
	row.expand(c.signed)
	switch {
	case c.broken:
	case row.Seq != c.last.Seq+1:
		c.breaks(row, "entry %d follows entry %d: what was between them is gone", row.Seq, c.last.Seq)
	case !linked:
		c.breaks(row, "the entry is not what was written, or does not follow from the one before it")
	case unreadable != nil:
		c.breaks(row, "the entry does not decrypt: %s", unreadable)
	case row.Seq == 1 && row.Chain == chainOrder && row.Action != ActionOpen:
		c.breaks(row, "the audit of the order does not begin with its opening")
	case row.hidden():
		c.unread(row)
	case row.Seq == 1 && row.Chain == chainOrder:
		c.opening(row)
	}
	if row.Chain == chainOrder && !c.broken {
		c.approval(row)
	}
	if c.keys != nil {
		sealed = c.seal(row)
	}
	if c.proofs != nil && !hidden(row.instead.envelope) {
		c.proof(row, linked && sealed)
	}
	c.last = row
}

func (c *auditCheck) readErased(ctx context.Context, t tx) error {
	var rows []auditRow
	err := t.List(ctx, &rows, "SELECT merchant, number, MAX(seq) AS seq FROM audit WHERE chain = ? AND action = ? AND outcome = ? GROUP BY merchant, number",
		chainOrder, ActionErase, outcomeDone)
	c.erased = make(map[order.Key]int64, len(rows))
	for _, row := range rows {
		c.erased[order.Key{Merchant: row.Merchant, Number: row.Number}] = row.Seq
	}
	return err
}

// decrypt decrypts the entry, and of the first one of an order the request. Both are
// Encrypted or Erased if they cannot be read.
func (r *headedRow) decrypt(p private) error {
	var texts rowTexts
	var err error
	if r.Chain == chainOrder {
		texts, err = p.orderTexts(r.Merchant, r.Number, r.DataKey, r.ErasedAt)
	} else {
		texts, err = p.otherTexts(r.Merchant, r.Number, r.DataKey, r.ErasedAt)
	}
	if err != nil {
		return err
	}
	if vault.Sealed(r.Fingerprint) && texts.key != nil {
		r.Request, _ = texts.orDamaged().open("request", r.Request)
		var content order.Request
		if err := json.Unmarshal([]byte(r.Request), &content); err == nil && texts.key.Salted(content.Fingerprint()) == r.Fingerprint {
			r.Fingerprint = content.Fingerprint()
		}
	}
	return r.open(texts)
}

// hidden reports whether the entry cannot be read.
func (r *headedRow) hidden() bool {
	return hidden(r.instead.evidence) || hidden(r.instead.text) || hidden(r.instead.envelope) || hidden(r.Request)
}

// approval checks how an order goes on that waits for an approval.
func (c *auditCheck) approval(row headedRow) {
	approved := row.Action == ActionApprove && row.Outcome == outcomeDone
	if row.Seq == 1 {
		c.unsigned, c.approvers = false, nil
	}
	c.unsigned = c.unsigned || row.Code == codes.Unsigned && row.Outcome == outcomeDone
	if approved && !slices.ContainsFunc(c.approvers, func(name string) bool { return rules.SamePerson(name, row.Actor) }) {
		c.approvers = append(c.approvers, row.Actor)
	}
	if row.Before != order.AwaitingApproval || row.After == row.Before {
		return
	}
	switch row.Action {
	case ActionApprove:
		if c.unsigned && len(c.approvers) < 2 {
			c.breaks(row, "the start is not signed, so two persons must approve the order, and only %s has", row.Actor)
		}
	case ActionReject, ActionCancel, ActionUnanswered, ActionFind:
	default:
		c.breaks(row, "the order waited for an approval, and went on by %s", row.Action)
	}
}

// unread counts an entry that cannot be read. Its data key is one that is on record: without
// that, no worker starts that lacks the key.
func (c *auditCheck) unread(row headedRow) {
	c.report.Hidden++
	if row.erased() {
		c.gone = row
	} else if id, _, _ := strings.Cut(row.DataKey, ":"); !c.keyIDs[id] {
		c.breaks(row, "the entry cannot be read, and its data key %q is not on record: no process of the installation has used it", id)
	}
}

// erased reports whether the entry's key was destroyed.
func (r *headedRow) erased() bool {
	return r.instead.evidence == Erased || r.instead.text == Erased || r.instead.envelope == Erased
}

// seal checks the entry's seal. A missing seal breaks no chain, so that it does not
// hide what is wrong later in the chain.
func (c *auditCheck) seal(row headedRow) bool {
	var fault *seal.Fault
	if errors.As(c.keys.Check(row.Hash, row.Seal), &fault) {
		c.list(row, fault.Code, fault.Text)
		return false
	}
	return true
}

// proof checks the signature of an entry, and takes the rosters that came into force.
func (c *auditCheck) proof(row headedRow, genuine bool) {
	e, _ := row.entry("", nil) // without amounts, which are not compared
	e.At = moment(c.earliest(row))
	var refusal *order.Refusal
	if row.Action == ActionRoster && row.Merchant == "" && row.Number == "" {
		c.force = append(c.force, row)
		refusal = c.proofs.Roster(row.Evidence, e.At)
	} else {
		refusal = c.proofs.Check(e, genuine)
	}
	switch {
	case refusal != nil:
		c.list(row, refusal.Code, refusal.Text)
	case row.Envelope != "":
		c.report.Signed++
	}
}

// written is how long after the beginning of its transaction, which its time is, an entry is
// written at most. A worker may go on with a roster as long after its successor.
const written = time.Minute

// earliest returns the entry's time, or the earliest at which it can have been written: not
// before an earlier entry of its chain, and after each roster that has a lower id. Whoever
// writes entries could choose a time at which no roster, or an older one, was in force.
func (c *auditCheck) earliest(row headedRow) int64 {
	c.least = max(c.least, row.At)
	for _, roster := range c.force {
		if row.ID <= roster.ID {
			continue
		}
		c.least = max(c.least, roster.At+1)
		if row.At < roster.At-written.Milliseconds() { // no clock and no transaction explains that
			c.least = max(c.least, roster.At+written.Milliseconds()+1)
		}
	}
	return c.least
}

// opening checks that the order has the content and the expected fee with which it was
// opened.
func (c *auditCheck) opening(row headedRow) {
	fingerprint, _, _ := strings.Cut(row.Evidence, " ")
	var request order.Request
	if err := json.Unmarshal([]byte(row.Request), &request); err != nil || request.Fingerprint() != fingerprint || row.Fingerprint != fingerprint {
		c.breaks(row, "the order has other content than the one that was opened")
		return
	}
	opened := orderRow{Currency: row.Currency, ExpectedFee: row.ExpectedFee}
	if _, fee, found := strings.Cut(row.Evidence, feeMark); found && feeMark+fee != opened.feeEvidence() || !found && row.ExpectedFee != 0 {
		c.breaks(row, "the order has another expected fee than the one it was opened with")
	}
}

// end compares the chain that was read last with its head.
func (c *auditCheck) end() {
	switch {
	case c.last.Seq == 0 || c.broken:
	case c.last.Entries > c.last.Seq:
		c.breaks(c.last, "the chain ends with entry %d and had %d", c.last.Seq, c.last.Entries)
	case c.last.Entries < c.last.Seq:
		c.breaks(c.last, "the chain has %d entries and should have %d", c.last.Seq, c.last.Entries)
	case !bytes.Equal(c.last.Head, c.last.Hash):
		c.breaks(c.last, "the last entry is not the one that was written last")
	case c.gone.Seq > 0 && !c.erasedSince(c.gone):
		c.breaks(c.gone, "the entry cannot be read, as if it was erased, and no erasure of the order follows it")
	}
}

// erasedSince reports whether the order was erased after the entry. What was noted about
// its number before it was opened has a chain of its own.
func (c *auditCheck) erasedSince(row headedRow) bool {
	seq, erased := c.erased[order.Key{Merchant: row.Merchant, Number: row.Number}]
	return erased && (row.Chain == chainOther || seq > row.Seq)
}

func (c *auditCheck) breaks(row headedRow, format string, values ...any) {
	c.broken = true
	c.list(row, CodeChainBroken, fmt.Sprintf(format, values...))
}

func (c *auditCheck) list(row headedRow, code, detail string) {
	if len(c.report.Broken) >= maxBreaks {
		c.report.More++
		return
	}
	c.report.Broken = append(c.report.Broken, AuditBreak{
		Key: order.Key{Merchant: row.Merchant, Number: row.Number}, Seq: int(row.Seq), Code: code, Detail: detail,
	})
}

// tree compares the entries with the tree and the checkpoints.
func (c *auditCheck) tree(ctx context.Context, t tx, checkpoints []seal.Checkpoint) error {
	review, err := seal.NewReview(checkpoints...)
	if err != nil {
		return err
	}
	rows, err := t.Rows(ctx, `
		SELECT t.position, t.merchant, t.number, t.chain, t.seq, t.hash, a.hash AS current
		FROM audit_tree t
		LEFT JOIN audit a ON a.merchant = t.merchant AND a.number = t.number AND a.chain = t.chain AND a.seq = t.seq
		ORDER BY t.position`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	named := make(map[int64]auditRow) // the keys of entries that were changed
	for rows.Next() {
		var row struct {
			leafRow
			Current []byte `db:"current"`
		}
		if err := rows.StructScan(&row); err != nil {
			return err
		}
		if !bytes.Equal(row.Hash, row.Current) && len(named) < maxBreaks {
			named[row.Position] = auditRow{Merchant: row.Merchant, Number: row.Number, Seq: row.Seq}
		}
		review.Entry(seal.Leaf{Position: row.Position, Recorded: row.Hash, Current: row.Current})
	}
	for _, finding := range review.Findings() {
		c.list(headedRow{auditRow: named[finding.From]}, finding.Code, finding.Text)
	}
	c.report.Covered = review.Checked()
	if err := rows.Err(); err != nil {
		return err
	}
	return c.unplaced(ctx, t)
}

// unplaced finds entries with an id up to that of the last checkpoint that are not in
// the tree.
func (c *auditCheck) unplaced(ctx context.Context, t tx) error {
	var rows []auditRow
	err := t.List(ctx, &rows, `
		SELECT merchant, number, seq FROM audit a
		WHERE id <= (SELECT MAX(last_id) FROM checkpoints) AND NOT EXISTS (
			SELECT 1 FROM audit_tree t WHERE t.merchant = a.merchant AND t.number = a.number AND t.chain = a.chain AND t.seq = a.seq)
		ORDER BY id LIMIT ?`, maxBreaks)
	for _, row := range rows {
		c.list(headedRow{auditRow: row}, CodeUnplaced, "the entry is as old as those of a checkpoint, and no checkpoint covers it")
	}
	return err
}

// missing finds the chains that have no entries.
func (c *auditCheck) missing(ctx context.Context, t tx) error {
	var gone []struct {
		Merchant string `db:"merchant"`
		Number   string `db:"number"`
	}
	err := t.List(ctx, &gone, `
		SELECT merchant, number FROM orders o
		WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.merchant = o.merchant AND a.number = o.number AND a.chain = 'order')
		UNION ALL
		SELECT merchant, number FROM chains c
		WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.merchant = c.merchant AND a.number = c.number AND a.chain = 'other')
		ORDER BY merchant, number LIMIT ?`, maxBreaks)
	for _, chain := range gone {
		c.breaks(headedRow{auditRow: auditRow{Merchant: chain.Merchant, Number: chain.Number}}, "every entry of the chain is gone")
	}
	return err
}
