package tarspay

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarspay-payouts/orchestrator/money"
)

func country(t *testing.T, code string) *Profile {
	t.Helper()
	profile, known := Country(code)
	require.True(t, known)
	return profile
}

// payeeOf is the payee of a withdrawal whose one account is given.
func payeeOf(t *testing.T, code, way, member, value string) Payee {
	t.Helper()
	fields := map[string]string{member: value}
	if code == "BR" {
		fields["bankName"] = "PIX_EMAIL"
	}
	payee, named := country(t, code).Payee(DirectionWithdrawal, way, fields)
	require.True(t, named, "%s %s %s", code, way, member)
	return payee
}

// One account is one payee, however it is written and by whichever of the ways
// that reach it; another account, or the same number at another bank, is another.
func TestPayee(t *testing.T) {
	t.Parallel()
	type account struct{ way, member, value string }
	const acc, phone, wallet = "customerAccountNumber", "customerContact", "walletId"
	tests := []struct {
		country string
		same    []account
		others  []account
	}{
		{"PK", []account{
			{"easypaisa", acc, "03001234567"}, {"easypaisa", phone, "03001234567"}, {"easypaisa", acc, "+923001234567"}, {"easypaisa", acc, "00923001234567"},
			{"easypaisa", acc, "923001234567"}, {"easypaisa", acc, "3001234567"}, {"easypaisa", acc, "0300 1234567"}, {"easypaisa", acc, "0300-1234567"},
			{"easypaisa", acc, "0300.1234567"}, {"easypaisa", acc, "03001234567.0"}, {"easypaisa", acc, "'03001234567"}, {"easypaisa", acc, "0300\u200b1234567"},
			{"easypaisa", acc, "\ufeff03001234567"}, {"easypaisa", acc, "\u202a03001234567\u202c"}, {"easypaisa", acc, "٠٣٠٠١٢٣٤٥٦٧"}, {"easypaisa", acc, "０３００１２３４５６７"},
		}, []account{{"jazzcash", acc, "03001234567"}, {"easypaisa", acc, "03001234568"}, {"HBL", acc, "03001234567"}}},
		{"PK", []account{
			{"HBL", acc, "01123456702"}, {"HBL", acc, "1123456702"}, {"HBL", acc, "PK13HABB0000001123456702"}, {"HBL", acc, "pk13 habb 0000 0011 2345 6702"},
			{"AFT", acc, "PK13HABB0000001123456702"},
		}, []account{{"Alfalah", acc, "01123456702"}, {"HBL", acc, "1123456703"}, {"HBL ASSET MANAGEMENT", acc, "01123456702"}}},
		{"PK", []account{{"KEENU", acc, "77"}, {"KEENU Bank", acc, "77"}, {"KEENU – IMD and 1IBFT Screen Addition", acc, "77"}}, []account{{"Keenu1", acc, "77"}}},
		{"PK", []account{{"Meezan", acc, "77"}, {"meezan", acc, "77"}}, []account{{"Soneri", acc, "77"}}},
		{"MY", []account{{"BSN", acc, "123456"}, {"BANK_SIMPANAN_NASIONAL", acc, "123456"}}, []account{{"UOB", acc, "123456"}}},
		{"MY", []account{{"BOOST", acc, "0123456789"}, {"BOOST", acc, "60123456789"}, {"BOOST", acc, "+60 12-345 6789"}}, []account{{"GRABPAY", acc, "0123456789"}}},
		{"VN", []account{{"MOMO", phone, "0934194751"}, {"MOMO", phone, "84934194751"}, {"MOMO", acc, "0934194751"}}, []account{{"VCB", acc, "0934194751"}, {"MOMO", phone, "0934194752"}}},
		{"VN", []account{{"SEAB", acc, "0071000123456"}, {"SEAB", acc, "0071 0001 23456"}}, []account{{"VCB", acc, "0071000123456"}, {"SEAB", acc, "71000123456"}}},
		{"TH", []account{{"KBANK", acc, "1112223334"}, {"KBANK", acc, "111-2-22333-4"}}, []account{{"SCB", acc, "1112223334"}}},
		{"BD", []account{{"EWALLET_NAGAD", wallet, "01712345678"}, {"EWALLET_NAGAD", wallet, "8801712345678"}}, []account{{"EWALLET_BKASH", wallet, "01712345678"}}},
		{"KE", []account{{"EWALLET_MPESA", phone, "254700000001"}, {"EWALLET_MPESA", phone, "+254700000001"}, {"EWALLET_MPESA", phone, "0700000001"}}, []account{{"EWALLET_MPESA", phone, "254700000002"}}},
		{"BR", []account{{"PIX", acc, "maria@example.com"}, {"PIX", acc, "Maria@Example.com"}, {"TED", acc, "maria@example.com"}}, []account{{"PIX", acc, "joao@example.com"}}},
		{"BR", []account{{"PIX", acc, "+5511900000000"}, {"PIX", acc, "5511900000000"}, {"PIX", acc, "+55 11 90000-0000"}}, []account{{"PIX", acc, "12345678909"}}},
		{"IN", []account{{"UPI", acc, "asha@upi"}, {"UPI", acc, "Asha@UPI"}}, []account{{"UPI", acc, "asha@ybl"}}},
		{"PH", []account{{"GCASH", acc, "9171234567"}, {"GCASH", acc, "09171234567"}, {"GCASH", acc, "639171234567"}}, []account{{"UBP", acc, "9171234567"}}},
	}
	for _, test := range tests {
		first := test.same[0]
		want := payeeOf(t, test.country, first.way, first.member, first.value)
		for _, a := range test.same {
			require.Equal(t, want, payeeOf(t, test.country, a.way, a.member, a.value), "%s %q", test.country, a)
		}
		for _, a := range test.others {
			require.NotEqual(t, want, payeeOf(t, test.country, a.way, a.member, a.value), "%s %q", test.country, a)
		}
	}
}

