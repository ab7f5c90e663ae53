package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// prepareCreate counts a create and chooses its scenario: what control has set
// for the number, else the member, else the fault plan, else the digits of the
// amount, else the default. The lock is held.
func (g *Gateway) prepareCreate(c *call) (callFault, *refusal) {
	direction := c.direction()
	k := key{c.account.Number, c.number}
	if c.number == "" || len(c.number) > maxNumberBytes {
		return callFault{}, nil // the create itself says so
	}
	t := g.book.triesOf(k)
	t.Creates++
	c.serial = t.Creates
	g.journal.write(record{Merchant: k.merchant, Number: k.number, Tries: t})

	drawn := false
	switch named := c.text(ScenarioMember); {
	case t.Preset != "":
		c.scenario = t.Preset
	case named != "":
		c.scenario = named
	case g.options.Faults.on():
		c.scenario, drawn = g.options.Faults.life(k, direction), true
	default:
		c.scenario = digitsScenario(c.text("amount"), direction)
	}
	if c.scenario == "" {
		c.scenario = g.options.DefaultScenario
		if _, err := parseScenario(c.scenario, direction); err != nil {
			c.scenario = "success"
		}
	}
	var err error
	if c.planned, err = parseScenario(c.scenario, direction); err != nil {
		g.log.Warn("create refused: no such scenario; bin/sandbox scenarios lists them", "merchant", k.merchant, "number", k.number,
			"scenario", c.scenario, "error", err)
		return callFault{}, refuse(codeParameter, "%s: %s; bin/sandbox scenarios lists them", ScenarioMember, err)
	}
	if drawn {
		return g.options.Faults.callFault(k, c.operation.name, c.serial), nil
	}
	if s := c.planned.create; s != nil && s.hits(c.serial) {
		return *s, nil
	}
	return callFault{}, nil
}

func (c *call) direction() tarspay.Direction {
	if c.operation.name == tarspay.OperationCreateDeposit || c.operation.name == tarspay.OperationQueryDeposit {
		return tarspay.DirectionDeposit
	}
	return tarspay.DirectionWithdrawal
}

// createWithdrawal answers the two order numbers and nothing else.
func (g *Gateway) createWithdrawal(c *call) (any, *refusal) {
	o, refused := g.create(c)
	if refused != nil {
		return nil, refused
	}
	return map[string]any{"mchOrderNo": o.Number, "payOrderId": o.ID}, nil
}

// createDeposit answers how the payer pays.
func (g *Gateway) createDeposit(c *call) (any, *refusal) {
	o, refused := g.create(c)
	if refused != nil {
		return nil, refused
	}
	return g.instructions(c, o), nil
}

// create books an order unless the call is refused. The lock is held.
func (g *Gateway) create(c *call) (*order, *refusal) {
	asked, refused := g.checkCreate(c)
	if refused != nil {
		return nil, refused
	}
	a, direction := c.account, c.direction()
	fee := amount(a.fee(asked.Minor()), asked)
	if direction == tarspay.DirectionWithdrawal && a.available < asked.Minor()+fee.Minor() {
		return nil, refuse(codeBalance, "")
	}
	now := g.clock.now()
	o := &order{
		Order: Order{
			ID: g.book.nextID(now), Merchant: a.Number, Number: c.number, Direction: direction, Way: c.text("wayCode"),
			Amount: asked, Fee: fee, Paid: amount(0, asked), State: c.firstState(), Scenario: c.scenario,
			CreatedAt: now, ChangedAt: now,
		},
		NotifyURL: c.text("notifyUrl"), ReturnURL: c.text("returnUrl"), Party: c.party(),
	}
	if direction == tarspay.DirectionDeposit {
		o.ExpiresAt = now.Add(g.scaled(a.timeToPay()))
	}
	if c.planned.unnoticed {
		o.Unnoticed, o.TrxID = true, a.trxID(o)
	}
	g.book.add(o)
	c.order = o
	g.log.Info("order booked", "merchant", o.Merchant, "number", o.Number, "id", o.ID, "direction", o.Direction.String(),
		"amount", o.Amount.String(), "scenario", o.Scenario)
	g.plan(o, c.planned)
	return o, nil
}

