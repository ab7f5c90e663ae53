// Package floors holds the table of the house: on which floor each package
// stands, and what it must not reach. Its tests compare the table with the
// imports that `go list` reports, and keep the table and the arrows of
// docs/architecture.md equal to them.
package floors

// Room is a package of ours, or every package below a path.
type Room struct {
	Path   string // below the module's root; "harness/cmd/..." is every package below harness/cmd
	Floor  int
	Holds  string   // for docs/architecture.md
	Beside []string // rooms of the same floor that it may import
	Never  []Ban    // what it must not reach, directly or through others
	Direct []Ban    // what its own files must not import
}

// Ban is a package that a room must not import.
type Ban struct {
	Path string // ours is below the module's root; "go.temporal.io/..." is every package below go.temporal.io
	Why  string
}

// laboratory is the lowest floor of harness/. The product ends below it.
const laboratory = 7

var (
	noTemporal = Ban{"go.temporal.io/...", "it does not know who drives an order"}
	noSQL      = Ban{"database/sql", "it does not know where an order is kept"}
	noHTTP     = Ban{"net/http", "it does not know HTTP"}
	noWorkflow = Ban{"go.temporal.io/sdk/workflow", "workflow code lives in workflows/"}
	noCommand  = Ban{"github.com/spf13/cobra", "only commands know flags"}
)

// shell is what the files of a command must not import: it parses flags, wires and prints.
var shell = []Ban{
	{"go.temporal.io/...", "internal/boot dials Temporal"},
	{"database/sql", "internal/boot opens the ledger"},
	{"github.com/jmoiron/sqlx", "internal/boot opens the ledger"},
	{"internal/ledger/...", "the use cases are in internal/payouts"},
	{"activities", "internal/worker builds a worker"},
	{"workflows", "internal/worker builds a worker"},
}