func TestPayeeWithABankMember(t *testing.T) {
	t.Parallel()
	india := country(t, "IN")
	payee := func(account, ifsc string) Payee {
		found, named := india.Payee(DirectionWithdrawal, "UPI", map[string]string{"customerAccountNumber": account, "ifsc": ifsc, "bankName": "any"})
		require.True(t, named)
		return found
	}
	require.Equal(t, payee("12", "ABCD0000001"), payee("12", "abcd0000002"), "two branches of one bank")
	require.NotEqual(t, payee("12", "ABCD0000001"), payee("12", "ABCE0000001"), "another bank")
	require.Equal(t, payee("asha@upi", ""), payee("asha@upi", "ABCD0000001"), "an address names its bank")
}

func TestPayeeIsNotNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		country   string
		direction Direction
		way       string
		fields    map[string]string
	}{
		{"PK", DirectionWithdrawal, "easypaisa", nil},
		{"PK", DirectionWithdrawal, "easypaisa", map[string]string{"customerAccountNumber": " - ", "customerName": "X"}},
		{"PK", DirectionWithdrawal, "easypaisa", map[string]string{"walletId": "03001234567"}},
		{"PK", DirectionWithdrawal, "easypaisa", map[string]string{"customerAccountNumber": "03001234567", "customerContact": "03001234568"}},
		{"PK", DirectionWithdrawal, "HBL", map[string]string{"customerContact": "03001234567"}},
		{"VN", DirectionDeposit, "QR", map[string]string{"customerName": "X"}},
		{"KE", DirectionDeposit, "CASHIER", nil},
		{"PK", Direction(7), "easypaisa", map[string]string{"customerAccountNumber": "03001234567"}},
	}
	for _, test := range tests {
		_, named := country(t, test.country).Payee(test.direction, test.way, test.fields)
		require.False(t, named, "%+v", test)
	}
}

// Every documented direction says who is paid or pays, by every way.
func TestEveryWayHasAPayee(t *testing.T) {
	t.Parallel()
	for _, p := range Countries() {
		for _, way := range append(p.Ways(DirectionWithdrawal), Way{Code: "SOMETHING NEW"}) {
			rule, has := p.payeeRule(DirectionWithdrawal, way.Code)
			require.Equal(t, p.Documented, has, "%s %s", p.Code, way.Code)
			for _, member := range rule.Members {
				require.NotEmpty(t, holds(member))
			}
		}
	}
}

