package main

import (
	"slices"
	"strings"

	"github.com/tarspay-payouts/orchestrator/harness/sandbox"
	"github.com/tarspay-payouts/orchestrator/internal/commandline"
)

// listScenarios is the command that lists what can happen to an order.
const listScenarios = "sandbox scenarios"

// known refuses a name that is none of a list.
func known(what, name string, names []string, where string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return commandline.NotOneOf(what, name, names, where)
}

// knownScenarios checks the names in a list of scenarios, "fail,hidden:3".
func knownScenarios(text string) error {
	var names []string
	for _, s := range sandbox.Scenarios() {
		names = append(names, s.Name)
	}
	for part := range strings.SplitSeq(text, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), ":")
		if err := known("scenario", name, names, listScenarios); err != nil {
			return err
		}
	}
	return nil
}

func knownFaults(faults map[string]int) error {
	for name := range faults {
		if err := known("fault", name, sandbox.FaultNames(), listScenarios); err != nil {
			return err
		}
	}
	return nil
}

func knownSwitch(name string) error {
	var names []string
	for _, s := range sandbox.Switches() {
		names = append(names, s.Name)
	}
	return known("switch", name, names, "sandbox switch --help")
}
