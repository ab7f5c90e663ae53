package statement

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/tarspay-payouts/orchestrator/internal/sheet"
	"github.com/tarspay-payouts/orchestrator/money"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

const merchant = "M1700000001"

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// own is a profile with the forms of a spreadsheet of people.
const own = `
name: own
columns: {gateway_id: [Gateway, "Gateway no"], number: Number, merchant: Merchant, kind: Type, state: State, currency: Currency, amount: Amount, paid: Paid, fee: Fee, time: Date}
kinds: {deposit: In, withdrawal: Out, own_withdrawal: Own}
states: {succeeded: [OK, Paid], failed: Failed, partial: Part, in_progress: Open}
times: ["YYYY-MM-DD hh:mm:ss", "DD/MM/YYYY hh:mm", "D MMM YYYY hh:mm AM"]
time_zone: Asia/Karachi
decimal: "."
`

func profileOf(t testing.TB, text string) *Profile {
	t.Helper()
	p, err := ParseProfile([]byte(text))
	require.NoError(t, err)
	return p
}

func options(t testing.TB, profile string) Options {
	t.Helper()
	country, known := tarspay.Country("PK")
	require.True(t, known)
	return Options{Merchant: merchant, Country: country, Profile: profileOf(t, profile), Now: now}
}

func checked(t testing.TB, file string, o Options) *Checked {
	t.Helper()
	c, err := Check(strings.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	return c
}

func linesOf(t testing.TB, c *Checked) []order.StatementLine {
	t.Helper()
	var lines []order.StatementLine
	for line, err := range c.Lines() {
		require.NoError(t, err)
		lines = append(lines, line)
	}
	return lines
}

// faults returns the faults of a file as "line column CODE".
func faults(t testing.TB, file string, o Options) []string {
	t.Helper()
	c, err := Check(strings.NewReader(file), int64(len(file)), o)
	var wrong *sheet.Faults
	require.ErrorAs(t, err, &wrong, "%+v", c)
	require.Equal(t, CodeInvalid, wrong.Code)
	found := make([]string, 0, len(wrong.Faults))
	for _, f := range wrong.Faults {
		require.NotEmpty(t, f.Message)
		found = append(found, fmt.Sprintf("%d %s %s", f.Line, f.Column, f.Code))
	}
	require.Len(t, found, wrong.Count)
	return found
}

const header = "Gateway,Number,Merchant,Type,State,Currency,Amount,Paid,Fee,Date\n"

const sound = header +
	"P1,W1," + merchant + ",Out,OK,PKR,\"1,500.00\",\"1,500.00\",15,2026-11-29 10:00:00\n" +
	"P2,D1," + merchant + ",In,Failed,PKR,20,,,29/11/2026 23:30\n"

// soundLines are the lines of sound.
func soundLines() []order.StatementLine {
	return []order.StatementLine{
		{
			Seq: 1, Line: 2, GatewayID: "P1", Number: "W1", Kind: tarspay.HistoryWithdrawal, State: tarspay.StateSucceeded, Currency: "PKR",
			Amount: 150000, Paid: 150000, Fee: 1500, At: time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC),
		},
		{
			Seq: 2, Line: 3, GatewayID: "P2", Number: "D1", Kind: tarspay.HistoryDeposit, State: tarspay.StateFailed, Currency: "PKR",
			Amount: 2000, Paid: 0, Fee: order.StatementUnstated, At: time.Date(2026, 11, 29, 18, 30, 0, 0, time.UTC),
		},
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	c := checked(t, sound, options(t, own))
	require.Equal(t, soundLines(), linesOf(t, c))
	require.Equal(t, soundLines(), linesOf(t, c), "again")
	require.Equal(t, sheet.CSV, c.Format)
	require.Len(t, c.Totals, 1)
	require.Equal(t, "withdrawal 1 1500.00 PKR", fmt.Sprint(c.Totals[0].Kind, " ", c.Totals[0].Lines, " ", c.Totals[0].Paid))
	s := c.Statement
	require.Equal(t, []any{merchant, s.Fingerprint[:16], "own", 2, soundLines()[0].At, soundLines()[1].At}, []any{s.Merchant, s.ID, s.Profile, s.Lines, s.From, s.To})

	// The same file is the same statement. Another profile makes another one of it.
	require.Equal(t, s, checked(t, sound, options(t, own)).Statement)
	other := checked(t, sound, options(t, own+"# a remark\n")).Statement
	require.NotEqual(t, s.ID, other.ID)
	require.Equal(t, []string{s.File, s.Content}, []string{other.File, other.Content})
}

// The sequence of the columns does not matter, nor columns that the profile does not name,
// nor the encoding, as far as it can be seen.
func TestFormsOfOneFile(t *testing.T) {
	t.Parallel()
	utf16of := func(little bool) string {
		var out bytes.Buffer
		for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(sound))...) {
			if little {
				out.Write([]byte{byte(unit), byte(unit >> 8)})
			} else {
				out.Write([]byte{byte(unit >> 8), byte(unit)})
			}
		}
		return out.String()
	}
	latin := own + "encoding: latin-1\n"
	for name, test := range map[string]struct{ file, profile string }{
		"byte order mark":   {"\xef\xbb\xbf" + sound, own},
		"UTF-16, little":    {utf16of(true), own},
		"UTF-16, big":       {utf16of(false), own},
		"Windows' lines":    {strings.ReplaceAll(sound, "\n", "\r\n"), own},
		"Latin-1":           {withName(sound, "Jos\xe9"), latin},
		"UTF-8 with a mark": {"\xef\xbb\xbf" + withName(sound, "Jos\u00e9"), latin},
		"another column":    {withName(sound, "Ayesha"), own},
		"other names":       {strings.Replace(sound, "Gateway,Number", "gateway NO , NUMBER", 1), own},
		"semicolons": {"Date;Gateway;Number;Merchant;Type;State;Currency;Amount;Paid;Fee\n29 Nov 2026 10:00 AM;P1;W1;" + merchant + ";out;paid;PKR;1500;1 500.00;15\n" +
			"29/11/2026 23:30;P2;D1;" + merchant + ";In;Failed;pkr;20;-;\n", own},
	} {
		require.Equal(t, soundLines(), linesOf(t, checked(t, test.file, options(t, test.profile))), name)
	}
	require.Equal(t, []string{"2  STATEMENT_ENCODING"}, faults(t, strings.Replace(sound, "P1,W1", "P1,W\xe9", 1), options(t, own)))
	require.Equal(t, []string{"1  STATEMENT_ENCODING"}, faults(t, utf16of(true)[2:], options(t, own)))
}