// What a spreadsheet, a page or a chat makes of an account is refused with a
// sentence that says so, and without the account.
func TestMangledAccounts(t *testing.T) {
	t.Parallel()
	const (
		exponent = "scientific notation"
		decimals = "decimal fraction"
		hidden   = "a character that is not seen"
		script   = "a digit of another script or width"
		blank    = "a blank of another kind"
	)
	tests := []struct{ country, way, member, value, hint string }{
		{"PK", "easypaisa", "customerAccountNumber", "3.00123E+10", exponent},
		{"PK", "easypaisa", "customerAccountNumber", "3,00123E+10", exponent},
		{"PK", "easypaisa", "customerAccountNumber", "3e10", exponent},
		{"PK", "easypaisa", "customerAccountNumber", "03001234567.0", decimals},
		{"PK", "easypaisa", "customerAccountNumber", "03001234567.", decimals},
		{"PK", "easypaisa", "customerAccountNumber", "3,001,234,567", "separators between its digits"},
		{"PK", "easypaisa", "customerAccountNumber", "\u202a03001234567\u202c", hidden + " (U+202A)"},
		{"PK", "easypaisa", "customerAccountNumber", "0300\u200b1234567", hidden + " (U+200B)"},
		{"PK", "easypaisa", "customerAccountNumber", "\ufeff03001234567", hidden + " (U+FEFF)"},
		{"PK", "easypaisa", "customerAccountNumber", "0300\u00ad1234567", hidden},
		{"PK", "easypaisa", "customerAccountNumber", "0300\u03011234567", hidden},
		{"PK", "easypaisa", "customerAccountNumber", "٠٣٠٠١٢٣٤٥٦٧", script},
		{"PK", "easypaisa", "customerAccountNumber", "０３００１２３４５６７", script},
		{"PK", "easypaisa", "customerAccountNumber", "0300\u00a01234567", blank},
		{"PK", "easypaisa", "customerAccountNumber", "O3001234567", ""},
		{"PK", "easypaisa", "customerAccountNumber", "О3001234567", "U+041E"},
		{"PK", "easypaisa", "customerAccountNumber", "'03001234567", "apostrophe"},
		{"PK", "easypaisa", "customerAccountNumber", "3001234567", "the leading 0 is missing"},
		{"PK", "easypaisa", "customerAccountNumber", "+923001234567", "leave out the country's prefix"},
		{"PK", "easypaisa", "customerAccountNumber", "00923001234567", "leave out the country's prefix"},
		{"PK", "easypaisa", "customerAccountNumber", "0300 1234567", "leave out the blanks"},
		{"PK", "easypaisa", "customerAccountNumber", "0300-1234567", "leave out the hyphens"},
		{"PK", "easypaisa", "customerAccountNumber", "030012345678", ""},
		{"PK", "easypaisa", "customerContact", "3.00123E+10", exponent},
		{"PK", "HBL", "customerAccountNumber", "1.12346E+15", exponent},
		{"PK", "HBL", "customerAccountNumber", "PK13 HABB 0000 0011 2345 6702", "blanks"},
		{"PK", "HBL", "customerAccountNumber", "pk13habb0000001123456702", "capitals"},
		{"PK", "HBL", "customerAccountNumber", "PK13HABB000000112345670", "check digits"},
		{"VN", "VCB", "customerAccountNumber", "7.1E+12", exponent},
		{"VN", "VCB", "customerAccountNumber", "0071000123456.0", decimals},
		{"VN", "MOMO", "customerContact", "0934194751.0", decimals},
		{"TH", "KBANK", "customerAccountNumber", "111-2-22333-4", "hyphens"},
		{"TH", "KBANK", "customerContact", "6.68E+10", exponent},
		{"BD", "EWALLET_BKASH", "walletId", "1712345678", ""},
		{"BD", "EWALLET_BKASH", "walletId", "'01712345678", "apostrophe"},
		{"KE", "EWALLET_MPESA", "customerContact", "2.547E+11", exponent},
		{"BR", "PIX", "customerAccountNumber", "'maria@example.com", "apostrophe"},
		{"BR", "PIX", "customerAccountNumber", "maria@exa\u200bmple.com", hidden},
		{"BR", "PIX", "customerAccountNumber", "12345678909", ""},
		{"IN", "UPI", "customerAccountNumber", "asha @upi", "blanks"},
		{"MY", "MAYBANK", "customerAccountNumber", "5.14E+11", exponent},
		{"PH", "UBP", "customerAccountNumber", "1.0E+11", exponent},
		{"ID", "BCA", "customerAccountNumber", "1.0E+11", exponent},
		{"MX", "CLABE", "customerAccountNumber", "1.23457E+17", exponent},
		{"KR", "KB", "customerAccountNumber", "110-123-456789", "hyphens"},
		{"EG", "X", "customerAccountNumber", "1.0111E+9", exponent},
	}
	for _, test := range tests {
		p := country(t, test.country)
		amount, err := money.Parse("1000", p.Currency)
		require.NoError(t, err)
		fields := map[string]string{"bankName": "PIX_EMAIL", test.member: test.value}
		found := p.Check(DirectionWithdrawal, test.way, amount, fields)
		var message string
		for _, v := range found {
			if v.Field == test.member {
				require.Equal(t, ViolationMalformed, v.Code, "%+v", test)
				message += v.Message
			}
		}
		require.Contains(t, message, test.hint, "%+v", test)
		require.NotEmpty(t, message, "%+v", test)
		require.NotContains(t, message, test.value)
	}
}

