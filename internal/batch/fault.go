package batch

import "github.com/tarspay-payouts/orchestrator/internal/sheet"

// Codes of faults of a file. Faults of a row's content have the codes of package order
// and of the country's profile. They are stable.
const (
	CodeInvalid    = "BATCH_INVALID"         // of the file as a whole: the faults say what is wrong
	CodeUnreadable = "BATCH_UNREADABLE"      // the file is not of its format
	CodeEncoding   = "BATCH_ENCODING"        // its text is in another encoding
	CodeTooLarge   = "BATCH_TOO_LARGE"       // it is larger than is taken
	CodeEmpty      = "BATCH_EMPTY"           // it has no row
	CodeSheets     = "BATCH_SEVERAL_SHEETS"  // a second sheet has content
	CodeUnknown    = "BATCH_COLUMN_UNKNOWN"  // no column has this name
	CodeTwice      = "BATCH_COLUMN_REPEATED" // two columns have one name
	CodeMissing    = "BATCH_COLUMN_MISSING"  // a column that every file has is missing
	CodeTwoHeaders = "BATCH_TWO_HEADERS"     // a row repeats the header
	CodeCells      = "BATCH_CELLS"           // a row has another number of cells than the header
	CodeFormula    = "BATCH_FORMULA"         // a cell is a formula
	CodeMerged     = "BATCH_MERGED_CELLS"    // cells are merged
	CodeHidden     = "BATCH_HIDDEN"          // a row or column is hidden
	CodeNotText    = "BATCH_CELL_NOT_TEXT"   // a cell is a number, a date or the like
	CodeRepeated   = "BATCH_ROW_REPEATED"    // two rows are the same
	CodeConflict   = "BATCH_NUMBER_CONFLICT" // two rows have one number and differ
	CodeForeign    = "BATCH_OTHER_MERCHANT"  // a row is another merchant's
	CodeOtherPlace = "BATCH_OTHER_COUNTRY"   // a row is of another country than the merchant
	CodeTotal      = "BATCH_TOTAL_DIFFERS"   // a control total is not that of the file
)

// Fault is one thing that is wrong with a file.
type Fault = sheet.Fault

// Faults is the error of a file that is not right. Its code is CodeInvalid.
type Faults = sheet.Faults
