package config

// APIWorkflows holds the settings that the HTTP door needs, too, if it runs workflows.
// Other settings than these are the workers' alone, such as the keys of the gateway.
type APIWorkflows struct {
	WorkflowDatabaseURL     Secret `unit:"url" desc:"The ledger, with a worker's login: an api that runs workflows writes with it. Needed with PAYOUTS_API_RUN_WORKFLOWS. Otherwise like PAYOUTS_DATABASE_URL."`
	WorkflowDatabaseURLFile string `unit:"path" desc:"File that holds PAYOUTS_WORKFLOW_DATABASE_URL, in its place."`
	Platform
	CallTime
	Waiting
	Limits
	Fees
	Approval
	Audit
	Data
	Erasing
	Compared
}

// complete reads the settings from the environment, and reports all that is wrong.
func (w *APIWorkflows) complete(p *problems, merchants MerchantList) {
	const variable = "PAYOUTS_WORKFLOW_DATABASE_URL"
	p.fill(w)
	w.WorkflowDatabaseURL = p.database(variable, w.WorkflowDatabaseURL, w.WorkflowDatabaseURLFile)
	if w.WorkflowDatabaseURL == "" && !p.has(variable) && !p.has(variable+"_FILE") {
		p.add(variable, "is not set; PAYOUTS_API_RUN_WORKFLOWS needs the ledger with a worker's login: postgres://user:password@host/name or sqlite:path/to/file.db")
	}
	w.Platform.check(p)
	w.CallTime.check(p)
	w.Waiting.check(p, w.GatewayTimeout)
	w.Fees.check(p, merchants)
	w.Approval.check(p)
	w.Audit.check(p)
	w.Data.check(p)
	w.Compared.check(p)
	w.Erasing.check(p, w.Compared)
}

// Worker returns the settings with which the api runs workflows, as a worker has them.
// They name no key of the gateway, and its ledger is that of the worker's login.
func (a API) Worker() Worker {
	w := a.workflows
	return Worker{
		Database: Database{DatabaseURL: w.WorkflowDatabaseURL}, Accounts: a.Accounts, Platform: w.Platform,
		Gateway: Gateway{Access: Access{CallTime: w.CallTime}}, Waiting: w.Waiting, Limits: w.Limits, Fees: w.Fees,
		Approval: w.Approval, Roster: a.Roster, Audit: w.Audit, Data: w.Data, Erasing: w.Erasing,
		Reconciliation: Reconciliation{Compared: w.Compared}, Payloads: a.Payloads, Exceptions: a.Exceptions, Log: a.Log,
	}
}
