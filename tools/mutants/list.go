package main

// mutant is one guard taken out.
type mutant struct {
	name  string
	rule  int    // of docs/safety.md; 0: what people decide, which has no number there
	takes string // what is taken out
	file  string
	old   string // stands in the file exactly once
	new   string
	pkg   string
	run   string // names of the tests that are expected to go red, "A|B/sqlite"
}

// mutants is the whole list, in the order of the rules. Whoever changes a
// guard changes its mutant with it: a unit test demands that every old text is
// there.
var mutants = []mutant{
	// 1. The order number is chosen once.
	{
		name: "order_number_changes", rule: 1, takes: "every create carries the order's own number",
		file: "activities/gateway.go",
		old:  `OrderNumber: row.Number, Way: row.Way,`,
		new:  `OrderNumber: fmt.Sprint(row.Number, time.Now().Unix()), Way: row.Way,`,
		pkg:  "./workflows", run: "TestTheNumberNeverChanges",
	},
	{
		name: "number_of_another_order", rule: 1, takes: "a number that belongs to other content is refused",
		file: "ledger/open.go",
		old:  `if there.Fingerprint != row.Fingerprint {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestTheLedgerRemembers",
	},
	{
		name: "a_deadline_asks_nobody", rule: 19, takes: "an order that may be at the gateway is not rejected at a deadline unasked",
		file: "ledger/actions.go",
		old:  `if left = h.ApproveBefore.Sub(t.at); left > 0 || h.Unasked() {`,
		new:  `if left = h.ApproveBefore.Sub(t.at); left > 0 {`,
		pkg:  "./ledger", run: "TestUnaskedOrdersAreNotEnded/sqlite",
	},
	{
		name: "missing_funds_ask_nobody", rule: 19, takes: "an order that may be at the gateway does not fail for want of funds unasked",
		file: "ledger/actions.go",
		old:  `if left = due.Sub(t.at); left > 0 || h.Unasked() {`,
		new:  `if left = due.Sub(t.at); left > 0 {`,
		pkg:  "./ledger", run: "TestUnaskedOrdersAreNotEnded/sqlite",
	},
	{
		name: "a_person_asks_nobody", rule: 19, takes: "a person does not end an order that may be at the gateway unasked",
		file: "order/order.go",
		old:  `return !o.AskFirst.IsZero() && (o.State`,
		new:  `return false && (o.State`,
		pkg:  "./workflows", run: "TestNothingIsEndedUnasked",
	},
	{
		name: "squatter_is_the_order", rule: 1, takes: "a workflow of another queue or type is not taken for the order",
		file: "contract/order_workflow.go",
		old:  `case h.Queue != Queue:`,
		new:  `case h.Queue == "":`,
		pkg:  "./client", run: "TestWhatHasTheIDMustBeTheOrder",
	},
	{
		name: "other_content_exists", rule: 1, takes: "a workflow that was started with other content is not taken for the order",
		file: "client/holder.go",
		old:  `if there.Fingerprint() != request.Fingerprint() {`,
		new:  `if false {`,
		pkg:  "./client", run: "TestWhatHasTheIDMustBeTheOrder",
	},
	{
		name: "fingerprint_without_details", rule: 1, takes: "who is paid is part of an order's content",
		file: "order/request.go",
		old:  `content.Details = sent(r.Details)`,
		new:  `content.Details = nil`,
		pkg:  "./order", run: "TestFingerprint",
	},
	{
		name: "content_changes", rule: 1, takes: "the database refuses to change an order's content",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  "CREATE TRIGGER orders_content BEFORE UPDATE OF\n    id, merchant, number, folded, kind, country, way, currency, amount, beneficiary, fingerprint, request, created_at,\n",
		new:  "CREATE TRIGGER orders_content BEFORE UPDATE OF\n    id,\n",
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},

	// 2. A row before the create; a later attempt asks first.
	{
		name: "query_first", rule: 2, takes: "a later attempt asks before it sends",
		file: "activities/gateway.go",
		old:  `if len(earlier) > 0 || !row.AskFirst.IsZero() {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestACrashAfterTheRowAsksFirst",
	},
	{
		name: "row_first", rule: 2, takes: "the row is there before the create is sent",
		file: "activities/gateway.go",
		old: `	submission, err := g.ledger.NextSubmission(ctx, row.Key(), len(earlier))
	if errors.Is(err, ledger.ErrState) {
		return g.asItStands(ctx, row.Key()) // settled, or tried again, while we were on the way
	}
	if err != nil {
		return attempted{}, fmt.Errorf("write down the attempt for %s: %w", row.Key(), err)
	}
	answer := g.create(ctx, row)
`,
		new: `	answer := g.create(ctx, row)
	submission, err := g.ledger.NextSubmission(ctx, row.Key(), len(earlier))
	if errors.Is(err, ledger.ErrState) {
		return g.asItStands(ctx, row.Key()) // settled, or tried again, while we were on the way
	}
	if err != nil {
		return attempted{}, fmt.Errorf("write down the attempt for %s: %w", row.Key(), err)
	}
`,
		pkg: "./workflows", run: "TestTheRowIsThereBeforeTheCreate",
	},
	{
		name: "overlapping_attempts", rule: 2, takes: "of two attempts that have both asked, one sends",
		file: "ledger/submissions.go",
		old:  `if earlier != h.attempts {`,
		new:  `if earlier < 0 {`,
		pkg:  "./workflows", run: "TestOverlappingAttemptsSendOnce",
	},

	{
		name: "restored_is_sent_at_once", rule: 2, takes: "what may have been sent before the ledger's record begins is asked about",
		file: "activities/gateway.go",
		old:  `if len(earlier) > 0 || !row.AskFirst.IsZero() {`,
		new:  `if len(earlier) > 0 {`,
		pkg:  "./workflows", run: "TestAnOlderCopyOfTheLedgerPaysOnce",
	},
	{
		name: "adopted_is_sent_at_once", rule: 2, takes: "another run of an order's workflow asks first",
		file: "ledger/restore.go",
		old:  `if h.State.Terminal() || h.run == run {`,
		new:  `if true {`,
		pkg:  "./ledger", run: "TestReopen/sqlite",
	},
	{
		name: "opened_after_a_restore_is_sent_at_once", rule: 2, takes: "an order that is opened after a restore asks first",
		file: "ledger/restore.go",
		old:  `CASE WHEN ended = 0 THEN at ELSE 0 END`,
		new:  `CASE WHEN ended = 0 THEN 0 ELSE 0 END`,
		pkg:  "./ledger", run: "TestMarkRestored/sqlite",
	},
	{
		name: "lost_is_cancelled", rule: 6, takes: "what may be at the gateway since before a restore is not cancelled",
		file: "ledger/actions.go",
		old:  `return attempts.Heard > 0 || unasked, err`,
		new:  `return attempts.Heard > 0 || unasked && false, err`,
		pkg:  "./ledger", run: "TestReopen/sqlite",
	},
	{
		name: "absent_since_the_mark", rule: 5, takes: "the grace of what is not on record counts from the mark on",
		file: "activities/gateway.go",
		old:  `last := row.AskFirst`,
		new:  `var last time.Time`,
		pkg:  "./workflows", run: "TestTheGraceOfAMark",
	},

	// 3. What is not certain is unknown.
	{
		name: "ambiguous_is_refused", rule: 3, takes: "an answer that proves nothing leaves the order unknown",
		file: "activities/errors.go",
		old:  "default:\n\t\treturn outcomeUnknown,",
		new:  "default:\n\t\treturn outcomeRefused,",
		pkg:  "./workflows", run: "TestOutcomes",
	},
	{
		name: "no_answer_is_refused", rule: 3, takes: "no answer counts as possibly booked",
		file: "tarspay/errors.go",
		old:  "if !e.Operation.changes() || e.NotSent {\n\t\treturn false",
		new:  "if !e.Operation.changes() || e.NotSent || e.HTTPStatus == 0 {\n\t\treturn false",
		pkg:  "./tarspay", run: "TestOutcomeUnknown",
	},
	{
		name: "ambiguous_code_is_a_refusal", rule: 3, takes: "code 5003013 proves nothing about a payout",
		file: "tarspay/error_codes.yaml",
		old:  "- code: \"5003013\"\n  meaning: channel error\n  scope: order\n  classes: {create_deposit: ambiguous, create_withdrawal: ambiguous,",
		new:  "- code: \"5003013\"\n  meaning: channel error\n  scope: order\n  classes: {create_deposit: ambiguous, create_withdrawal: rejected,",
		pkg:  "./workflows", run: "TestOutcomes",
	},

	// 4. An order that exists is asked for.
	{
		name: "duplicate_is_a_failure", rule: 4, takes: "5003011 means that there is an order",
		file: "activities/errors.go",
		old:  `return outcomeDuplicate, order.Reason{`,
		new:  `return outcomeRefused, order.Reason{`,
		pkg:  "./workflows", run: "TestOutcomes",
	},

	// 5. Not found is proof after the grace only.
	{
		name: "no_grace", rule: 5, takes: "the grace since the last attempt",
		file: "activities/gateway.go",
		old:  `absent: wait <= 0,`,
		new:  `absent: true,`,
		pkg:  "./workflows", run: "TestACrashAfterTheRowAsksFirst",
	},
	{
		name: "grace_forgets_the_dead", rule: 5, takes: "an attempt that nobody ended counts from the last moment at which it may have been sent",
		file: "activities/gateway.go",
		old:  `end = submission.StartedAt.Add(longestAttempt)`,
		new:  `end = submission.StartedAt`,
		pkg:  "./workflows", run: "TestTheGraceOfAnAttemptThatNobodyEnded",
	},
	{
		name: "silence_is_absence", rule: 5, takes: "a query without a usable answer proves nothing",
		file: "activities/gateway.go",
		old:  "default:\n\t\treturn status, silent, err",
		new:  "default:\n\t\treturn status, absent, nil",
		pkg:  "./workflows", run: "TestSilenceIsNoProof",
	},

	// 6. Money is released on proof only.
	{
		name: "probable_refusal_is_believed", rule: 6, takes: "a refusal that is only probable is confirmed",
		file: "activities/errors.go",
		old:  `case gateway.Confirm():`,
		new:  `case false:`,
		pkg:  "./workflows", run: "TestAProbableRefusalIsConfirmed",
	},
	{
		name: "failure_callback_is_believed", rule: 6, takes: "a callback that would release money is confirmed",
		file: "activities/books.go",
		old:  `(!finding.ReleasesMoney() && !b.settings.ConfirmAll)`,
		new:  `!b.settings.ConfirmAll`,
		pkg:  "./workflows", run: "TestFailureIsConfirmedBeforeMoneyIsReleased",
	},
	{
		name: "refund_is_believed", rule: 6, takes: "a callback that speaks of a refund is confirmed",
		file: "order/finding.go",
		old:  `return f.Verdict == Unpaid || f.Verdict == Lapsed || f.Verdict == Returned`,
		new:  `return f.Verdict == Unpaid || f.Verdict == Lapsed`,
		pkg:  "./workflows", run: "TestARefundThatNobodyConfirms",
	},
	{
		name: "release_at_the_horizon", rule: 6, takes: "at the horizon the money stays and a person is asked",
		file: "workflows/payout.go",
		old:  `books.Review, p.request.Key(), reason)`,
		new:  `books.Settle, p.request.Key(), order.Finding{Source: order.FromQuery, Verdict: order.Unpaid, Reason: reason})`,
		pkg:  "./workflows", run: "TestHorizonEndsInReviewAndEvidenceResolves",
	},
	{
		name: "resolve_without_evidence", rule: 6, takes: "an operator's word needs evidence",
		file: "order/resolution.go",
		old:  `if blank(r.Evidence) {`,
		new:  `if false {`,
		pkg:  "./order", run: "TestResolutionPermit",
	},
	{
		name: "absence_without_recount", rule: 6, takes: "an attempt since the question keeps an order from being ended as absent",
		file: "ledger/absent.go",
		old:  `if h.attempts != asked {`,
		new:  `if false {`,
		pkg:  "./ledger", run: "TestRefuseAbsent/sqlite",
	},
	{
		name: "short_is_sent_again", rule: 6, takes: "an order that was refused for want of funds is not sent until they are there",
		file: "activities/funds.go",
		old:  `if now.short = missing != ""; now.short {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestFundsThatComeAtTheGateway",
	},
	{
		name: "any_attempt_releases", rule: 6, takes: "only the last attempt's refusal releases money",
		file: "ledger/submissions.go",
		old:  `counts := attempt == h.attempts || answer.Outcome == Accepted`,
		new:  `counts := attempt > 0`,
		pkg:  "./ledger", run: "TestOnlyTheLastAttemptReleasesMoney/sqlite",
	},

	// 7. Compare-and-set along the table; ends stick; money moves with them.
	{
		name: "no_compare_and_set", rule: 7, takes: "a change compares the state that it was decided on",
		file: "ledger/orders.go",
		old:  `WHERE id = ? AND state = ?`,
		new:  `WHERE id = ? AND ? <> ''`,
		pkg:  "./ledger", run: "TestChangesCompareTheState/sqlite",
	},
	{
		name: "ends_do_not_stick", rule: 7, takes: "terminal states are left by one move only",
		file: "order/state.go",
		old:  `{Succeeded, Refunded, both, "the gateway returned the money afterwards"},`,
		new:  `{Succeeded, Refunded, both, "the gateway returned the money afterwards"}, {Failed, Succeeded, both, "proof of payment"},`,
		pkg:  "./order", run: "TestTerminalStatesStick",
	},
	{
		name: "moves_off_the_table", rule: 7, takes: "the database refuses a move that is not on the table",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  "WHEN OLD.state <> NEW.state AND NOT EXISTS (",
		new:  "WHEN 1 = 0 AND NOT EXISTS (",
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "late_word_rewrites_an_end", rule: 7, takes: "a contradiction after the end opens a discrepancy and touches nothing",
		file: "order/effect.go",
		old:  `return Effect{Discrepancy: DiscrepancyPaidAfterEnd}`,
		new:  `return Effect{Path: []State{Succeeded}}`,
		pkg:  "./workflows", run: "TestTheWholeTable",
	},
	{
		name: "failure_undoes_a_success", rule: 7, takes: "a failure after success opens a discrepancy",
		file: "order/effect.go",
		old:  "\tcase Unpaid, Lapsed:\n\t\treturn Effect{Discrepancy: DiscrepancyUnpaidPaid}\n\tcase PartPaid:\n",
		new:  "\tcase Unpaid, Lapsed:\n\t\treturn Effect{Path: []State{Refunded}}\n\tcase PartPaid:\n",
		pkg:  "./workflows", run: "TestTheWholeTable",
	},
	{
		name: "late_payment_is_not_taken_back", rule: 7, takes: "a late payment that was credited and is returned goes back out of the books",
		file: "order/effect.go",
		old:  `if kind == Deposit && credited {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestTheWholeTable",
	},
	{
		name: "amount_that_changed_is_silent", rule: 7, takes: "another amount than the one that is booked opens a discrepancy",
		file: "order/effect.go",
		old:  `case f.Paid != (money.Amount{}) && f.Paid != o.Paid:`,
		new:  `case f.Paid == (money.Amount{}) && f.Paid == o.Paid:`,
		pkg:  "./ledger", run: "TestAContradictionOfAmountsIsTold/sqlite",
	},
	{
		name: "state_without_money", rule: 7, takes: "money moves with the state",
		file: "ledger/settle.go",
		old:  `return Settlement{Moved: len(effect.Path) > 0, Discrepancy: effect.Discrepancy}, t.bookAll(ctx, *h, transfers)`,
		new:  `return Settlement{Moved: len(effect.Path) > 0, Discrepancy: effect.Discrepancy}, t.bookAll(ctx, *h, transfers[:0])`,
		pkg:  "./workflows", run: "TestTheWholeTable",
	},
	{
		name: "reservation_outlives_its_order", rule: 7, takes: "an order that ends before it is sent gives back what it has reserved",
		file: "ledger/actions.go",
		old:  `if h.State == order.Reserved || h.State == order.Submitting && h.Kind == order.Withdrawal {`,
		new:  `if h.State == "" {`,
		pkg:  "./ledger", run: "TestRejectAndCancel/sqlite",
	},

	{
		name: "old_news_is_believed", rule: 7, takes: "a workflow passes over news that is older than what it knows",
		file: "workflows/payout.go",
		old:  `if order.Precedes(p.request.Kind, standing.State, p.standing.State) {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestOldNewsIsPassedOver",
	},
	// 8. Money follows from rows that were inserted.
	{
		name: "transfers_twice", rule: 8, takes: "an order makes each transfer once",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  `CREATE UNIQUE INDEX transfers_order ON transfers`,
		new:  `CREATE INDEX transfers_order ON transfers`,
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "money_from_messages", rule: 8, takes: "balances move by the rows that were added",
		file: "ledger/books.go",
		old:  `return added, err`,
		new:  `return rows, err`,
		pkg:  "./ledger", run: "TestMoneyFollowsFromRowsThatWereAdded/sqlite",
	},
	{
		name: "no_on_conflict", rule: 8, takes: "a transfer that is there already is left alone",
		file: "ledger/books.go",
		old:  "ON CONFLICT DO NOTHING\n\t\tRETURNING reason,",
		new:  "RETURNING reason,",
		pkg:  "./ledger", run: "TestMoneyFollowsFromRowsThatWereAdded/sqlite",
	},
	{
		name: "reservation_without_balance", rule: 8, takes: "money is set aside only where the balance covers it",
		file: "ledger/books.go",
		old:  `WHERE merchant = ? AND currency = ? AND available >= ?`,
		new:  `WHERE merchant = ? AND currency = ? AND ? IS NOT NULL`,
		pkg:  "./ledger", run: "TestOpenWithdrawalTakesTheLastRupeeAndNotOneMore/sqlite|TestConcurrentWithdrawalsNeverReserveTheSameMoneyTwice/sqlite",
	},
	{
		name: "duplicates_are_fresh", rule: 8, takes: "a callback that came before is not delivered again",
		file: "ledger/inbox.go",
		old:  `return id, received == 1, nil`,
		new:  `return id, received > 0, nil`,
		pkg:  "./callback", run: "TestDuplicates",
	},

	// 9. payAmount counts in states 2 and 9 only.
	{
		name: "pay_amount_of_a_failure", rule: 9, takes: "what a failure says was paid does not count",
		file: "order/finding.go",
		old:  `f := Finding{Source: source, Verdict: Judge(c.order.Kind, state), GatewayID: gatewayID}`,
		new:  "f := Finding{Source: source, Verdict: Judge(c.order.Kind, state), GatewayID: gatewayID}\n\tif f.Verdict == Unpaid && paid == c.order.Amount.Short() {\n\t\tf.Verdict = Paid\n\t}",
		pkg:  "./order", run: "TestFailureMovesNothing",
	},

	// 10. Callbacks are verified, stored, then signalled.
	{
		name: "ok_before_it_is_stored", rule: 10, takes: "OK goes out only when the callback is stored",
		file: "callback/handler.go",
		old:  `return &refusal{http.StatusServiceUnavailable, CodeStore, "the callback could not be stored; send it again"}`,
		new:  `return nil`,
		pkg:  "./callback", run: "TestDatabaseAway",
	},
	{
		name: "no_signature_check", rule: 10, takes: "a callback is signed by the gateway",
		file: "tarspay/callback.go",
		old:  `if !v.signed(body, signature) {`,
		new:  `if false {`,
		pkg:  "./callback", run: "TestRefuses",
	},
	{
		name: "foreign_merchant", rule: 10, takes: "a callback for a merchant that is not ours is refused",
		file: "callback/handler.go",
		old:  `case !slices.Contains(h.Merchants, callback.Merchant):`,
		new:  `case len(slices.Clone(h.Merchants)) == 0:`,
		pkg:  "./callback", run: "TestRefuses",
	},
	{
		name: "amount_not_compared", rule: 10, takes: "an answer's amount is compared with the order's",
		file: "order/finding.go",
		old:  `c.same("orderAmount", err == nil && amount == c.order.Amount)`,
		new:  `c.same("orderAmount", err == nil && amount.IsPositive())`,
		pkg:  "./order", run: "TestMismatches",
	},
	{
		name: "paid_not_compared", rule: 10, takes: "what was paid is compared with the order's amount",
		file: "order/finding.go",
		old:  `c.same("payAmount", err == nil && whole == 0)`,
		new:  `c.same("payAmount", err == nil)`,
		pkg:  "./order", run: "TestMismatches",
	},
	{
		name: "currency_not_compared", rule: 10, takes: "an answer's currency is compared with the order's",
		file: "order/finding.go",
		old:  `c.same("currency", currency == profile.GatewayCurrency || currency == c.order.Amount.Currency())`,
		new:  `c.same("currency", currency != "")`,
		pkg:  "./order", run: "TestMismatches",
	},
	{
		name: "merchant_not_compared", rule: 10, takes: "a callback's merchant is compared with the order's",
		file: "order/finding.go",
		old:  `check.same("mchNo", callback.Merchant == o.Merchant)`,
		new:  `check.same("mchNo", callback.Merchant != "")`,
		pkg:  "./order", run: "TestMismatches",
	},
	{
		name: "number_not_compared", rule: 10, takes: "a callback's order number is compared with the order's",
		file: "order/finding.go",
		old:  `check.same("mchOrderNo", callback.OrderNumber == o.Number)`,
		new:  `check.same("mchOrderNo", callback.OrderNumber != "")`,
		pkg:  "./order", run: "TestMismatches",
	},
	{
		name: "id_not_compared", rule: 10, takes: "an answer's payOrderId is compared with the one on record",
		file: "order/finding.go",
		old:  `GatewayIDFits(gatewayID) && (c.order.GatewayID == "" || c.order.GatewayID == gatewayID))`,
		new:  `GatewayIDFits(gatewayID))`,
		pkg:  "./order", run: "TestMismatches",
	},

	{
		name: "late_callback_is_forgotten", rule: 10, takes: "a late callback whose workflow is gone is acted on again",
		file: "ledger/inbox.go",
		old:  `OR status = 'late' AND told_at < ?`,
		new:  `OR status = 'late' AND told_at < ? AND 1 = 0`,
		pkg:  "./callback", run: "TestALateCallbackWhoseWorkflowIsGone",
	},
	{
		name: "one_callback_stops_the_sweep", rule: 10, takes: "a callback that fails alone is not taken for Temporal being away",
		file: "callback/sweep.go",
		old:  `delivered.Load() == 0 && waiting.count() >= sweepWorkers`,
		new:  `waiting.count() >= 1`,
		pkg:  "./callback", run: "TestACallbackThatFailsAloneHoldsNothingUp",
	},
	{
		name: "payment_without_amount", rule: 9, takes: "a callback that says paid says how much",
		file: "tarspay/callback.go",
		old:  `if required.name == "payAmount" && !callback.State.Paid() {`,
		new:  `if required.name == "payAmount" {`,
		pkg:  "./tarspay", run: "TestParseCallbackRefusesSignedNonsense",
	},

	// 11. The receiver starts no order's workflow.
	{
		name: "receiver_starts_the_order", rule: 11, takes: "a callback never starts an order's workflow",
		file: "callback/deliver.go",
		old:  "\tif !row.State.Terminal() {\n\t\td.warnOrphan(row)\n",
		new:  "\tif !row.State.Terminal() {\n\t\t_, _ = d.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: contract.WorkflowID(row.Key())}, contract.LateCallbackType, contract.LateCallbackInput{})\n\t\td.warnOrphan(row)\n",
		pkg:  "./callback", run: "TestNoOrderIsStarted",
	},

	// 12. Bad amounts are refused.
	{
		name: "amount_not_positive", rule: 12, takes: "an amount is above zero",
		file: "order/validate.go",
		old:  `if !r.Amount.IsPositive() {`,
		new:  `if r.Amount.Currency() == "" {`,
		pkg:  "./order", run: "TestValidateRefuses",
	},
	{
		name: "amount_too_precise", rule: 12, takes: "an amount has no more decimals than its currency",
		file: "money/money.go",
		old:  `if !minor.IsInteger() {`,
		new:  `if minor.Exponent() < -18 {`,
		pkg:  "./money", run: "TestParseAnswer",
	},
	{
		name: "dot_as_separator", rule: 12, takes: "at the door an amount has no decimals where its currency has none",
		file: "money/money.go",
		old:  `if plain(text) && point && len(decimals) > digits {`,
		new:  `if plain(text) && point && len(decimals) > 99 {`,
		pkg:  "./money", run: "TestParseRefuses",
	},
	{
		name: "answer_in_thousands", rule: 12, takes: "an answer that may separate thousands is not read",
		file: "money/money.go",
		old:  `plain(text) && len(decimals) == thousand`,
		new:  `plain(text) && len(decimals) < 0`,
		pkg:  "./money", run: "TestParseAnswer",
	},
	{
		name: "no_bound_of_an_amount", rule: 12, takes: "an amount has an upper bound",
		file: "order/validate.go",
		old:  `if !r.Amount.Within(money.Most) {`,
		new:  `if false {`,
		pkg:  "./order", run: "TestTheBoundNeedsNoLimit",
	},
	{
		name: "no_bound_of_a_row", rule: 12, takes: "the ledger refuses an amount beyond the bound",
		file: "ledger/orders.go",
		old:  `!request.Amount.Within(money.Most) {`,
		new:  `request.Amount.Within(-money.Most) {`,
		pkg:  "./ledger", run: "TestAmountsHaveABound/sqlite",
	},
	{
		name: "a_total_overflows", rule: 12, takes: "an order with which a total cannot be held is rejected",
		file: "ledger/open.go",
		old:  `unusable.Code == CodeSum {`,
		new:  `unusable.Code == "" {`,
		pkg:  "./ledger", run: "TestATotalThatOverflows/sqlite",
	},
	{
		name: "not_validated_at_the_door", rule: 12, takes: "a bad order is refused before anything is started",
		file: "client/client.go",
		old:  "(Started, error) {\n\tif err := request.Validate(nil); err != nil {\n\t\treturn c.repeated(ctx, request, err)\n\t}\n\tstarted, err :=",
		new:  "(Started, error) {\n\tstarted, err :=",
		pkg:  "./client", run: "TestBadAmountsStopAtTheDoor",
	},
	{
		name: "not_validated_when_opened", rule: 12, takes: "the activity that opens an order validates it again",
		file: "activities/books.go",
		old:  `if refusal := b.refuse(request); refusal != nil {`,
		new:  `if refusal := b.refuse(request); refusal != nil && refusal.Code == "" {`,
		pkg:  "./workflows", run: "TestRefusedAtTheDoor",
	},

	{
		name: "fee_above_the_amount", rule: 12, takes: "a fee that no order of the amount can have is not booked",
		file: "order/fee.go",
		old:  `return err == nil && more <= 0 && fee.Minor() >= 0`,
		new:  `return err == nil && more <= 9`,
		pkg:  "./order", run: "TestReadFee|TestAFeeOfAPersonHasBounds",
	},
	{
		name: "fee_refuses_the_payment", rule: 12, takes: "a fee finer than the currency is booked as far as it can be",
		file: "order/fee.go",
		old:  `fee := Fee{Amount: amount, Rest: rest, Believed: true}`,
		new:  `fee := Fee{Amount: none, Rest: 0, Believed: rest == 0}`,
		pkg:  "./order", run: "TestReadFee",
	},
	{
		name: "fee_rest_is_lost", rule: 12, takes: "what a fee is finer than is kept with the books",
		file: "ledger/books.go",
		old:  `fee_rest = fee_rest + ?,`,
		new:  `fee_rest = fee_rest + 0 * ?,`,
		pkg:  "./ledger", run: "TestAFeeThatIsFinerThanTheCurrency/sqlite",
	},

	// 13. A fault of every call holds back.
	{
		name: "auth_fault_fails_the_order", rule: 13, takes: "a fault of every call fails no order",
		file: "activities/errors.go",
		old:  `return outcomePaused, order.Reason{`,
		new:  `return outcomeRefused, order.Reason{`,
		pkg:  "./workflows", run: "TestAFaultOfEveryCallHoldsBack",
	},
	{
		name: "breaker_is_not_tripped", rule: 13, takes: "one order's fault of every call holds all others back",
		file: "activities/gateway.go",
		old:  `if answer.Outcome == ledger.Paused {`,
		new:  `if answer.Outcome == "" {`,
		pkg:  "./workflows", run: "TestOneFaultHoldsAllBack",
	},
	{
		name: "breaker_is_not_asked", rule: 13, takes: "nothing is sent while the merchant's breaker is open",
		file: "activities/gateway.go",
		old:  `if err != nil || reason.Code != "" {`,
		new:  `if err != nil {`,
		pkg:  "./workflows", run: "TestTheBreakerHoldsEveryOrderBack",
	},

	// 14. Nothing personal and no secret gets out.
	{
		name: "personal_data_in_texts", rule: 14, takes: "a request prints without personal data",
		file: "order/request.go",
		old:  `return fmt.Sprintf("%s %s (%s, %s %s)", r.Kind, r.Key(), r.Amount, r.Country, r.Way)`,
		new:  `return fmt.Sprintf("%s %s (%s, %s %s) %v", r.Kind, r.Key(), r.Amount, r.Country, r.Way, r.Details)`,
		pkg:  "./order", run: "TestRequestHidesPersonalData",
	},
	{
		name: "personal_data_in_reasons", rule: 14, takes: "digits are taken out of the gateway's free text",
		file: "order/finding.go",
		old:  `f.Reason.Text += ": " + clean(failReason)`,
		new:  `f.Reason.Text += ": " + failReason`,
		pkg:  "./order", run: "TestFailureMovesNothing",
	},
	{
		name: "secrets_in_texts", rule: 14, takes: "a secret prints as ***",
		file: "config/secret.go",
		old:  `_, _ = io.WriteString(f, hidden) }`,
		new:  `_, _ = io.WriteString(f, string(s)+hidden) }`,
		pkg:  "./config", run: "TestSecretIsNeverShown",
	},

	// 16. Every wait has a way on, a deadline, or a place in the queue.
	{
		name: "horizon_before_the_create", rule: 16, takes: "the horizon begins with the first create that may have been heard",
		file: "workflows/await.go",
		old:  `if sending.Sent && !p.sent {`,
		new:  `if !p.sent {`,
		pkg:  "./workflows", run: "TestAnOrderBehindABreakerOutlastsItsHorizon|TestTheHorizonBeginsWithTheFirstCreate",
	},
	{
		name: "first_create_is_no_news", rule: 16, takes: "the first create begins the horizon",
		file: "activities/gateway.go",
		old:  `news := tried.sent && !input.Sent || code != input.Code`,
		new:  `news := code != input.Code && !tried.sent`,
		pkg:  "./workflows", run: "TestTheHorizonBeginsWithTheFirstCreate",
	},
	{
		name: "table_is_asked_again", rule: 16, takes: "what the table of moves refuses is answered as it stands",
		file: "activities/books.go",
		old:  `if errors.Is(err, ledger.ErrState) {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestARefusalOfTheTableIsAnswered",
	},
	{
		name: "never_rests", rule: 16, takes: "what cannot be booked is not asked for at once",
		file: "workflows/await.go",
		old:  `p.fruitless = p.standing.State == before // it cannot be booked`,
		new:  `_ = before // it cannot be booked`,
		pkg:  "./workflows", run: "TestWhatCannotBeBookedRests",
	},
	{
		name: "unsent_is_nowhere", rule: 16, takes: "an order that cannot be sent is in the queue",
		file: "ledger/queue.go",
		old:  `{QueueUnsent, (*Ledger).unsentDue, tallyOrdersFor(waitingToBeSent)},`,
		new:  ``,
		pkg:  "./ledger", run: "TestUnsentOrdersAreTold/sqlite",
	},
	{
		name: "heard_is_cancelled", rule: 16, takes: "what the gateway may have heard of is not cancelled",
		file: "ledger/actions.go",
		old:  `if refusal := c.Permit(h.Order, sent); refusal != nil {`,
		new:  `if refusal := c.Permit(h.Order, sent && false); refusal != nil {`,
		pkg:  "./ledger", run: "TestUnsentOrdersAreCancelled/sqlite",
	},

	// 17. The payee is named by the country's profile, with the bank.
	{
		name: "payee_without_its_bank", rule: 17, takes: "the same number at another bank is another payee",
		file: "tarspay/payee.go",
		old:  `bank = p.bankOf(direction, way)`,
		new:  `bank = ""`,
		pkg:  "./ledger", run: "TestAKnownPayeeInDisguise/sqlite",
	},
	{
		name: "first_of_two_payees", rule: 17, takes: "an order that could name two payees names none",
		file: "tarspay/payee.go",
		old:  `if found.Account != "" && found != one {`,
		new:  `if found != one && false {`,
		pkg:  "./tarspay", run: "TestPayeeIsNotNamed",
	},
	{
		name: "two_payees_pass", rule: 17, takes: "two members that name two accounts are refused",
		file: "tarspay/payee_check.go",
		old:  `c.Payee(c.direction, c.way, c.fields); !one {`,
		new:  `c.Payee(c.direction, c.way, c.fields); !one && false {`,
		pkg:  "./tarspay", run: "TestConformance",
	},
	{
		name: "foreign_payee_members", rule: 17, takes: "a member that the country does not have and that could name a payee is refused",
		file: "tarspay/members.go",
		old:  `case direction == DirectionWithdrawal && namesPayee(name):`,
		new:  `case false:`,
		pkg:  "./tarspay", run: "TestMembersThatNameAnotherPayee",
	},
	{
		name: "unknown_members_pass", rule: 17, takes: "an unknown member is refused where the list is complete",
		file: "tarspay/members.go",
		old:  `case side.FieldsComplete:`,
		new:  `case false:`,
		pkg:  "./tarspay", run: "TestMembersThatNameAnotherPayee|TestConformance",
	},
	{
		name: "mangled_accounts_pass", rule: 17, takes: "an account is taken only as the country writes it",
		file: "tarspay/payee_check.go",
		old:  `	if good {`,
		new:  `	if good || true {`,
		pkg:  "./tarspay", run: "TestMangledAccounts",
	},
	{
		name: "many_spellings", rule: 17, takes: "one wallet under many spellings is one payee",
		file: "tarspay/payee.go",
		old:  `	text := plainText(value)`,
		new:  `	text := value`,
		pkg:  "./ledger", run: "TestOneWalletUnderManySpellings/sqlite",
	},
	{
		name: "near_misses_pass", rule: 17, takes: "a bank's code that is misspelt is refused where the list is not complete",
		file: "tarspay/similar.go",
		old:  `if side.WaysComplete || side.lists(way) || way == "" || !isSafeWay(way) {`,
		new:  `if true {`,
		pkg:  "./tarspay", run: "TestNearMisses",
	},

	{
		name: "own_check_ends_an_order", rule: 16, takes: "a check of one worker's own ends no order",
		file: "activities/errors.go",
		old:  `return outcomeUnsent, order.Reason{Code: order.CodeRefusedHere,`,
		new:  `return outcomeRefused, order.Reason{Code: order.CodeRefusedHere,`,
		pkg:  "./workflows", run: "TestAWorkersOwnCheckEndsNoOrder",
	},

	// 18. Times that prove something are compared on one clock, the ledger's.
	{
		name: "grace_by_the_machine", rule: 18, takes: "the grace is measured by the ledger's clock",
		file: "activities/gateway.go",
		old: `	now, err := g.ledger.Now(ctx)
	if err != nil {
		return lookedUp{}, err
	}
	status, found`,
		new: `	now, err := time.Now(), error(nil)
	if err != nil {
		return lookedUp{}, err
	}
	status, found`,
		pkg: "./workflows", run: "TestACrashAfterTheRowAsksFirst|TestTheGraceOfAnAttemptThatNobodyEnded",
	},
	{
		name: "approval_ends_with_the_timer", rule: 18, takes: "a timer ends no order before the deadline on record",
		file: "ledger/actions.go",
		old:  `if left = h.ApproveBefore.Sub(t.at); left > 0 || h.Unasked() {`,
		new:  `if h.Unasked() {`,
		pkg:  "./ledger", run: "TestApprovalsEndInTime/sqlite",
	},
	{
		name: "funds_end_with_the_timer", rule: 18, takes: "a timer fails no order before its deadline on record",
		file: "ledger/actions.go",
		old:  `if left = due.Sub(t.at); left > 0 || h.Unasked() {`,
		new:  `if h.Unasked() {`,
		pkg:  "./ledger", run: "TestFundsThatArrive/sqlite",
	},

	// 19. One order of the gateway belongs to one of ours.
	{
		name: "numbers_differ_in_capitals", rule: 19, takes: "a number that differs from another one in capitals only is refused",
		file: "ledger/orders.go",
		old:  `Folded: strings.ToLower(request.Number),`,
		new:  `Folded: strings.Clone(request.Number),`,
		pkg:  "./ledger", run: "TestNumbersThatDifferInCapitalsOnly/sqlite",
	},
	{
		name: "gateway_order_of_two", rule: 19, takes: "a gateway order that belongs to one order completes no other",
		file: "ledger/gateway_id.go",
		old:  `if err != nil || len(numbers) == 0 {`,
		new:  `if true {`,
		pkg:  "./ledger", run: "TestAGatewayOrderBelongsToOneOrder/sqlite",
	},
	{
		name: "gateway_order_of_two_in_the_database", rule: 19, takes: "the database keeps a gateway order for one order",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  "CREATE UNIQUE INDEX orders_gateway_id",
		new:  "CREATE INDEX orders_gateway_id",
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},

	// 20. What is on record wins over today's settings.
	{
		name: "judged_by_today", rule: 20, takes: "an order that is there is answered before a request is validated",
		file: "activities/books.go",
		old:  `if err == nil && opening == "" {`,
		new:  `if err == nil {`,
		pkg:  "./workflows", run: "TestWhatIsThereIsNotJudgedByToday",
	},
	{
		name: "horizon_of_today", rule: 20, takes: "the horizon is on record",
		file: "activities/settings.go",
		old:  `if row.Horizon > 0 {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestTheDeadlinesOfItsOpeningHold",
	},
	{
		name: "funds_deadline_of_today", rule: 20, takes: "the deadline for funds is on record",
		file: "activities/settings.go",
		old:  `if !row.FundsBefore.IsZero() {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestTheDeadlinesOfItsOpeningHold",
	},
	{
		name: "repetition_judged_by_today", rule: 20, takes: "a repetition is found although today's rules refuse it",
		file: "client/holder.go",
		old: `started, _, err := c.existing(ctx, request)
	if err != nil {
		return Started{}, refusal`,
		new: `started, _, err := c.existing(ctx, request)
	if err != nil || refusal != nil {
		return Started{}, refusal`,
		pkg: "./client", run: "TestARepetitionUnderStricterRules",
	},

	// What explains a difference of balances.
	{
		name: "unsent_explains_drift", takes: "only what was sent explains a difference of balances",
		file: "ledger/snapshots.go",
		old:  `judge(row.Drift, row.SentWithdrawalAmount, row.SentDepositAmount, row.FeeRest)`,
		new:  `judge(row.Drift, row.OpenWithdrawalAmount, row.OpenDepositAmount, row.FeeRest)`,
		pkg:  "./workflows", run: "TestUnsentOrdersExplainNoDrift",
	},
	{
		name: "booked_meanwhile", takes: "a look during which something is booked shows no drift",
		file: "ledger/snapshots.go",
		old:  `if ours.Booked != before {`,
		new:  `if false {`,
		pkg:  "./ledger", run: "TestWhatIsBookedMeanwhileIsNoDrift/sqlite",
	},
	{
		name: "one_look_is_drift", takes: "a difference is drift when two looks show the same",
		file: "ledger/snapshots.go",
		old:  `if same > 0 {`,
		new:  `if true {`,
		pkg:  "./ledger", run: "TestTakeSnapshot/sqlite",
	},

	{
		name: "lacking_worker_rejects", rule: 20, takes: "what only this worker lacks rejects no order",
		file: "activities/books.go",
		old:  `if lacks == "" {`,
		new:  `if true {`,
		pkg:  "./workflows", run: "TestWhatAWorkerLacksAnotherOneDoes",
	},
	{
		name: "attempt_without_a_key", rule: 20, takes: "a worker without the merchant's key writes no attempt",
		file: "activities/gateway.go",
		old:  `if err := g.lacks(ctx, row.Merchant, row.Country); err != nil {`,
		new:  `if err := g.lacks(ctx, row.Merchant, row.Country); err != nil && false {`,
		pkg:  "./workflows", run: "TestAWorkerWithoutTheKeyWritesNoAttempt",
	},

	// Approval, operators and what outlives them.
	{
		name: "approved_by_the_requester", takes: "the approver is another person than the requester",
		file: "order/action.go",
		old:  `if SamePerson(a.By, o.RequestedBy) {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestApprovedOrdersArePaid",
	},
	{
		name: "approved_without_fingerprint", takes: "what is approved is what is paid",
		file: "order/action.go",
		old:  `if !beginsFingerprint(a.Fingerprint, o.Fingerprint) {`,
		new:  `if a.Fingerprint == "" {`,
		pkg:  "./workflows", run: "TestApprovedOrdersArePaid",
	},
	{
		name: "approval_of_any_content", takes: "an approval names the content that it is for, with eight digits at least",
		file: "order/action.go",
		old:  `return len(given) >= leastFingerprint && strings.HasPrefix(whole, given)`,
		new:  `return strings.HasPrefix(whole, given)`,
		pkg:  "./order", run: "TestApprovalPermit",
	},
	{
		name: "approved_too_late", takes: "an approval has a deadline",
		file: "order/action.go",
		old:  `late := o.State == AwaitingApproval && !o.ApproveBefore.IsZero() && at.After(o.ApproveBefore)`,
		new:  `late := o.State == AwaitingApproval && at.IsZero()`,
		pkg:  "./order", run: "TestApprovalPermit",
	},
	{
		name: "no_hard_limit", takes: "an order above a hard limit is refused",
		file: "order/policy.go",
		old:  `case limits.refuses && found.above(limits.refuse):`,
		new:  `case limits.refuses && found.beyond:`,
		pkg:  "./workflows", run: "TestHardLimits",
	},
	{
		name: "no_soft_limit", takes: "an order above a soft limit waits for a second person",
		file: "order/policy.go",
		old:  `case limits.approves && found.above(limits.approve):`,
		new:  `case limits.approves && found.beyond:`,
		pkg:  "./workflows", run: "TestRejectedOrdersAreNotSent",
	},
	{
		name: "one_person_resolves", takes: "two persons resolve a review where the policy says so",
		file: "activities/actions.go",
		old:  `b.settings.Policy.TwoPersonResolve()`,
		new:  `false`,
		pkg:  "./workflows", run: "TestTwoPersonsResolve",
	},
	{
		name: "one_person_twice", takes: "the second person is another one than the first",
		file: "order/action.go",
		old:  `if SamePerson(r.By, first.By) {`,
		new:  `if false {`,
		pkg:  "./order", run: "TestSecond",
	},
	{
		name: "cancel_after_submission", takes: "what may have been sent cannot be withdrawn",
		file: "order/action.go",
		old:  `if sent || !CanMove(o.Kind, o.State, Cancelled) {`,
		new:  `if false {`,
		pkg:  "./order", run: "TestPermitByState",
	},
	{
		name: "action_twice", takes: "an action that is delivered again is not done again",
		file: "ledger/actions.go",
		old:  "\tif found {\n\t\tresult.done = earlier.Action\n",
		new:  "\tif found && earlier.Seq == 0 {\n\t\tresult.done = earlier.Action\n",
		pkg:  "./ledger", run: "TestActionsWithAnIDAreDoneOnce/sqlite",
	},
	{
		name: "one_person_adjusts", takes: "another person than the one who proposed it confirms an adjustment",
		file: "ledger/adjustments.go",
		old:  `if order.SamePerson(by, r.Actor) {`,
		new:  `if false {`,
		pkg:  "./ledger", run: "TestAnotherPersonConfirms/sqlite",
	},
	{
		name: "one_person_adjusts_in_sql", takes: "the database refuses an adjustment that one person proposed and confirmed",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  `CHECK (state <> 'booked' OR lower(trim(decided_by)) <> lower(trim(actor)))`,
		new:  `CHECK (state <> '')`,
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "adjusted_twice", takes: "an adjustment moves its money once",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  `CREATE UNIQUE INDEX transfers_adjustment ON transfers`,
		new:  `CREATE INDEX transfers_adjustment ON transfers`,
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "frozen_overdrawn", takes: "what was frozen when the books were opened ends once",
		file: "ledger/adjustments.go",
		old:  `if row.Amount > left {`,
		new:  `if row.Amount < 0 {`,
		pkg:  "./ledger", run: "TestFrozenEndsOnce/sqlite",
	},
	{
		name: "adjustment_changes", takes: "the database refuses to change what a person has proposed",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  "id, merchant, ref, currency, kind, amount, actor, why, evidence, proposed_at ON adjustments",
		new:  "id ON adjustments",
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "adjustment_decided_twice", takes: "the database refuses to decide an adjustment again",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  `WHEN OLD.state <> 'proposed'`,
		new:  `WHEN OLD.state = ''`,
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "transfer_without_decision", takes: "the database refuses a transfer that is not what two persons decided",
		file: "ledger/migrations/sqlite/00001_ledger.sql",
		old:  `WHERE a.id = NEW.adjustment_id AND a.state = 'booked' AND`,
		new:  `WHERE a.id = NEW.adjustment_id AND`,
		pkg:  "./ledger", run: "TestTheDatabaseGuardsItself/sqlite",
	},
	{
		name: "audit_without_chain", takes: "each entry of the audit is chained to the one before",
		file: "ledger/chain.go",
		old:  `w.text(string(previous))`,
		new:  `w.text("")`,
		pkg:  "./ledger", run: "TestTheAuditsHash|TestTampering/sqlite",
	},
	{
		name: "young_transactions", takes: "what has ended within the lag is not compared",
		file: "ledger/transactions.go",
		old:  `case !row.OrderState.Terminal() || row.UpdatedAt >= endedBefore.UnixMilli():`,
		new:  `case !row.OrderState.Terminal():`,
		pkg:  "./ledger", run: "TestRecordsThatDiffer/sqlite",
	},
	{
		name: "shifted_history_is_whole", takes: "a history that changes while it is read is read again",
		file: "activities/reconcile_transactions.go",
		old:  `if page.Total != p.Total || p.Page > maxPages {`,
		new:  `if p.Page > maxPages {`,
		pkg:  "./workflows", run: "TestAHistoryThatNeverStandsStill",
	},
	{
		name: "no_endpoint_is_an_empty_history", takes: "a gateway without the history is told apart from an empty one",
		file: "activities/reconcile_transactions.go",
		old:  `case errors.As(err, &gateway) && noSuchEndpoint(gateway):`,
		new:  `case false:`,
		pkg:  "./workflows", run: "TestNoHistoryIsNotAnEmptyHistory",
	},
	{
		name: "history_is_proof", takes: "the history's word opens nothing until the gateway was asked",
		file: "ledger/transactions.go",
		old:  `found.Doubtful = append(found.Doubtful, r.key())`,
		new:  `member = "state"`,
		pkg:  "./ledger", run: "TestRecordsThatDiffer/sqlite",
	},
	{
		name: "listed_refund_is_a_success", takes: "a refund stays known although the history lists a success",
		file: "ledger/records.go",
		old:  `state = CASE WHEN gateway_records.state = 5 AND excluded.source = 'history' THEN 5 ELSE excluded.state END`,
		new:  `state = excluded.state`,
		pkg:  "./ledger", run: "TestKeepRecords/sqlite",
	},
	{
		name: "gap_is_reconciled", takes: "a day that was missed is not taken for compared",
		file: "ledger/transactions.go",
		old:  `WHERE merchant = ? AND up_to >= ? AND up_to < ?`,
		new:  `WHERE merchant = ? AND 0 < ? AND up_to < ?`,
		pkg:  "./ledger", run: "TestMarkReconciled/sqlite",
	},
	{
		name: "absent_failures_are_missing", takes: "an order that failed here and is not there is no difference",
		file: "activities/reconcile_ended.go",
		old:  `if !row.Paid.IsPositive() {`,
		new:  `if false {`,
		pkg:  "./workflows", run: "TestP10ACleanRunReportsNothing/sqlite",
	},
	{
		name: "refund_told_not_booked", takes: "what the answer proves is booked through Settle",
		file: "activities/reconcile_ended.go",
		old:  `if !effect.Moves() && effect.Discrepancy == "" {`,
		new:  `if effect.Discrepancy == "" {`,
		pkg:  "./workflows", run: "TestALateRefundIsFound",
	},
	{
		name: "unmatched_at_once", takes: "a callback is given time to find its order",
		file: "activities/reconcile_plan.go",
		old:  `before := now.Add(-b.settings.ReconcileLag)`,
		new:  `before := now`,
		pkg:  "./workflows", run: "TestP10EveryPlantedDiscrepancyIsFound/sqlite",
	},
	{
		name: "proposal_is_a_settlement", takes: "what the merchant took out is booked when two persons have booked it",
		file: "ledger/transactions.go",
		old:  `kind = 'settlement' AND state = 'booked'`,
		new:  `kind = 'settlement'`,
		pkg:  "./ledger", run: "TestRecordsWithoutOrder/sqlite",
	},
	{
		name: "merchants_wait_for_each_other", takes: "an unreachable merchant holds up comparing no other",
		file: "workflows/abreast.go",
		old:  `const abreast = 16`,
		new:  `const abreast = 1`,
		pkg:  "./workflows", run: "TestNobodyWaitsForAnUnreachableMerchant|TestNobodyWaitsForAnUnreachableMerchantsTransactions",
	},
	{
		name: "temporal_decides", takes: "where the ledger has an order, its word is shown",
		file: "cmd/starter/standing.go",
		old:  `document.Order, document.Source = by.Order, by.Source`,
		new:  `document.Source = by.Source`,
		pkg:  "./cmd/starter", run: "TestWhateverShowsAnOrderAsksTheLedger",
	},
	{
		name: "dead_workflow_is_no_problem", takes: "an open order whose workflow was terminated shows as one that nobody drives",
		file: "cmd/starter/standing.go",
		old:  `case !there.Open:`,
		new:  `case false:`,
		pkg:  "./cmd/starter", run: "TestTheLedgerDecides",
	},
	{
		name: "comparison_forgets_a_page", takes: "a comparison of Temporal with the ledger counts when its last page is compared",
		file: "activities/unwritten.go",
		old:  `if progress.Token = page.GetNextPageToken(); len(progress.Token) == 0 {`,
		new:  `if progress.Token = page.GetNextPageToken(); true {`,
		pkg:  "./activities", run: "TestWhatOnlyTemporalHasIsFound",
	},
	{
		name: "lost_order_is_sent_at_once", rule: 2, takes: "an order that only Temporal has is asked about before it is sent",
		file: "activities/actions.go",
		old:  `terms.WaitForFunds, terms.AskFirst, terms.Run = true, true, adoption.Run`,
		new:  `terms.WaitForFunds, terms.AskFirst, terms.Run = true, false, adoption.Run`,
		pkg:  "./cmd/starter", run: "TestAdoptWhatTheLedgerLost",
	},
	{
		name: "cancelled_workflow_abandons", takes: "cancelling the workflow does not abandon the order",
		file: "workflows/payout.go",
		old:  `ctx, _ = workflow.NewDisconnectedContext(ctx)`,
		new:  ``,
		pkg:  "./workflows", run: "TestCancellingTheWorkflowDoesNotAbandonTheOrder",
	},
	// The doors: what the gateway, and whoever reaches a listener, may do to us.
	{
		name: "switched_connection_is_read", takes: "an answer that switches protocols ends the call",
		file: "tarspay/client.go",
		old:  `if response.StatusCode < http.StatusOK {`,
		new:  `if false {`,
		pkg:  "./tarspay", run: "TestAnswersThatHoldTheLine",
	},
	{
		name: "body_outlives_its_call", takes: "a body that is still open at the end of the call's time is closed",
		file: "tarspay/client.go",
		old:  `stop := context.AfterFunc(ctx, func() { _ = response.Body.Close() })`,
		new:  `stop := func() {}`,
		pkg:  "./tarspay", run: "TestABodyIsClosedInTime",
	},
	{
		name: "run_never_ends", rule: 15, takes: "a run takes so many messages and no more",
		file: "workflows/turnover.go",
		old:  `p.updates >= maxUpdates || p.heard >= maxSignals ||`,
		new:  ``,
		pkg:  "./workflows", run: "TestARunTakesSoManyMessages",
	},
	{
		name: "anybody_hands_on", rule: 15, takes: "only a run that Temporal continued believes what it is handed",
		file: "workflows/turnover.go",
		old:  `if !continued(ctx) {`,
		new:  `if raw.Payload() == nil {`,
		pkg:  "./workflows", run: "TestNobodyElseHandsAnythingOn",
	},
	{
		name: "id_of_another_action", rule: 0, takes: "an action is not answered as another one of the same id was",
		file: "ledger/actions.go",
		old:  `if found && !repeats(earlier.Action, a.entry.action) {`,
		new:  `if found && a.permit == nil {`,
		pkg:  "./ledger", run: "TestActionsWithAnIDAreDoneOnce/sqlite",
	},
	{
		name: "bad_start_goes_on", rule: 15, takes: "what is no order is refused before anything is done",
		file: "workflows/start.go",
		old:  `err = startable(ctx, kind, request)`,
		new:  `err = nil`,
		pkg:  "./workflows", run: "TestAStartThatIsNoOrder",
	},
	{
		name: "refused_start_is_not_told", rule: 15, takes: "the result says that nothing is on record",
		file: "workflows/start.go",
		old:  `p.unrecorded = true`,
		new:  ``,
		pkg:  "./workflows", run: "TestAStartThatIsNoOrder",
	},
	{
		name: "every_number_is_free", rule: 1, takes: "an id is used again only after a refusal of which nothing is on record",
		file: "client/holder.go",
		old:  `return err == nil && view.Unrecorded && view.Unwritten()`,
		new:  `return err == nil`,
		pkg:  "./client", run: "TestANumberIsFreeAfterARefusalOnly",
	},
	{
		name: "refusal_echoes_the_update", rule: 15, takes: "a refusal of a long update does not carry it",
		file: "worker/rejections.go",
		old:  `input.Args = nil`,
		new:  `_ = input`,
		pkg:  "./worker", run: "TestRefusalsAreShort",
	},
	{
		name: "malformed_signal_is_followed", rule: 15, takes: "a signal that names no callback of the inbox is ignored",
		file: "workflows/listen.go",
		old:  `if err := read(raw, &callback); err != nil || !inboxID(callback.ID) {`,
		new:  `if _ = read(raw, &callback); callback.ID == "nothing" {`,
		pkg:  "./workflows", run: "TestJunkSignalsChangeNothing",
	},
	{
		name: "undecryptable_signal_stops_the_worker", rule: 15, takes: "what an outsider encrypts stops no worker",
		file: "codec/codec.go",
		old:  `raw, ok := into.(*converter.RawValue)`,
		new:  "raw, ok := into.(*converter.RawValue)\n\tok = ok && false",
		pkg:  "./workflows", run: "TestJunkSignalsChangeNothing|TestJunkUpdatesAreRefused",
	},
	{
		name: "foreign_callback_is_applied", rule: 15, takes: "a callback of another order is not this order's",
		file: "activities/books.go",
		old:  `case entry.Key() != key:`,
		new:  `case key.Number == "":`,
		pkg:  "./workflows", run: "TestJunkSignalsChangeNothing",
	},
	{
		name: "noise_fills_the_audit", rule: 15, takes: "what is ignored is on record once",
		file: "ledger/ignored.go",
		old:  `found || err != nil {`,
		new:  `found && e.mark == "" || err != nil {`,
		pkg:  "./workflows", run: "TestJunkSignalsChangeNothing",
	},
	{
		name: "junk_update_is_written_down", rule: 15, takes: "an update that is no action is refused before it is written down",
		file: "workflows/messages.go",
		old:  "if err == nil {\n\t\t\t\t\terr = errors.Join(p.busy(), p.insists(action))\n\t\t\t\t}\n\t\t\t\treturn refused(err)",
		new:  "_ = err\n\t\t\t\treturn errors.Join(p.busy(), p.insists(action))",
		pkg:  "./workflows", run: "TestJunkUpdatesAreRefused",
	},
	{
		name: "refusals_fill_the_history", rule: 0, takes: "the same refused action is refused from memory",
		file: "workflows/insistence.go",
		old:  `if !known || earlier.times < sameRefusals {`,
		new:  `if !known || earlier.times >= 0 {`,
		pkg:  "./workflows", run: "TestTheSameRefusedActionFillsNoHistory",
	},
	{
		name: "refusals_fill_the_audit", rule: 0, takes: "a person's refusal is written down so often and no more",
		file: "ledger/chain.go",
		old:  `return found >= sameRefusals, err`,
		new:  `return false, err`,
		pkg:  "./ledger", run: "TestTheSameRefusalIsWrittenDownSoOften/sqlite",
	},
	{
		name: "long_texts_pass", rule: 0, takes: "a text that is longer than it may be is refused",
		file: "order/bounds.go",
		old:  `if len(text) <= most {`,
		new:  `if len(text) <= 100*most {`,
		pkg:  "./order", run: "TestTextsAreBounded",
	},
	{
		name: "a_full_workflow_is_called_away", rule: 0, takes: "a workflow that takes no more messages is told apart from a Temporal that is away",
		file: "client/client.go",
		old:  "var full *serviceerror.FailedPrecondition\n\tif errors.As(err, &full) {",
		new:  "var full *serviceerror.FailedPrecondition\n\tif errors.As(err, &full) && false {",
		pkg:  "./client", run: "TestTemporalsLimitsAreToldApart",
	},
	{
		name: "repeated_member_is_read", rule: 15, takes: "what comes from outside is read strictly",
		file: "order/read.go",
		old:  `json.RejectUnknownMembers(true)`,
		new:  `json.RejectUnknownMembers(false)`,
		pkg:  "./order", run: "TestReadIsStrict",
	},
	{
		name: "forged_bodies_are_read", rule: 10, takes: "a long body whose bytes do not verify is not read",
		file: "tarspay/callback.go",
		old:  `if len(body) > maxRewrittenBytes ||`,
		new:  `if false && len(body) > 0 ||`,
		pkg:  "./tarspay", run: "TestForgedBodiesAreNotRead",
	},
	{
		name: "many_members_are_read", rule: 10, takes: "a body of many members whose bytes do not verify is not read",
		file: "tarspay/callback.go",
		old:  `bytes.Count(body, []byte{'"'}) > maxRewrittenQuote ||`,
		new:  ``,
		pkg:  "./tarspay", run: "TestForgedBodiesAreNotRead",
	},
	{
		name: "busy_receiver_reads_on", takes: "a body for which there is no place is not read",
		file: "callback/handler.go",
		old:  `case h.admission.lane(r.ContentLength).full():`,
		new:  `case false:`,
		pkg:  "./callback", run: "TestATurnedAwayBodyIsNotRead",
	},
	{
		name: "one_lane", takes: "long bodies wait in a queue of their own",
		file: "callback/admission.go",
		old:  `if length > shortBody {`,
		new:  `if false {`,
		pkg:  "./callback", run: "TestLongBodiesDoNotHoldShortOnesUp",
	},
	{
		name: "lane_without_end", takes: "a lane that is full takes no more",
		file: "callback/admission.go",
		old:  "	default:\n\t\treturn false\n",
		new:  "	default:\n\t\twork()\n\t\treturn true\n",
		pkg:  "./callback", run: "TestLongBodiesDoNotHoldShortOnesUp",
	},
	{
		name: "connections_without_end", takes: "who keeps the receiver waiting makes room for others",
		file: "callback/server.go",
		old:  `if len(c.open) > c.limit {`,
		new:  `if false {`,
		pkg:  "./callback", run: "TestConnectionsThatKeepWaiting|TestWorkIsNotCutOff",
	},
	{
		name: "work_is_cut_off", takes: "a callback that has arrived is not cut off to make room",
		file: "callback/server.go",
		old:  "		c.waiting.Remove(place)\n\t\tc.open[connection] = nil\n",
		new:  ``,
		pkg:  "./callback", run: "TestWorkIsNotCutOff",
	},
	{
		name: "misspelt_setting", takes: "a setting that nobody knows is refused",
		file: "config/load.go",
		old:  "	p.unknown()\n",
		new:  ``,
		pkg:  "./config", run: "TestMisspeltVariables",
	},
	{
		name: "file_that_others_write", takes: "a key or a policy that others may write is refused",
		file: "config/files.go",
		old:  `mode.Perm()&0o022 != 0`,
		new:  `mode.Perm()&0 != 0`,
		pkg:  "./config", run: "TestFilesOpenToOthers|TestEveryTrustedFileIsLookedAt",
	},
	{
		name: "file_that_others_replace", takes: "a key or a policy that others may replace is refused",
		file: "config/files.go",
		old:  `mode.Perm()&0o002 != 0`,
		new:  `mode.Perm()&0 != 0`,
		pkg:  "./config", run: "TestFilesOpenToOthers",
	},
	{
		name: "notify_nobody", takes: "callbacks are sent where the receiver takes them",
		file: "config/parts.go",
		old:  `case parsed.EscapedPath() != CallbackPath:`,
		new:  `case false:`,
		pkg:  "./config", run: "TestOneProblem",
	},
	{
		name: "clear_text_database", takes: "a database on another machine is spoken to in cipher",
		file: "ledger/engine.go",
		old:  `err != nil && !options.unencrypted {`,
		new:  `err != nil && false {`,
		pkg:  "./ledger", run: "TestUnencryptedConnections",
	},
	{
		name: "any_session", takes: "a session is asked for that takes writes",
		file: "ledger/engine.go",
		old:  `config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite`,
		new:  ``,
		pkg:  "./ledger", run: "TestSessionsTakeWrites",
	},
	{
		name: "pinned_to_the_standby", takes: "a session that takes no writes is not used again",
		file: "ledger/tx.go",
		old:  `l.renew()`,
		new:  ``,
		pkg:  "./ledger", run: "TestSessionsThatTurnReadOnly",
	},
	{
		name: "ready_without_writing", takes: "who cannot write orders is not ready",
		file: "ledger/ledger.go",
		old:  `err := l.engine.ready(ctx, l.write)`,
		new:  `err := error(nil)`,
		pkg:  "./ledger", run: "TestReady|TestReadySaysThatNothingCanBeWritten",
	},
	{
		name: "rate_of_attempts", takes: "the limit of calls limits calls",
		file: "worker/worker.go",
		old:  `float64(r.Gateway) / activities.CallsPerOrderAttempt`,
		new:  `float64(r.Gateway)`,
		pkg:  "./worker", run: "TestRatesAreOfCalls",
	},
	{
		name: "codec_answers_anybody", takes: "without a token only this machine is answered",
		file: "cmd/codec/server.go",
		old:  `case a.token == "" && (!local(host) || forwarded(r.Header)):`,
		new:  `case false && host == "":`,
		pkg:  "./cmd/codec", run: "TestServerRefuses",
	},
	{
		name: "codec_under_any_name", takes: "the codec server answers under its own names",
		file: "cmd/codec/server.go",
		old:  `if !local(host) && !slices.Contains(a.hosts, host) {`,
		new:  `if false {`,
		pkg:  "./cmd/codec", run: "TestServerRefuses",
	},
	{
		name: "codec_without_bounds", takes: "a request's payloads are bounded",
		file: "cmd/codec/server.go",
		old:  `bytes.Count(body, []byte{'{'}) > 2*maxPayloads+1`,
		new:  `false`,
		pkg:  "./cmd/codec", run: "TestServerBounds",
	},
	{
		name: "refused_by_nobody", takes: "a refusal says whether it is ours or the gateway's",
		file: "activities/errors.go",
		old:  `case gateway.Class == tarspay.ClassRejected && gateway.NotSent:`,
		new:  `case false:`,
		pkg:  "./activities", run: "TestARefusalSaysWhoseItIs",
	},
	{
		name: "readiness_that_hangs", takes: "readiness is answered whatever a check does",
		file: "admin/admin.go",
		old:  `return ctx.Err()`,
		new:  `return nil`,
		pkg:  "./admin", run: "TestACheckThatHangs",
	},
	{
		name: "busy_is_unexpected", takes: "a database that did not get to it is told apart",
		file: "ledger/ledger.go",
		old:  `late := errors.Is(ctx.Err(), context.DeadlineExceeded)`,
		new:  `return err` + "\n\tlate := false",
		pkg:  "./ledger", run: "TestBusy",
	},
	{
		name: "ledger_error_ends_the_order", rule: 15, takes: "what the ledger cannot do is tried again",
		file: "workflows/persist.go",
		old:  "if err := p.pause(ctx, err); err != nil {\n\t\t\treturn err\n\t\t}",
		new:  "return err",
		pkg:  "./workflows", run: "TestNothingFailsAnOrder",
	},
	{
		name: "mistake_of_ours_is_no_proof", rule: 15, takes: "an error that says nothing of the order hands it to nobody",
		file: "workflows/payout.go",
		old:  `if astray(err) {`,
		new:  `if astray(err) && ctx == nil {`,
		pkg:  "./workflows", run: "TestNothingFailsAnOrder",
	},
	{
		name: "panic_fails_orders", rule: 15, takes: "a mistake in workflow code blocks",
		file: "worker/worker.go",
		old:  `sdk.BlockWorkflow,`,
		new:  `sdk.FailWorkflow,`,
		pkg:  "./worker", run: "TestAPanicBlocks",
	},
	{
		name: "unreadable_balance_is_nobodys", rule: 15, takes: "a balance that cannot be read is put before a person",
		file: "activities/gateway.go",
		old:  `if err := g.ledger.OpenDiscrepancy(ctx, order.Key{Merchant: merchant}, order.DiscrepancyBalance, text); err != nil {`,
		new:  `if err := error(nil); err != nil {`,
		pkg:  "./workflows", run: "TestAnOpeningBalanceThatCannotBeRead",
	},
	{
		name: "worker_fails_what_it_cannot_read", rule: 0, takes: "a worker that lacks a key blocks instead of failing orders",
		file: "codec/codec.go",
		old:  `if c.strict {`,
		new:  `if false {`,
		pkg:  "./codec", run: "TestStrict",
	},
	{
		name: "key_of_another_name", rule: 0, takes: "an encrypted payload is bound to its key's name",
		file: "codec/codec.go",
		old:  `func bound(id string) []byte { return []byte(cipherName + " " + id) }`,
		new:  `func bound(string) []byte { return nil }`,
		pkg:  "./codec", run: "TestChangedPayloadsAreRefused",
	},
}
