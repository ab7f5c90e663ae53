package e2e

import (
	"flag"
	"os"
	"testing"
)

// atTheSameTime is how many tests run at once. Tests mostly wait, so it may be
// more than the number of processors.
const atTheSameTime = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", atTheSameTime); err != nil {
			panic(err) // it is a flag of package testing
		}
	}
	os.Exit(m.Run())
}