// withName adds a column that the profile does not have.
func withName(file, name string) string {
	lines := strings.Split(strings.TrimSuffix(file, "\n"), "\n")
	for i := range lines {
		lines[i] += "," + name
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	line := func(values string) string { return header + values + "\n" }
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"empty":                {"", []string{"0  STATEMENT_EMPTY"}},
		"blank":                {" \n\n", []string{"0  STATEMENT_EMPTY"}},
		"no line":              {header, []string{"0  STATEMENT_EMPTY"}},
		"renamed column":       {strings.Replace(sound, "Fee", "Charge", 1), []string{"1 Fee STATEMENT_COLUMN_MISSING"}},
		"missing columns":      {"Gateway,Number\nP1,W1\n", []string{"1 Merchant STATEMENT_COLUMN_MISSING", "1 Type STATEMENT_COLUMN_MISSING", "1 State STATEMENT_COLUMN_MISSING", "1 Currency STATEMENT_COLUMN_MISSING", "1 Amount STATEMENT_COLUMN_MISSING", "1 Paid STATEMENT_COLUMN_MISSING", "1 Fee STATEMENT_COLUMN_MISSING", "1 Date STATEMENT_COLUMN_MISSING"}},
		"repeated column":      {strings.Replace(sound, "Number", "Gateway no", 1), []string{"1 column B STATEMENT_COLUMN_REPEATED", "1 Number STATEMENT_COLUMN_MISSING"}},
		"two headers":          {sound + header, []string{"4  STATEMENT_TWO_HEADERS"}},
		"breaks off":           {sound[:len(sound)-20], []string{"3  STATEMENT_CELLS"}},
		"breaks off in quotes": {sound[:strings.Index(sound, "500.00")], []string{"2  STATEMENT_UNREADABLE"}},
		"another merchant":     {strings.Replace(sound, merchant+",In", "M1700000002,In", 1), []string{"3 Merchant STATEMENT_OTHER_MERCHANT"}},
		"another currency":     {strings.Replace(sound, "Failed,PKR", "Failed,USD", 1), []string{"3 Currency STATEMENT_CURRENCY"}},
		"future":               {strings.Replace(sound, "29/11/2026", "01/12/2026", 1), []string{"3 Date STATEMENT_FUTURE"}},
		"no such time":         {strings.Replace(sound, "29/11/2026", "29.11.2026", 1), []string{"3 Date STATEMENT_TIME"}},
		"ancient":              {strings.Replace(sound, "29/11/2026", "29/11/1926", 1), []string{"3 Date STATEMENT_TIME"}},
		"ten years":            {strings.Replace(sound, "29/11/2026", "29/11/2016", 1), []string{"0 Date STATEMENT_WINDOW"}},
		"state":                {strings.Replace(sound, "Failed", "Zahlung", 1), []string{"3 State STATEMENT_STATE_UNKNOWN"}},
		"kind":                 {strings.Replace(sound, ",In,", ",Sideways,", 1), []string{"3 Type STATEMENT_KIND_UNKNOWN"}},
		"a total":              {sound + ",,,,,,1520,,,\n", []string{"4 Merchant STATEMENT_OTHER_MERCHANT", "4 Currency STATEMENT_CURRENCY", "4 Date STATEMENT_TIME", "4 State STATEMENT_STATE_UNKNOWN", "4 Type STATEMENT_KIND_UNKNOWN"}},
		"mangled number":       {strings.Replace(sound, "P1,W1", "P1,1.7E+12", 1), []string{"2 Number STATEMENT_REFERENCE"}},
		"formula":              {strings.Replace(sound, "P1,W1", "P1,=A1", 1), []string{"2 Number STATEMENT_FORMULA"}},
		"no reference":         {strings.Replace(sound, "P1,W1", ",", 1), []string{"2 Gateway STATEMENT_REFERENCE"}},
		"no amount":            {line("P1,W1," + merchant + ",Out,Failed,PKR,,,,2026-11-29 10:00:00"), []string{"2 Amount STATEMENT_AMOUNT"}},
		"words":                {line("P1,W1," + merchant + ",Out,Failed,PKR,twelve,,,2026-11-29 10:00:00"), []string{"2 Amount STATEMENT_AMOUNT"}},
		"decimals":             {line("P1,W1," + merchant + ",Out,Failed,PKR,12.345,,,2026-11-29 10:00:00"), []string{"2 Amount STATEMENT_AMOUNT"}},
		"thousands":            {line("P1,W1," + merchant + ",Out,Failed,PKR,\"12,50\",,,2026-11-29 10:00:00"), []string{"2 Amount STATEMENT_AMOUNT"}},
		"negative deposit":     {line("P1,W1," + merchant + ",In,Failed,PKR,-12,,,2026-11-29 10:00:00"), []string{"2 Amount STATEMENT_AMOUNT"}},
		"fee above":            {line("P1,W1," + merchant + ",In,OK,PKR,12,12,13,2026-11-29 10:00:00"), []string{"2 Fee STATEMENT_AMOUNT"}},
		"old workbook":         {"\xd0\xcf\x11\xe0rest", []string{"0  STATEMENT_UNREADABLE"}},
		"no workbook":          {"PK\x03\x04rest", []string{"0  STATEMENT_UNREADABLE"}},
	} {
		require.Equal(t, test.want, faults(t, test.file, options(t, own)), name)
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	comma := strings.Replace(own, `decimal: "."`, `decimal: ","`, 1)
	for text, want := range map[string]int64{
		"1500": 150000, "1,500.00": 150000, "1 500.5": 150050, "1\u00a0500": 150000, "1\u2019234\u2019567.89": 123456789, "12,34,567.00": 123456700,
		"(1,500.00)": 150000, "1,500.00-": 150000, "-1500": 150000, "\u22121500": 150000, "+1500": 150000, "0012": 1200, "7": 700, "": -1,
		"1,500,00": -1, "1.5.0": -1, "1,50": -1, "1500 PKR": -1, "1e3": -1, "0x10": -1, "(15": -1, "--5": -1, "1.000": -1, strings.Repeat("9", 39): -1, "\u0661": -1,
	} {
		file := header + "P1,W1," + merchant + ",Out,Failed,PKR,\"" + text + "\",,,2026-11-29 10:00:00\n"
		if want < 0 {
			require.Equal(t, []string{"2 Amount STATEMENT_AMOUNT"}, faults(t, file, options(t, own)), text)
			continue
		}
		require.Equal(t, want, linesOf(t, checked(t, file, options(t, own)))[0].Amount, text)
	}
	for text, want := range map[string]int64{"1.500,25": 150025, "1500,5": 150050, "1.500": 150000, "1,500.25": -1} {
		file := header + "P1,W1," + merchant + ",Out,Failed,PKR,\"" + text + "\",,,2026-11-29 10:00:00\n"
		if want < 0 {
			require.Equal(t, []string{"2 Amount STATEMENT_AMOUNT"}, faults(t, file, options(t, comma)), text)
			continue
		}
		require.Equal(t, want, linesOf(t, checked(t, file, options(t, comma)))[0].Amount, text)
	}
}

// A line paid its amount, if the profile has no column for it. The gateway's amount of a
// deposit is less the fee. A sign may tell the kind.
func TestWhatWasPaid(t *testing.T) {
	t.Parallel()
	paid := func(profile, file string) (all []string) {
		for _, l := range linesOf(t, checked(t, file, options(t, profile))) {
			all = append(all, fmt.Sprintf("%s %d %d %d", kindName(l.Kind), l.Amount, l.Paid, l.Fee))
		}
		return all
	}
	signed := "name: signed\ncolumns: {number: N, amount: A, fee: F, time: T}\nkind: sign\nstate: succeeded\ntimes: unix\ntime_zone: UTC\ndecimal: \".\"\n"
	require.Equal(t, []string{"deposit 1000 1000 -2", "withdrawal 2000 2000 50"}, paid(signed, "N,A,F,T\nD1,10,,1795000000\nW1,(20.00),-0.5,1795000001\n"))

	gateway, err := embedded.ReadFile("profiles/gateway.yaml")
	require.NoError(t, err)
	const head = "payOrderId,mchOrderNo,mchNo,bizType,state,currency,orderAmount,amount,mchFeeAmount,createdAt,payerName\n"
	require.Equal(t, []string{"deposit 10000 10000 200", "withdrawal 10000 10000 200", "own_withdrawal 50000 50000 100", "deposit 10000 0 0", "deposit 10000 4000 100"},
		paid(string(gateway), head+
			"P1,D1,"+merchant+",1,2,PKR,100,98,2,1795000000,A\n"+
			"P2,W1,"+merchant+",2,2,PKR,100,100,2,1795000000,B\n"+
			"P3,,"+merchant+",4,2,PKR,,500,1,1795000000,\n"+
			"P4,D2,"+merchant+",1,3,PKR,100,100,0,1795000000,C\n"+
			"P5,D3,"+merchant+",1,9,PKR,100,39,1,1795000000,D\n"))
	require.Equal(t, []string{"deposit 10000 -2 -2"}, paid(string(gateway), head+"P1,D1,"+merchant+",1,2,PKR,100,98,,1795000000,A\n"))
}

func TestTwoFormsOfTimes(t *testing.T) {
	t.Parallel()
	both := strings.Replace(own, `"D MMM YYYY hh:mm AM"`, `"MM/DD/YYYY hh:mm"`, 1)
	require.Equal(t, []string{"2 Date STATEMENT_TIME_AMBIGUOUS"}, faults(t, strings.Replace(sound, "2026-11-29 10:00:00", "03/04/2026 10:00", 1), options(t, both)))
	c := checked(t, strings.Replace(sound, "2026-11-29 10:00:00", "04/04/2026 10:00", 1), options(t, both))
	require.Equal(t, time.Date(2026, 4, 4, 5, 0, 0, 0, time.UTC), linesOf(t, c)[0].At, "both forms mean the same")
}

// A repeated line is told, and taken once.
func TestRepeatedLines(t *testing.T) {
	t.Parallel()
	again := sound + strings.SplitAfter(sound, "\n")[1] + strings.SplitAfter(strings.Replace(sound, "1,500.00", "1500", 1), "\n")[1]
	c := checked(t, again, options(t, own))
	require.Equal(t, soundLines(), linesOf(t, c))
	require.Equal(t, 2, c.Statement.Lines)
	require.Equal(t, 2, c.Repeated.Count)
	require.Equal(t, sheet.Fault{Line: 4, Code: CodeRepeated, Message: "the line has the content of line 2; it is taken once"}, c.Repeated.Faults[0])
	require.Equal(t, 5, c.Repeated.Faults[1].Line)
}

// workbook returns a workbook with the cells of lines.
func workbook(t testing.TB, change func(*excelize.File), lines ...[]any) string {
	t.Helper()
	book := excelize.NewFile()
	defer func() { require.NoError(t, book.Close()) }()
	for i, line := range lines {
		require.NoError(t, book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &line))
	}
	if change != nil {
		change(book)
	}
	var out bytes.Buffer
	_, err := book.WriteTo(&out)
	require.NoError(t, err)
	return out.String()
}

