package sandbox_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// outcome is what a scenario must bring to an order of 1500 PKR.
type outcome struct {
	class   tarspay.Class // of the first create's error, "" when it is accepted
	code    string        // and its code
	unsaid  bool          // the first create books nothing
	never   bool          // nor does any other
	end     tarspay.State // where it ends
	called  []tarspay.State
	refused error // what is wrong with the first callback
	differs func(c, right tarspay.Callback) bool
	misses  int // so many queries do not find it
	fails   tarspay.Class
}

var (
	paid    = []tarspay.State{tarspay.StateSucceeded}
	success = outcome{end: tarspay.StateSucceeded, called: paid}
)

// booked is a create that fails although the order is booked, lost one that
// fails without.
func booked(class tarspay.Class, code string) outcome {
	return outcome{class: class, code: code, end: tarspay.StateSucceeded, called: paid}
}

func lost(class tarspay.Class, code string) outcome {
	return outcome{class: class, code: code, unsaid: true, end: tarspay.StateSucceeded, called: paid}
}

func refused(class tarspay.Class, code string) outcome {
	return outcome{class: class, code: code, unsaid: true, never: true}
}

func lie(err error, differs func(c, right tarspay.Callback) bool) outcome {
	o := success
	o.called, o.refused, o.differs = []tarspay.State{tarspay.StateSucceeded, tarspay.StateSucceeded}, err, differs
	return o
}

