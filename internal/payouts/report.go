package payouts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tarspay-payouts/orchestrator/config"
	"github.com/tarspay-payouts/orchestrator/internal/codes"
	"github.com/tarspay-payouts/orchestrator/internal/envelope"
	"github.com/tarspay-payouts/orchestrator/internal/ledger"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

// DayReport is a merchant's day in one currency.
type DayReport = ledger.DayReport

// DayQuery selects days.
type DayQuery struct {
	Day       order.Date
	Merchants []string // none: all configured merchants
	Currency  string   // empty: that of the merchant's country
	SoFar     bool     // a day that is not over is read until now, and not refused
}

// DayReports are the days of merchants.
type DayReports struct {
	Days []DayReport `json:"days" nullable:"false"`
	// Without are the merchants that had no books on the day.
	Without []string `json:"without,omitempty"`
	// NotOver are the merchants whose day has not ended yet.
	NotOver []string `json:"not_over,omitempty"`
}

// readDayTime is how long the ledger may take to add up the day of one merchant.
const readDayTime = 2 * time.Minute

// DayReports returns the day of each merchant, in the merchant's time zone. The codes are
// UNKNOWN_MERCHANT and those of ledger.Day. Of several merchants, one without books is no
// error, nor is one whose day is not over, if that of another one is.
func (s *Service) DayReports(ctx context.Context, _ Actor, query DayQuery) (DayReports, error) {
	reports := DayReports{Days: []DayReport{}}
	merchants := query.Merchants
	if len(merchants) == 0 {
		merchants = s.parts.Merchants.Numbers()
	}
	if len(merchants) == 0 {
		return reports, merchantNeeded("PAYOUTS_MERCHANTS is not set")
	}
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return reports, err
	}
	var notOver error
	for _, merchant := range merchants {
		asked, err := s.dayOf(ctx, l, merchant, query)
		if err != nil {
			return reports, err
		}
		reading, cancel := within(ctx, readDayTime)
		day, err := l.Day(reading, asked)
		cancel()
		absent := slices.Contains([]string{codes.BooksClosed, ledger.CodeDayBooks}, order.CodeOf(err))
		switch {
		case absent && len(merchants) > 1:
			reports.Without = append(reports.Without, merchant)
		case order.CodeOf(err) == ledger.CodeDayNotOver:
			reports.NotOver = append(reports.NotOver, merchant)
			notOver = err
		case err != nil:
			return reports, err
		default:
			reports.Days = append(reports.Days, day)
		}
	}
	if len(reports.Days) == 0 && notOver != nil {
		return DayReports{}, notOver
	}
	return reports, nil
}

// Closing is a day to close.
type Closing struct {
	Merchant string
	Currency string // empty: that of the merchant's country
	Day      order.Date
	Hash     string // of the figures that the person has seen: at least the first 8 digits
	Why      string // optional
}

// leastHash is how many digits of a hash name figures.
const leastHash = 8

// CloseDay closes a day with the figures that the actor has seen. The codes are those of
// ledger.CloseDay and UNKNOWN_MERCHANT.
func (s *Service) CloseDay(ctx context.Context, actor Actor, c Closing) (DayReport, error) {
	l, err := s.parts.Ledger(ctx)
	if err != nil {
		return DayReport{}, err
	}
	asked, err := s.dayOf(ctx, l, c.Merchant, DayQuery{Day: c.Day, Currency: c.Currency})
	if err != nil {
		return DayReport{}, err
	}
	reading, cancel := within(ctx, readDayTime)
	seen, err := l.Day(reading, asked)
	cancel()
	if err != nil {
		return DayReport{}, err
	}
	return s.CloseSeenDay(ctx, actor, c, seen)
}

// CloseSeenDay is CloseDay for a report that was read.
func (s *Service) CloseSeenDay(ctx context.Context, actor Actor, c Closing, seen DayReport) (DayReport, error) {
	if len(c.Hash) < leastHash || !strings.HasPrefix(seen.Hash, strings.ToLower(c.Hash)) {
		return DayReport{}, order.Refuse(ledger.CodeDayChanged,
			"the figures of %s have the hash %s; look at the report again, and name at least the first %d digits of its hash", c.Day, seen.Hash, leastHash)
	}
	ref := order.DayRef{Merchant: seen.Merchant, Currency: seen.Currency, Day: seen.Day, Zone: seen.Zone, Hash: seen.Hash}
	acting, err := s.whoSigns(actor, c.Why, envelope.ActionCloseDay, func(who order.Who) envelope.Envelope {
		return envelope.Closing(who, ref, actor.Signing.Origin, s.parts.Now(), signedLife)
	})
	if err != nil {
		return DayReport{}, err
	}
	look := order.Key{Merchant: ref.Merchant, Number: string(ref.Day)}
	return actOnBooksFor[DayReport](ctx, s, readDayTime, UseReport, look, order.BookAction{Who: acting, CloseDay: &ref})
}

// dayOf returns the query of one merchant's day.
func (s *Service) dayOf(ctx context.Context, l Ledger, merchant string, query DayQuery) (ledger.DayQuery, error) {
	i := slices.IndexFunc(s.parts.Merchants, func(m config.Merchant) bool { return m.Number == merchant })
	if i < 0 {
		if err := s.checkMerchant(ctx, l, merchant); err != nil {
			return ledger.DayQuery{}, err
		}
		return ledger.DayQuery{}, order.Refuse(order.CodeUnknownMerchant,
			"merchant %s is not in PAYOUTS_MERCHANTS here, so its time zone is not known; add it, as the worker has it", merchant)
	}
	profile, known := tarspay.Country(s.parts.Merchants[i].Country)
	if !known {
		return ledger.DayQuery{}, order.Refuse(order.CodeUnknownMerchant, "merchant %s has a country in PAYOUTS_MERCHANTS that does not exist", merchant)
	}
	asked := ledger.DayQuery{
		Merchant: merchant, Currency: query.Currency, Day: query.Day, SoFar: query.SoFar, Zone: s.parts.Merchants[i].ZoneOr(profile.TimeZone),
	}
	if asked.Currency == "" {
		asked.Currency = profile.Currency
	}
	if _, err := money.Decimals(asked.Currency); err != nil {
		return ledger.DayQuery{}, order.Refuse(order.CodeCurrency, "%q is no currency; name one by its ISO 4217 code, like %s", asked.Currency, profile.Currency)
	}
	return asked, nil
}