// checkCreate checks a create against the protocol and the country. Of all that
// speaks against it, the lowest code is answered.
func (g *Gateway) checkCreate(c *call) (money.Amount, *refusal) {
	var refused refusals
	for _, name := range []string{"mchOrderNo", "wayCode", "amount", "currency", "notifyUrl"} {
		raw := c.members[name]
		switch {
		case name == "amount" && len(raw) > 0 && raw[0] != '"':
			refused.add(codeAmount, "amount must be text")
		case c.text(name) == "":
			refused.add(codeParameter, "%s", name)
		}
	}
	if len(refused) > 0 {
		return money.Amount{}, refused.first()
	}
	profile, a := c.account.profile, c.account
	if len(c.number) > maxNumberBytes {
		refused.add(codeParameter, "mchOrderNo is longer than %d bytes", maxNumberBytes)
	}
	if c.text("currency") != profile.GatewayCurrency {
		refused.add(codeParameter, "currency must be %s", profile.GatewayCurrency)
	}
	if c.direction() == tarspay.DirectionDeposit && profile.Deposit.ReturnURLRequired && c.text("returnUrl") == "" {
		refused.add(codeParameter, "returnUrl")
	}
	if g.book.find(key{a.Number, c.number}) != nil && !a.switches[switchNoDuplicateGuard] {
		refused.add(codeDuplicate, "")
	}
	if !isWebURL(c.text("notifyUrl")) || c.text("returnUrl") != "" && !isWebURL(c.text("returnUrl")) {
		refused.add(codeURL, "an http or https address of at most %d bytes", maxURLBytes)
	}
	asked, err := profile.ParseAmount(c.text("amount"))
	if err != nil || asked.Minor() > maxMinor || profile.Amount.Decimals == 0 && !isWhole(c.text("amount")) {
		refused.add(codeAmount, "amount is no amount of %s", profile.Name)
		asked, _ = money.Minor(0, profile.Currency) // the rest is checked all the same
	}
	refused = append(refused, c.checkProfile(asked)...)
	return asked, refused.first()
}

// isWhole reports whether an amount is written without decimals and without a
// leading zero.
func isWhole(text string) bool {
	return !strings.Contains(text, ".") && (len(text) < 2 || text[0] != '0')
}

// checkProfile checks what the country's profile knows.
func (c *call) checkProfile(asked money.Amount) refusals {
	profile, direction, way := c.account.profile, c.direction(), c.text("wayCode")
	var refused refusals
	_, known := profile.Way(direction, way)
	_, elsewhere := profile.Way(tarspay.DirectionDeposit+tarspay.DirectionWithdrawal-direction, way)
	if !known && len(profile.Ways(direction)) > 0 {
		if elsewhere {
			refused.add(codeWrongWay, "%s is a way of the other direction", way)
		} else {
			refused.add(codeWay, "%s", way)
		}
	}
	for _, violation := range profile.CheckDocumented(direction, way, asked, c.fields()) {
		switch violation.Field {
		case "way":
			if known || len(profile.Ways(direction)) == 0 {
				refused.add(codeWay, "%s", violation.Message)
			}
		case "amount":
			refused.add(codeAmount, "%s", violation.Message)
		default:
			refused.add(codeParameter, "%s", violation.Message)
		}
	}
	return refused
}

var coreMembers = []string{"mchNo", "mchOrderNo", "wayCode", "amount", "currency", "notifyUrl", "returnUrl"}

// fields are the members beyond the common ones, numbers as their digits.
func (c *call) fields() map[string]string {
	fields := make(map[string]string)
	for name, raw := range c.members {
		if slices.Contains(coreMembers, name) || name == ScenarioMember {
			continue
		}
		if value := c.text(name); value != "" {
			fields[name] = value
		} else if len(raw) > 0 && raw[0] != '"' {
			fields[name] = string(raw)
		}
	}
	return fields
}

// party is who pays or is paid, from whatever member the country uses.
func (c *call) party() party {
	first := func(names ...string) string {
		for _, name := range names {
			if value := c.text(name); value != "" {
				return value
			}
		}
		return ""
	}
	return party{
		Name: first("customerName"), Account: first("customerAccountNumber", "walletId"),
		Phone: first("customerContact"), Bank: first("bankName"),
	}
}

// firstState is 0 for a withdrawal and for a deposit on the gateway's own
// page, 1 for a deposit by a way that is already chosen.
func (c *call) firstState() tarspay.State {
	path := c.planned.path
	stuck := len(path) > 0 && path[0].state == tarspay.StateCreated
	if c.direction() == tarspay.DirectionWithdrawal || c.text("wayCode") == wayCashier || stuck {
		return tarspay.StateCreated
	}
	return tarspay.StateInProgress
}