// A workbook may have dates of Excel and texts in one column.
func TestWorkbook(t *testing.T) {
	t.Parallel()
	head := []any{"Gateway", "Number", "Merchant", "Type", "State", "Currency", "Amount", "Paid", "Fee", "Date"}
	lines := [][]any{
		head,
		{"P1", "W1", merchant, "Out", "OK", "PKR", 1500.0, "1,500.00", 15, time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)},
		{"P2", "D1", merchant, "In", "Failed", "PKR", "20", nil, nil, "29/11/2026 23:30"},
	}
	file := workbook(t, nil, lines...)
	c := checked(t, file, options(t, own))
	require.Equal(t, soundLines(), linesOf(t, c))
	require.Equal(t, sheet.XLSX, c.Format)
	dated := workbook(t, func(book *excelize.File) {
		yes := true
		require.NoError(t, book.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
		require.NoError(t, book.SetCellFloat("Sheet1", "J2", 44893+10.0/24, 10, 64))
	}, lines...)
	require.Equal(t, soundLines(), linesOf(t, checked(t, dated, options(t, own))))

	require.Equal(t, []string{"0  STATEMENT_UNREADABLE"}, faults(t, file[:len(file)/2], options(t, own)), "half a file")
	lines[1][1] = 1234567890123456789
	require.Equal(t, []string{"2 Number STATEMENT_REFERENCE"}, faults(t, workbook(t, nil, lines...), options(t, own)))
	lines[1][1], lines[1][6] = 12345, 0.1+0.2
	c = checked(t, workbook(t, nil, lines...), options(t, own))
	require.Equal(t, []any{"12345", int64(30)}, []any{linesOf(t, c)[0].Number, linesOf(t, c)[0].Amount})
	require.Equal(t, []string{"2  STATEMENT_HIDDEN"}, faults(t, workbook(t, func(book *excelize.File) {
		require.NoError(t, book.SetRowVisible("Sheet1", 2, false))
	}, lines...), options(t, own)))
	lines[1][6] = math.Pi
	require.Equal(t, []string{"2 Amount STATEMENT_AMOUNT"}, faults(t, workbook(t, nil, lines...), options(t, own)))
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range Profiles() {
		p, err := BuiltIn(name)
		require.NoError(t, err)
		require.Equal(t, name, p.Name)
	}
	_, err := BuiltIn("other")
	require.Equal(t, CodeProfile, order.CodeOf(err))
	for text, want := range map[string]string{
		"":                               "the profile: it is empty",
		"name: a\nother: 1\n":            "the profile: line 2: field other not found",
		"name: a b\n":                    "the profile: name must be 1 to 40 small letters, digits, hyphens and underscores",
		"name: a\ncolumns: {payee: X}\n": "the profile: columns has no field \"payee\"; there are merchant, gateway_id, number, kind, state, currency, amount, paid, settled, fee, time",
		"name: a\ncolumns: {amount: X, paid: x, time: T, number: N}\n": "the profile: columns: amount and paid are the same column",
		"name: a\ncolumns: {amount: A, time: T}\n":                     "the profile: columns must have gateway_id or number: nothing else tells which order a line is about",
		strings.Replace(own, "failed: Failed", "lost: Failed", 1):      "the profile: states has no \"lost\"; there are cancelled, created, failed, in_progress, partial, queued, refunded, rejected, succeeded, timed_out",
		strings.Replace(own, "failed: Failed", "failed: ok", 1):        "the profile: states: the word \"OK\" means two of them",
		strings.Replace(own, "Asia/Karachi", "Mars", 1):                "the profile: time_zone: there is no zone \"Mars\"; write it as Asia/Karachi",
		strings.Replace(own, "time_zone: Asia/Karachi", "", 1):         "the profile: time_zone must be a name such as Asia/Karachi or UTC: the same text is another moment in another zone",
		strings.Replace(own, `decimal: "."`, "", 1):                    "the profile: decimal must be \".\" or \",\": it stands before the decimals of an amount",
		strings.Replace(own, "DD/MM/YYYY hh:mm", "today", 1):           "the profile: times: \"today\" is no form; use YYYY, MM (or M, MMM), DD (or D), hh, mm, ss, AM, or one of rfc3339, unix, unix_ms",
		own + "encoding: ebcdic\n":                                     "the profile: encoding is utf-8, which is usual, or latin-1; UTF-16 is seen by itself",
		own + "kind: deposit\n":                                        "the profile: with a column for kind, kinds has its words and kind is left out",
	} {
		_, err := ParseProfile([]byte(text))
		require.Equal(t, CodeProfile, order.CodeOf(err), text)
		require.Contains(t, err.Error(), want)
	}
}

