package main

import (
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// listScenarios is the command that lists the scenarios and faults.
const listScenarios = "sandbox scenarios"

// checkName returns an error if a name is not in the list.
func checkName(what, name string, names []string, where string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return commandline.NotOneOf(what, name, names, where)
}

// checkScenarios checks the names in a list of scenarios such as "fail,hidden:3".
func checkScenarios(text string) error {
	var names []string
	for _, s := range sandbox.Scenarios() {
		names = append(names, s.Name)
	}
	for part := range strings.SplitSeq(text, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), ":")
		if err := checkName("scenario", name, names, listScenarios); err != nil {
			return err
		}
	}
	return nil
}

func checkFaults(faults map[string]int) error {
	for name := range faults {
		if err := checkName("fault", name, sandbox.FaultNames(), listScenarios); err != nil {
			return err
		}
	}
	return nil
}

func checkSwitch(name string) error {
	var names []string
	for _, s := range sandbox.Switches() {
		names = append(names, s.Name)
	}
	return checkName("switch", name, names, "sandbox switch --help")
}
