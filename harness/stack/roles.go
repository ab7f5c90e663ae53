package stack

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
)

// Starter is the command line, which a stack does not run: see Environment.
const Starter = "starter"

// roles are the database roles of processes, by kind.
var roles = map[string]string{Worker: "payouts_worker", Receiver: "payouts_receiver", API: "payouts_api", Starter: "payouts_reader"}

// grantRoles migrates the ledger and makes a login for each kind of process, as
// docs/operations.md says.
func (s *Stack) grantRoles(ctx context.Context, bin string) error {
	if !s.options.Roles || s.database.isFile() {
		return nil
	}
	program := filepath.Join(bin, Worker)
	if other := s.options.Binaries[Worker]; other != "" {
		program = other
	}
	migrate := exec.CommandContext(ctx, program, "migrate", "--roles") //nolint:gosec // the stack's own program
	migrate.Env = []string{"PAYOUTS_DATABASE_URL=" + s.database.url, "PAYOUTS_LOG_FORMAT=text"}
	if said, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("worker migrate --roles: %w: %s", err, said)
	}
	s.database.logins = make(map[string]*url.Userinfo)
	for kind, role := range roles {
		name, password := s.database.schema+"_"+kind, randomHex()
		if err := s.database.execute(ctx, fmt.Sprintf("DROP ROLE IF EXISTS %s; CREATE ROLE %[1]s LOGIN PASSWORD '%s' IN ROLE %s", name, password, role)); err != nil {
			return err
		}
		s.database.logins[kind] = url.UserPassword(name, password)
	}
	return nil
}

// as returns the database's URL with the login of a process.
func (d database) as(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	parsed, err := url.Parse(d.url)
	if login := d.logins[kind]; err == nil && login != nil {
		parsed.User = login
		return parsed.String()
	}
	return d.url
}