const wayCashier = "CASHIER"

// defaultTimeToPay is for countries of which no expiry is known.
const defaultTimeToPay = 30 * time.Minute

func (a *account) timeToPay() time.Duration {
	if known := a.profile.Deposit.Expiry; known > 0 {
		return known
	}
	return defaultTimeToPay
}

// instructions returns the answer to a deposit. For the cashier's ways it lists the ways to
// choose from. For the others it has the payee's data and the time limit, as in the samples.
func (g *Gateway) instructions(c *call, o *order) map[string]any {
	a := c.account
	data := map[string]any{
		"amount": o.Amount.Short(), "countryCode": strings.ToLower(a.Country), "currency": a.profile.GatewayCurrency,
		"mchOrderNo": o.Number, "payOrderId": o.ID, "orderState": int(o.State), "payUrl": g.cashierURL(c, o),
	}
	for echoed, name := range map[string]string{"body": "body", "customerContact": "customerContact", "requestUrl": "returnUrl"} {
		if value := c.text(name); value != "" {
			data[echoed] = value
		}
	}
	if contact := c.text("customerContact"); a.Country == "PK" && contact != "" {
		data["customerContact"] = strings.TrimPrefix(contact, "0") // as in the sample
	}
	if o.Way == wayCashier {
		data["payWays"] = g.payWays(a)
		return data
	}
	data["expiredTime"] = o.ExpiresAt.Unix()
	data["payDataType"] = "payurl"
	data["payData"] = data["payUrl"]
	way, _ := a.profile.Way(tarspay.DirectionDeposit, o.Way)
	payee := strconv.FormatUint(1_000_000_000+hash("payee", o.ID)%9_000_000_000, 10)
	offered := g.payWay(a, way, 1)
	switch way.Kind {
	case "va", "bank":
		data["payData"], data["accountNumber"], data["accountName"], data["typeBank"] = payee, payee, "SANDBOX PAYEE", o.Way
	case "qr", "upi":
		data["payData"] = "sandbox:qr:" + o.ID
		data["accountNumber"], data["accountName"], data["typeBank"] = payee, "SANDBOX PAYEE", o.Way
		offered["payCode"] = data["payData"]
	case "ewallet":
		data["payData"], data["accountNumber"], data["accountName"], data["phone"] = payee, payee, "SANDBOX PAYEE", payee
		offered["payCode"] = data["payData"]
	}
	data["payWays"] = map[string][]map[string]any{way.Kind: {offered}}
	return data
}

// payWays are the country's own ways, keyed by kind as in the samples: an
// object of arrays, although the tables call it an array.
func (g *Gateway) payWays(a *account) map[string][]map[string]any {
	ways := make(map[string][]map[string]any)
	for i, way := range a.profile.Ways(tarspay.DirectionDeposit) {
		if way.Code == wayCashier || way.Closed {
			continue
		}
		ways[way.Kind] = append(ways[way.Kind], g.payWay(a, way, i+1))
	}
	return ways
}

// payWay is one way that a payer may choose, with the members of the samples.
func (g *Gateway) payWay(a *account, way tarspay.Way, id int) map[string]any {
	return map[string]any{
		"countryCode": strings.ToLower(a.Country), "payWay": way.Code, "payWayType": payWayType(a.Country, way), "payWayLogo": "",
		"id": id, "state": 1, "skipMode": 1, "createdAt": 0, "updatedAt": 0,
	}
}

// payWayType is the type of a way as the country's page calls it: Vietnam's has a
// table of types (ALL/3095254), Thailand's sample writes the code (ALL/3095258).
func payWayType(country string, way tarspay.Way) string {
	switch {
	case country == "TH":
		return way.Code
	case country == "VN" && (way.Kind == "bank" || way.Kind == "va"):
		return "internetbank"
	case country == "VN" && way.Kind == "card":
		return "scratch card"
	}
	return way.Kind
}

// cashierURL is the page of a deposit.
func (g *Gateway) cashierURL(c *call, o *order) string {
	base := g.options.PublicURL
	if base == "" {
		base = "http://" + c.host
	}
	return strings.TrimSuffix(base, "/") + "/cashier/" + o.ID
}