// Rooms is the table. A package that is not in it is refused.
var Rooms = []Room{
	{Path: "cmd/worker", Floor: 6, Holds: "flags, wiring and signals of the worker", Direct: shell},
	{Path: "cmd/receiver", Floor: 6, Holds: "flags, wiring and signals of the receiver", Direct: shell, Never: []Ban{
		{"activities", "the receiver does not know how an order is driven"},
		{"workflows", "the receiver does not know how an order is driven"},
	}},
	{Path: "cmd/api", Floor: 6, Holds: "flags, wiring and signals of the HTTP door", Direct: shell},
	{Path: "cmd/starter", Floor: 6, Holds: "the command line of operators and finance", Direct: shell},
	{Path: "cmd/codec", Floor: 6, Holds: "decrypts payloads for the Temporal UI", Direct: shell, Never: []Ban{
		{"database/sql", "the codec has keys and no database"},
	}},

	{Path: "internal/httpapi", Floor: 5, Holds: "the HTTP door, its OpenAPI", Direct: []Ban{
		{"database/sql", "the use cases reach the ledger"},
		{"go.temporal.io/...", "the use cases reach Temporal"},
	}},
	{Path: "internal/httpapi/pages", Floor: 5, Beside: []string{"internal/httpapi"}, Holds: "pages for people: log in by OIDC, approve or reject", Direct: []Ban{
		{"database/sql", "the use cases reach the ledger"},
		{"go.temporal.io/...", "the use cases reach Temporal"},
	}},
	{Path: "internal/apiclient", Floor: 5, Holds: "the use cases that the HTTP door has, asked of it", Never: []Ban{noCommand}, Direct: []Ban{
		{"database/sql", "the door reaches the ledger"},
		{"go.temporal.io/...", "the door reaches Temporal"},
	}},
	{Path: "internal/boot", Floor: 5, Holds: "opens the ledger, dials Temporal, makes a gateway client", Never: []Ban{noCommand}},
	{Path: "internal/boot/process", Floor: 5, Holds: "runs a program until it ends or is told to stop", Never: []Ban{noTemporal, noSQL}},
	{Path: "internal/worker", Floor: 5, Beside: []string{"internal/boot"}, Holds: "the task queues, the schedules, the search attributes", Never: []Ban{noCommand}},

	{Path: "internal/payouts", Floor: 4, Beside: []string{"internal/webhook"}, Holds: "the use cases, one per file", Never: []Ban{noCommand}, Direct: []Ban{noHTTP, {"flag", "only commands know flags"}}},
	{
		Path: "workflows", Floor: 4, Beside: []string{"activities"},
		Holds: "one file per workflow; `payout.go` and `await.go` hold what deposits and withdrawals share; `options.go` every timeout and retry, each with its reason",
		Direct: []Ban{
			{"internal/ledger/...", "workflow code reaches the ledger through activities"},
			{"config", "a changed setting would change running workflows"},
		},
	},
	{
		Path: "activities", Floor: 4, Never: []Ban{noWorkflow},
		Holds: "`gateway.go` TarsPay calls, `books.go` ledger writes, `reconcile.go`; `errors.go` the one place where a gateway error becomes a decision",
	},
	{
		Path: "internal/callback", Floor: 4, Never: []Ban{noWorkflow},
		Holds: "the HTTP handler of the receiver: verify, store, signal, answer `OK`; the sweep that signals later",
	},
	{Path: "internal/webhook", Floor: 4, Holds: "events sent to finance", Never: []Ban{noWorkflow}},
	{Path: "internal/batch", Floor: 4, Holds: "a file of payouts: read, checked, written with results", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},
	{Path: "internal/statement", Floor: 4, Holds: "a file that was exported from the gateway's portal: read by a profile, checked", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},

	{
		Path: "internal/ledger", Floor: 3, Beside: []string{"internal/reconcile", "internal/ledger/sqldb", "internal/ledger/verify"}, Never: []Ban{noTemporal}, Direct: []Ban{noHTTP},
		Holds: "orders, submissions, transfers, callback inbox, snapshots, discrepancies",
	},
	{Path: "internal/ledger/sqldb", Floor: 3, Holds: "two SQL engines, their retries and migrations", Never: []Ban{noTemporal}, Direct: []Ban{noHTTP}},
	{Path: "internal/ledger/verify", Floor: 3, Beside: []string{"internal/ledger/sqldb"}, Holds: "the ledger's check of itself", Never: []Ban{noTemporal}, Direct: []Ban{noHTTP}},
	{Path: "internal/authority", Floor: 3, Holds: "who may act: signed actions against the roster in force", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},
	{Path: "internal/worklist", Floor: 3, Beside: []string{"internal/ledger"}, Holds: "what needs a person, and an order's story, in words", Never: []Ban{noTemporal}, Direct: []Ban{noHTTP}},
	{Path: "internal/reconcile", Floor: 3, Holds: "compares records of two sides", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},
	{Path: "internal/report", Floor: 3, Beside: []string{"internal/ledger"}, Holds: "a day in figures", Never: []Ban{noTemporal}, Direct: []Ban{noHTTP}},

	{Path: "client", Floor: 2, Beside: []string{"contract", "order", "internal/rules"}, Holds: "how finance systems start and read orders", Never: []Ban{
		{"database/sql", "a finance system that imports the client must not build a database"},
		{"config", "a finance system has settings of its own"},
		noWorkflow, noCommand,
	}},
	{
		Path: "contract", Floor: 2, Beside: []string{"order", "internal/rules"}, Never: []Ban{noSQL, {"go.temporal.io/sdk/client", "the contract is names and values"}}, Direct: []Ban{noHTTP},
		Holds: "what crosses Temporal: names of queues, types, messages and search attributes, their inputs and results",
	},
	{
		Path: "order", Floor: 2, Beside: []string{"tarspay"}, Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP},
		Holds: "requests, validation, fingerprint, states, actions, refusals",
	},
	{
		Path: "internal/rules", Floor: 2, Beside: []string{"order", "tarspay"}, Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP},
		Holds: "the tables that decide: moves between states, what counts as proof, the approval policy, which actions are allowed",
	},
	{
		Path: "tarspay", Floor: 2, Never: []Ban{noTemporal, noSQL},
		Holds: "the protocol: signing, client, callbacks, states, error classes, country profiles as data",
	},
	{Path: "codec", Floor: 2, Beside: []string{"contract"}, Holds: "encryption of what Temporal stores of an order", Never: []Ban{noSQL}},
	{
		Path: "internal/roster", Floor: 2, Beside: []string{"order", "internal/rules"}, Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP},
		Holds: "who may act: people and systems, their roles, merchants, limits and keys",
	},
	{
		Path: "internal/envelope", Floor: 2, Beside: []string{"order", "internal/roster", "internal/rules"}, Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP},
		Holds: "signed actions: canonical bytes, SSH and ed25519 signatures, lists as Merkle trees",
	},
	{Path: "internal/commandline", Floor: 2, Holds: "what the commands share: help, flags, exit statuses", Never: []Ban{noTemporal, noSQL}},

	{Path: "money", Floor: 1, Holds: "exact amounts"},
	{Path: "internal/codes", Floor: 1, Holds: "the catalogue of codes, their classes", Never: []Ban{noTemporal, noSQL}},
	{Path: "internal/saytime", Floor: 1, Holds: "times in texts that are stored", Never: []Ban{noTemporal, noSQL}},
	{Path: "config", Floor: 1, Beside: []string{"money", "internal/trusted"}, Holds: "settings from the environment"},
	{Path: "internal/telemetry", Floor: 1, Holds: "health and metrics of a process", Never: []Ban{noTemporal, noSQL}},
	{Path: "internal/seal", Floor: 1, Beside: []string{"internal/trusted"}, Holds: "seals of audit entries, signed checkpoints of their Merkle tree, proofs", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},
	{Path: "internal/vault", Floor: 1, Beside: []string{"internal/trusted"}, Holds: "keys per order that encrypt personal data, under data keys from a file", Never: []Ban{noTemporal, noSQL}, Direct: []Ban{noHTTP}},
	{Path: "internal/trusted", Floor: 1, Holds: "files that others must not change", Never: []Ban{noTemporal, noSQL, noHTTP}},
	{Path: "internal/scratch", Floor: 1, Holds: "bytes on the disk, encrypted, for as long as a process needs them", Never: []Ban{noTemporal, noSQL, noHTTP}},
	{Path: "internal/sheet", Floor: 1, Beside: []string{"internal/scratch"}, Holds: "the rows of a file of CSV or of a workbook", Never: []Ban{noTemporal, noSQL, noHTTP}},
	{Path: "internal/shell", Floor: 1, Holds: "values as words of a shell"},
	{Path: "internal/version", Floor: 1, Beside: []string{"internal/ledger/migrations"}, Holds: "what a program was built from", Never: []Ban{noTemporal, noSQL, noHTTP}},
	{Path: "internal/ledger/migrations", Floor: 1, Holds: "the SQL of the ledger's tables and roles", Never: []Ban{noTemporal, noSQL, noHTTP}},

	{Path: "internal/ledger/sqldb/dbtest", Floor: laboratory, Holds: "an empty database of each engine, for tests"},
	{Path: "harness/sandbox", Floor: laboratory, Holds: "a gateway for tests, with its own book", Never: []Ban{
		{"order", "the sandbox's book must not be ours"},
		{"internal/rules", "the sandbox's book must not be ours"},
		{"internal/ledger/...", "the sandbox's book must not be ours"},
		noTemporal,
	}},
	{Path: "deploy", Floor: laboratory, Holds: "alert rules and dashboards, and their test"},
	{Path: "harness/floors", Floor: laboratory, Holds: "the table of the house"},
	{Path: "harness/docs", Floor: laboratory, Holds: "the parts of documents that code writes"},
	{Path: "harness/idp", Floor: laboratory, Holds: "an OIDC provider for tests"},
	{Path: "harness/mutants", Floor: laboratory, Holds: "takes guards out of a copy of the code"},
	{Path: "harness/proxy", Floor: laboratory, Holds: "carries TCP connections, to cut them"},
	{Path: "harness/stack", Floor: 8, Holds: "the whole system as processes on one machine"},
	{Path: "harness/bench", Floor: 9, Holds: "what an order costs"},
	{Path: "harness/campaign", Floor: 9, Holds: "simulated small systems with random faults"},
	{Path: "harness/chaos", Floor: 9, Holds: "runs in which processes are killed, stopped and cut off"},
	{Path: "harness/reconcile", Floor: 9, Holds: "runs in which discrepancies are planted, to be found and healed"},
	{Path: "harness/e2e", Floor: 9, Holds: "tests of the built programs"},
	{Path: "harness/cmd/...", Floor: 10, Holds: "the commands of the laboratory"},
}