var outcomes = map[string]outcome{
	"lost-request":           lost(tarspay.ClassUnavailable, ""),
	"lost-answer":            booked(tarspay.ClassUnavailable, ""),
	"slow-answer":            booked(tarspay.ClassUnavailable, ""),
	"late-booking":           lost(tarspay.ClassUnavailable, ""),
	"system-error":           booked(tarspay.ClassAmbiguous, "-1"),
	"system-error-unbooked":  lost(tarspay.ClassAmbiguous, "-1"),
	"channel-error":          booked(tarspay.ClassAmbiguous, "5003013"),
	"channel-error-unbooked": lost(tarspay.ClassAmbiguous, "5003013"),
	"status-error":           booked(tarspay.ClassAmbiguous, "5003010"),
	"status-error-unbooked":  lost(tarspay.ClassAmbiguous, "5003010"),
	"remote-error":           booked(tarspay.ClassAmbiguous, "500323"),
	"exists-answer":          booked(tarspay.ClassDuplicate, "5003011"),
	"unknown-code":           booked(tarspay.ClassAmbiguous, "5009999"),
	"http-429":               booked(tarspay.ClassRateLimited, ""),
	"http-500":               booked(tarspay.ClassUnavailable, ""),
	"http-502":               booked(tarspay.ClassUnavailable, ""),
	"http-503":               booked(tarspay.ClassUnavailable, ""),
	"http-429-unbooked":      lost(tarspay.ClassRateLimited, ""),
	"http-500-unbooked":      lost(tarspay.ClassUnavailable, ""),
	"http-502-unbooked":      lost(tarspay.ClassUnavailable, ""),
	"http-503-unbooked":      lost(tarspay.ClassUnavailable, ""),
	"html":                   booked(tarspay.ClassProtocol, ""),
	"truncated":              booked(tarspay.ClassProtocol, ""),
	"wrong-content-type":     success,
	"wrong-types":            booked(tarspay.ClassProtocol, ""),
	"wrong-sign":             success,
	"empty-answer":           booked(tarspay.ClassProtocol, ""),
	"huge-answer":            booked(tarspay.ClassProtocol, ""),
	"endless-answer":         booked(tarspay.ClassProtocol, ""),
	"key-expired":            refused(tarspay.ClassAuth, "5003006"),
	"ip-refused":             refused(tarspay.ClassAuth, "5003007"),
	"merchant-disabled":      refused(tarspay.ClassAuth, "5003003"),
	"balance-short":          refused(tarspay.ClassRejected, "5004006"),
	"refuse":                 refused(tarspay.ClassRejected, "5003015"),

	"success":           success,
	"silent-success":    {end: tarspay.StateSucceeded},
	"fail":              {end: tarspay.StateFailed, called: []tarspay.State{tarspay.StateFailed}},
	"silent-fail":       {end: tarspay.StateFailed},
	"reject":            {end: tarspay.StateRejected, called: []tarspay.State{tarspay.StateRejected}},
	"cancel":            {end: tarspay.StateCancelled},
	"stuck":             {end: tarspay.StateInProgress},
	"stuck-created":     {end: tarspay.StateCreated},
	"queued":            success,
	"flip":              {end: tarspay.StateSucceeded, called: []tarspay.State{tarspay.StateFailed, tarspay.StateSucceeded}},
	"refund":            {end: tarspay.StateRefunded, called: []tarspay.State{tarspay.StateSucceeded, tarspay.StateRefunded}},
	"out-of-order":      {end: tarspay.StateRefunded, called: []tarspay.State{tarspay.StateRefunded, tarspay.StateSucceeded}},
	"partial":           {end: tarspay.StatePartial, called: []tarspay.State{tarspay.StatePartial}},
	"expire":            {end: tarspay.StateTimedOut},
	"paid-after-expiry": success,
	"cashier":           {end: tarspay.StateTimedOut},
	"unnoticed":         {end: tarspay.StateTimedOut},

	"silent":                {end: tarspay.StateSucceeded},
	"early-callback":        success,
	"duplicate-callback":    {end: tarspay.StateSucceeded, called: slices.Repeat(paid, 3)},
	"late-callback":         success,
	"repeated-callback":     {end: tarspay.StateSucceeded, called: slices.Repeat(paid, 2)},
	"unsigned-callback":     lie(tarspay.ErrNotSigned, nil),
	"wrong-signature":       lie(tarspay.ErrSignature, nil),
	"other-key":             lie(tarspay.ErrSignature, nil),
	"foreign-signature":     lie(tarspay.ErrSignature, nil),
	"malformed-callback":    lie(tarspay.ErrMalformedCallback, nil),
	"huge-callback":         lie(tarspay.ErrMalformedCallback, nil),
	"slow-callback":         {end: tarspay.StateSucceeded, called: paid},
	"undocumented-callback": success,
	"unknown-order": lie(nil, func(c, right tarspay.Callback) bool {
		return c.OrderNumber != right.OrderNumber && c.GatewayID != right.GatewayID
	}),
	"changed-amount": lie(nil, func(c, right tarspay.Callback) bool {
		return c.OrderAmount == "1501" && c.PayAmount == "1501" && right.PayAmount == "1500"
	}),
	"changed-currency": lie(nil, func(c, _ tarspay.Callback) bool { return c.Currency == "USD" }),
	"changed-merchant": lie(nil, func(c, right tarspay.Callback) bool { return c.Merchant != right.Merchant }),
	"false-failure":    lie(nil, func(c, right tarspay.Callback) bool { return c.State == tarspay.StateFailed && right.State != c.State }),
	"changed-id":       lie(nil, func(c, right tarspay.Callback) bool { return c.GatewayID != right.GatewayID }),

	"hidden":         {end: tarspay.StateSucceeded, called: paid, misses: 3},
	"query-error":    {end: tarspay.StateSucceeded, called: paid, fails: tarspay.ClassUnavailable},
	"query-http-500": {end: tarspay.StateSucceeded, called: paid, fails: tarspay.ClassUnavailable},
	"text-state":     success,
}

// TestEveryScenario runs each row of the table in each of its directions, by
// its name and by its digits.
func TestEveryScenario(t *testing.T) {
	t.Parallel()
	for _, row := range sandbox.Scenarios() {
		want, known := outcomes[row.Name]
		require.True(t, known, "scenario %s is not tested", row.Name)
		for _, direction := range row.Directions {
			t.Run(row.Name+"/"+direction.String(), func(t *testing.T) {
				t.Parallel()
				if _, published := tarspay.LookupErrorCode(want.code); published {
					require.Contains(t, row.Sentence+" code "+fmt.Sprint(row.Default), "code "+want.code, "the sentence names another code")
				}
				b := setup(t, nil)
				s := story{testBundle: b, direction: direction, want: want}
				s.tell(t, row.Name)
			})
		}
	}
	require.Len(t, sandbox.Scenarios(), len(outcomes))
}