// A member that no page of the country has and that could name somebody is
// refused, in lists that are not complete, too.
func TestMembersThatNameAnotherPayee(t *testing.T) {
	t.Parallel()
	p := country(t, "PK")
	amount, err := money.Parse("1000", "PKR")
	require.NoError(t, err)
	check := func(name string) []Violation {
		fields := map[string]string{"customerAccountNumber": "03001234567", name: "03007654321", ScenarioMember: "fail"}
		return p.Check(DirectionWithdrawal, "easypaisa", amount, fields)
	}
	for _, name := range []string{"walletId", "WalletID", "wallet_id", "ifsc", "bankName", "accountTax", "iban", "IBAN", "msisdn", "phoneNumber", "mobile", "accountNo", "cardNumber", "payeeAccount", "beneficiary"} {
		found := check(name)
		require.Len(t, found, 1, name)
		require.Equal(t, ViolationUnwanted+" "+name, found[0].Code+" "+found[0].Field)
	}
	for _, name := range []string{"customeraccountnumber", "customer_contact", "customerAccountNumbers", "custmerContact", "Amount", "mchno"} {
		found := check(name)
		require.Len(t, found, 1, name)
		require.Equal(t, ViolationUnknownField+" "+name, found[0].Code+" "+found[0].Field)
		require.Contains(t, found[0].Message, "did you mean")
	}
	require.Empty(t, check("remark"))
	require.False(t, p.DetailsComplete(DirectionWithdrawal))

	thailand := country(t, "TH")
	require.True(t, thailand.DetailsComplete(DirectionWithdrawal))
	found := thailand.Check(DirectionDeposit, "BANK", money.Amount{}, map[string]string{"body": "cart", "remark": "x", ScenarioMember: "fail"})
	require.Contains(t, fmt.Sprint(found), "UNKNOWN_FIELD remark Thailand: a deposit has no member remark; it has body, customerName")

	// One cause is one violation, however many members it has.
	bangladesh := country(t, "BD")
	found = bangladesh.Check(DirectionWithdrawal, "EWALLET_BKASH", money.Amount{}, map[string]string{
		"walletId": "01711111111", "customerName": "Lin", "customerContact": "01711111111", "customerEmail": "a@b.example", "a=b": "x",
	})
	require.Contains(t, fmt.Sprint(found), "UNKNOWN_FIELD customerContact, customerEmail, customerName "+
		"Bangladesh: a withdrawal has none of the members customerContact, customerEmail, customerName; it has walletId")
	require.Equal(t, 1, strings.Count(fmt.Sprint(found), ViolationUnknownField))
}

