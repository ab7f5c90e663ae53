package statement

import "github.com/tarspay-payouts/orchestrator/internal/sheet"

// Codes of faults of a statement. They are stable.
const (
	CodeInvalid    = "STATEMENT_INVALID"         // of the file as a whole: the faults say what is wrong
	CodeUnreadable = "STATEMENT_UNREADABLE"      // the file is not of its format, or breaks off
	CodeEncoding   = "STATEMENT_ENCODING"        // its text is in another encoding
	CodeTooLarge   = "STATEMENT_TOO_LARGE"       // it is larger than is taken
	CodeEmpty      = "STATEMENT_EMPTY"           // it has no line
	CodeSheets     = "STATEMENT_SEVERAL_SHEETS"  // a second sheet has content
	CodeMissing    = "STATEMENT_COLUMN_MISSING"  // a column of the profile is not there
	CodeTwice      = "STATEMENT_COLUMN_REPEATED" // two columns are the same column of the profile
	CodeTwoHeaders = "STATEMENT_TWO_HEADERS"     // a line repeats the header
	CodeCells      = "STATEMENT_CELLS"           // a line has another number of cells than the header
	CodeFormula    = "STATEMENT_FORMULA"         // a cell is a formula
	CodeMerged     = "STATEMENT_MERGED_CELLS"    // cells are merged
	CodeHidden     = "STATEMENT_HIDDEN"          // a row or column is hidden
	CodeReference  = "STATEMENT_REFERENCE"       // a gateway id or order number is missing or mangled
	CodeAmount     = "STATEMENT_AMOUNT"          // an amount cannot be read exactly
	CodeTime       = "STATEMENT_TIME"            // a time has no form of the profile
	CodeAmbiguous  = "STATEMENT_TIME_AMBIGUOUS"  // a time has two forms of the profile and means different times
	CodeFuture     = "STATEMENT_FUTURE"          // a time is in the future
	CodeWindow     = "STATEMENT_WINDOW"          // the lines span more than a year
	CodeState      = "STATEMENT_STATE_UNKNOWN"   // a word is no state of the profile
	CodeKind       = "STATEMENT_KIND_UNKNOWN"    // a word is no kind of the profile
	CodeForeign    = "STATEMENT_OTHER_MERCHANT"  // a line is another merchant's
	CodeCurrency   = "STATEMENT_CURRENCY"        // a line is in a currency that the merchant does not hold
	CodeRepeated   = "STATEMENT_LINE_REPEATED"   // a line has the content of an earlier one; it is taken once
	CodeProfile    = "STATEMENT_PROFILE"         // the profile is not right, or there is none of that name
)

// sheetCodes are the codes of faults that end the reading of a file.
var sheetCodes = map[sheet.Kind]string{
	sheet.Unreadable: CodeUnreadable, sheet.Encoding: CodeEncoding, sheet.TooLarge: CodeTooLarge, sheet.Sheets: CodeSheets,
	sheet.Cells: CodeCells, sheet.Merged: CodeMerged, sheet.Hidden: CodeHidden,
}