func TestDigitsChooseTheScenario(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for i, row := range sandbox.Scenarios() {
		if row.Digits == "" {
			require.Equal(t, "success", row.Name)
			continue
		}
		for _, direction := range row.Directions {
			number := fmt.Sprintf("D-%d-%d", i, direction)
			s := story{testBundle: b, direction: direction}
			_ = s.create(t, number, "1"+row.Digits, "")
			_ = s.create(t, number, "1"+row.Digits, "") // for those that lose the first
			b.gateway.Advance(sandbox.DefaultLateBooking)
			if outcomes[row.Name].never {
				require.Empty(t, b.gateway.Orders(pakistan, number), row.Name)
				continue
			}
			o, err := b.gateway.Order(pakistan, number)
			require.NoError(t, err, row.Name)
			require.Equal(t, row.Name, o.Scenario)
		}
	}
}

// story is one order's life in one scenario.
type story struct {
	*testBundle
	direction tarspay.Direction
	want      outcome
}

func (s story) tell(t *testing.T, name string) {
	err := s.create(t, "S-1", "1500", name)
	s.checkCreate(t, err)
	s.checkQueries(t)
	s.gateway.Advance(48 * time.Hour)
	if s.want.never {
		s.checkCreate(t, s.create(t, "S-1", "1500", name))
		require.Empty(t, s.gateway.Orders(pakistan, "S-1"))
		require.Equal(t, [2]string{opening, "0"}, s.balance(t, pakistan))
		require.Equal(t, []sandbox.Unbooked{{Merchant: pakistan, Number: "S-1", CreatesReceived: 2}}, s.gateway.Book().Unbooked)
		return
	}
	if s.want.unsaid && name != "late-booking" {
		require.Empty(t, s.gateway.Orders(pakistan, "S-1"))
		require.NoError(t, s.create(t, "S-1", "1500", name))
		s.gateway.Advance(48 * time.Hour)
	}
	orders := s.gateway.Orders(pakistan, "S-1")
	require.Len(t, orders, 1)
	require.Equal(t, s.want.end, orders[0].State)
	s.checkMoney(t, orders[0])
	s.checkCallbacks(t, orders[0])
	s.clean(t)
}

func (s story) create(t *testing.T, number, amount, scenario string) error {
	t.Helper()
	if s.direction == tarspay.DirectionDeposit {
		_, err := s.client(t, pakistan).CreateDeposit(t.Context(), deposit(number, amount, scenario))
		return err
	}
	_, err := s.client(t, pakistan).CreateWithdrawal(t.Context(), withdrawal(number, amount, scenario))
	return err
}

func (s story) query(t *testing.T) (tarspay.OrderStatus, error) {
	t.Helper()
	reference := tarspay.Reference{OrderNumber: "S-1"}
	if s.direction == tarspay.DirectionDeposit {
		return s.client(t, pakistan).QueryDeposit(t.Context(), reference)
	}
	return s.client(t, pakistan).QueryWithdrawal(t.Context(), reference)
}

func (s story) checkCreate(t *testing.T, err error) {
	t.Helper()
	if s.want.class == "" {
		require.NoError(t, err)
		return
	}
	var failed *tarspay.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, s.want.class, failed.Class)
	require.Equal(t, s.want.code, failed.Code)
	require.Len(t, s.gateway.Orders(pakistan, "S-1"), map[bool]int{true: 0, false: 1}[s.want.unsaid])
}