// Near misses of every code of every list are refused, complete or not.
func TestNearMissesOfEveryCode(t *testing.T) {
	t.Parallel()
	for _, p := range Countries() {
		for _, direction := range []Direction{DirectionDeposit, DirectionWithdrawal} {
			side := p.Side(direction)
			for _, way := range side.Ways {
				for _, miss := range []string{
					strings.ToLower(way.Code), strings.ToUpper(way.Code), strings.ReplaceAll(way.Code, "_", "-"), strings.ReplaceAll(way.Code, "–", "-"),
					strings.ReplaceAll(way.Code, " ", ""), strings.ReplaceAll(way.Code, "_", ""), way.Code + "_", way.Names[0],
				} {
					if side.lists(miss) {
						continue
					}
					found := p.Check(direction, miss, money.Amount{}, nil)
					hints := 0
					for _, v := range found {
						if v.Field == "way" && strings.Contains(v.Message, "did you mean ") {
							hints++
						}
					}
					require.Equal(t, 1, hints, "%s %s: %s for %s", p.Code, direction, miss, way.Code)
				}
			}
		}
	}
}

func TestNearMisses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		country   string
		direction Direction
		way, want string
	}{
		{"VN", DirectionDeposit, "SEAB", "SEA"}, {"VN", DirectionDeposit, "momo", "MOMO"}, {"VN", DirectionDeposit, "viettel", "VIETTEL"},
		{"VN", DirectionDeposit, "Techcombank", "TCB"}, {"VN", DirectionDeposit, "VIETELPAY", "VIETTELPAY"}, {"VN", DirectionDeposit, "ＭＯＭＯ", ""},
		{"PK", DirectionWithdrawal, "JazzCash", "jazzcash"}, {"PK", DirectionWithdrawal, "jazcash", "jazzcash"}, {"PK", DirectionWithdrawal, "easypiasa", "easypaisa"},
		{"PK", DirectionWithdrawal, "Habib Metro Bank - Bulk 1IBFT", "Habib Metro Bank – Bulk 1IBFT"},
		{"ID", DirectionDeposit, "bank_bca", "BANK_BCA"}, {"ID", DirectionDeposit, "BCA", "BANK_BCA"}, {"ID", DirectionDeposit, "BANK_MANDRI", "BANK_MANDIRI"},
		{"PH", DirectionWithdrawal, "gcash", "GCASH"}, {"PH", DirectionWithdrawal, "Metrobank", "MBTCP"},
		{"MY", DirectionDeposit, "bank", "BANK"}, {"EG", DirectionDeposit, "Cashier", "CASHIER"}, {"EG", DirectionDeposit, "CASHIERR", "CASHIER"},
		{"BR", DirectionWithdrawal, "pix", "PIX"},
	}
	for _, test := range tests {
		found := country(t, test.country).Check(test.direction, test.way, money.Amount{}, nil)
		require.Contains(t, fmt.Sprint(found), test.want, "%+v", test)
		about := 0
		for _, v := range found {
			if v.Field == "way" {
				about++
				if test.want != "" {
					require.Contains(t, v.Message, "did you mean "+test.want+"?", "%+v", test)
				}
			}
		}
		require.Equal(t, 1, about, "%+v", test)
	}
	// What is truly unknown passes where the list is not complete.
	for country1, ways := range map[string][]string{
		"PK": {"Meezan", "MCB", "UBL", "Soneri", "Keenu1"}, "PH": {"GW_XYZ", "BPI"}, "BR": {"TED"}, "ID": {"BCA"},
	} {
		for _, way := range ways {
			for _, v := range country(t, country1).Check(DirectionWithdrawal, way, money.Amount{}, nil) {
				require.NotEqual(t, "way", v.Field, "%s %s: %s", country1, way, v.Message)
			}
		}
	}
	for _, way := range []string{"BANK_NEW", "BANK_BTN", "BANK_BSB"} {
		for _, v := range country(t, "ID").Check(DirectionDeposit, way, money.Amount{}, nil) {
			require.NotEqual(t, "way", v.Field, way)
		}
	}
}