// The limits are those of a check.
func TestLimits(t *testing.T) {
	t.Parallel()
	_, err := check(strings.NewReader(sound), int64(len(sound)), options(t, own), limits{lines: 1, faults: 5})
	var wrong *sheet.Faults
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, []sheet.Fault{{Line: 3, Code: CodeTooLarge, Message: "the file has more than 1 lines; export fewer days"}}, wrong.Faults)
	most, err := money.Minor(money.Most, "PKR")
	require.NoError(t, err)
	big := header
	for i := range int(math.MaxInt64/money.Most) + 1 {
		big += fmt.Sprintf("P%d,W1,%s,Out,OK,PKR,%s,,,2026-11-29 10:00:00\n", i, merchant, most.Number())
	}
	require.Contains(t, faults(t, big, options(t, own))[0], "SUM_TOO_LARGE")
}

// generated is a file of many lines that is never in memory as a whole.
type generated struct{ lines int }

const generatedLine = 80

func (g generated) size() int64 { return int64(g.lines+1) * generatedLine }

func (g generated) ReadAt(into []byte, off int64) (n int, err error) {
	for n < len(into) && off+int64(n) < g.size() {
		at := off + int64(n)
		n += copy(into[n:], g.line(int(at / generatedLine))[at%generatedLine:])
	}
	if n < len(into) {
		err = io.EOF
	}
	return n, err
}

func (g generated) line(i int) string {
	text := "N,A,F,T,X"
	if i > 0 {
		text = fmt.Sprintf("N-%09d,%d,1,1795000000,", i, 100+i%1000)
	}
	return text + strings.Repeat("x", generatedLine-1-len(text)) + "\n"
}

// Twice the lines take the same memory. A file of less than 8 MB takes less.
func TestMemoryIsFlat(t *testing.T) {
	profile := "name: flat\ncolumns: {number: N, amount: A, fee: F, time: T}\nkind: deposit\nstate: succeeded\ntimes: unix\ntime_zone: UTC\ndecimal: \".\"\n"
	peak := func(lines int) uint64 {
		runtime.GC()
		var most uint64
		file, count := generated{lines}, 0
		c, err := Check(file, file.size(), options(t, profile))
		require.NoError(t, err)
		for _, err := range c.Lines() {
			require.NoError(t, err)
			if count++; count%(lines/4) == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		require.Equal(t, lines, count)
		return most
	}
	tiny, small := peak(1_000), peak(110_000)
	require.Less(t, tiny, small/2)
	require.Less(t, float64(peak(220_000)), 1.1*float64(small))
}