// checkQueries asks at once, as often as the scenario has it fail.
func (s story) checkQueries(t *testing.T) {
	t.Helper()
	for range s.want.misses {
		_, err := s.query(t)
		require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err))
	}
	if s.want.fails != "" {
		for range 2 {
			_, err := s.query(t)
			require.Equal(t, s.want.fails, tarspay.ClassOf(err))
		}
	}
	status, err := s.query(t)
	if s.want.unsaid {
		require.Equal(t, tarspay.ClassNotFound, tarspay.ClassOf(err))
		return
	}
	require.NoError(t, err)
	require.Equal(t, "1500", status.OrderAmount)
	require.Equal(t, "PKR", status.Currency)
}

// checkMoney compares the balance with what the end of an order of 1500 with a
// fee of one percent must leave.
func (s story) checkMoney(t *testing.T, o sandbox.Order) {
	t.Helper()
	fee := "15"
	if o.State == tarspay.StatePartial {
		fee = "8" // of 750, rounded up: amounts in Pakistan are whole
	}
	require.Equal(t, fee, o.Fee.Short())
	type money struct{ available, frozen, paid string }
	want := map[tarspay.Direction]map[tarspay.State]money{
		tarspay.DirectionWithdrawal: {
			tarspay.StateSucceeded:  {"998485", "0", "1500"},
			tarspay.StateRefunded:   {"999985", "0", "0"},
			tarspay.StateFailed:     {"1000000", "0", "0"},
			tarspay.StateRejected:   {"1000000", "0", "0"},
			tarspay.StateCreated:    {"998485", "1515", "0"},
			tarspay.StateInProgress: {"998485", "1515", "0"},
		},
		tarspay.DirectionDeposit: {
			tarspay.StateSucceeded:  {"1001485", "0", "1500"},
			tarspay.StatePartial:    {"1000742", "0", "750"},
			tarspay.StateRefunded:   {"999985", "0", "0"},
			tarspay.StateFailed:     {"1000000", "0", "0"},
			tarspay.StateCancelled:  {"1000000", "0", "0"},
			tarspay.StateTimedOut:   {"1000000", "0", "0"},
			tarspay.StateCreated:    {"1000000", "0", "0"},
			tarspay.StateInProgress: {"1000000", "0", "0"},
		},
	}[s.direction][o.State]
	require.Equal(t, [2]string{want.available, want.frozen}, s.balance(t, pakistan))
	require.Equal(t, want.paid, o.Paid.Short())
	moved := o.State.Paid() || o.State == tarspay.StateRefunded
	require.Len(t, o.PaidAt, map[bool]int{true: 1, false: 0}[moved], "times money moved")
}

func (s story) checkCallbacks(t *testing.T, o sandbox.Order) {
	t.Helper()
	callbacks, failed := s.callbacks()
	right := callbacks
	if s.want.refused != nil || s.want.differs != nil {
		require.Len(t, callbacks, 2)
		require.ErrorIs(t, failed[0], s.want.refused)
		if s.want.differs != nil {
			require.True(t, s.want.differs(callbacks[0], callbacks[1]))
		}
		right, failed = callbacks[1:], failed[1:]
	}
	states := make([]tarspay.State, len(right))
	for i, c := range right {
		require.NoError(t, failed[i])
		states[i] = c.State
		require.Equal(t, o.ID, c.GatewayID)
		require.Equal(t, s.direction, c.Direction)
		require.Equal(t, "1500", c.OrderAmount)
		require.NotEqual(t, "0", c.Fee)
		if c.State != tarspay.StatePartial {
			require.Equal(t, "1500", c.PayAmount, "a failure's too")
		}
		failure := c.State == tarspay.StateFailed || c.State == tarspay.StateRejected
		require.Equal(t, failure && s.direction == tarspay.DirectionWithdrawal, c.FailReason != "")
	}
	want := s.want.called
	if s.want.refused != nil || s.want.differs != nil {
		want = want[1:]
	}
	require.ElementsMatch(t, want, states)
	if len(want) > 0 {
		require.Equal(t, want, states)
	}
}
