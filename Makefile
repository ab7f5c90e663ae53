# Everything here needs Go, git and make, nothing else. `make` alone lists the
# targets. It keeps to what GNU make 3.81 (macOS) and a POSIX shell understand.

GO         ?= go
FUZZTIME   ?= 30s
# What has an image, and the rest.
imaged     := cmd/worker cmd/starter cmd/receiver cmd/api cmd/codec harness/cmd/sandbox
COMMANDS   := $(imaged) harness/cmd/dev

# What every build shares: no C, so a binary runs on any machine of its kind,
# and no paths of this one.
go_build   := CGO_ENABLED=0 $(GO) build -trimpath

# The race detector needs a C compiler, which a machine with nothing but Go does
# not have; the tests then run without it. `make test RACE=` leaves it out.
#
# SQLite's own code (C turned into Go, in modernc.org/sqlite/lib) is not watched:
# that would make every statement fifty times slower. Only that package, which
# has no generic code: a copy of sync.Map's methods compiled without the detector
# may be the one the linker keeps, and then everybody's maps look like races.
RACE       ?= $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1 && \
	echo "-race '-gcflags=modernc.org/...=-d=checkptr=0' '-gcflags=modernc.org/sqlite/lib=-race=false -d=checkptr=0'")

# What costs the race detector most and shows it least runs without it: the simulated worlds,
# the planted discrepancies, the workflows, of which one goroutine runs at a time, starter,
# which does one thing after the other, the ledger, whose tests are SQL, the readers of
# statements, and the tests that read the code itself. The race detector makes these five to ten
# times slower. `make race` uses it.
unwatched  := ./cmd/starter ./harness/campaign ./harness/floors ./harness/mutants ./harness/reconcile \
	./internal/ledger ./internal/statement ./workflows
# What starts many processes runs alone: beside others it waits for the processors, and its
# time-outs multiply the work. So did a thousand orders of chaos, which take minutes alone.
alone      := ./harness/e2e ./harness/chaos
watched     = $(shell $(GO) list ./... | grep -v $(patsubst .%,-e %$$,$(unwatched) $(alone)))

generated  := harness/openapi/generated/client.gen.go

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build demo dev bench flood campaign chaos reconcile test race mutants screenshots lint fuzz fmt images release reproduce clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the commands into bin/
	@mkdir -p bin
	@tools/tell "building our commands" env $(go_build) -o bin/ $(COMMANDS:%=./%)

demo: build bin/temporal ## real orders through the whole stack: seconds, after the first build
	@bin/dev demo

dev: build bin/temporal ## the whole stack, left running until Ctrl-C
	@bin/dev up

# Standard output carries the benchmark's JSON lines and nothing else.
bench: build bin/temporal bin/temporal-server bin/temporal-sql-tool bin/withpostgres ## what an order costs, as JSON lines
	@bin/dev bench

# Standard output carries one JSON line.
flood: build bin/temporal ## a hundred thousand forged callbacks, genuine ones among them
	@bin/dev flood

# Standard output carries a JSON line per violation, with the command that shows
# it again, and a summary. SEED is the first of SEEDS worlds.
campaign: ## thousands of small worlds where everything goes wrong, in about two minutes on two quiet cores
	@$(GO) run ./harness/cmd/campaign $(if $(SEEDS),-seeds $(SEEDS)) $(if $(SEED),-seed $(SEED))

# Standard output carries a JSON line per violation, and a summary. SEED, ORDERS
# and DURATION choose a run; WORKER is another worker, to try the judge. EVENTS is
# a number of orders: that run has the api and a webhook endpoint, too. BATCH is a
# number of rows: a file of them is paid while the worker is killed five times.
# PRODUCTION=yes takes Temporal's own server on PostgreSQL: the development server does
# not bear ten thousand open orders.
chaos: build bin/temporal bin/withpostgres $(if $(PRODUCTION),bin/temporal-server bin/temporal-sql-tool) ## kills, suspends and disconnects real processes, then checks the result
	@bin/dev chaos $(if $(SEED),--seed $(SEED)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(EVENTS),--events --orders $(EVENTS)) $(if $(BATCH),--batch $(BATCH)) \
		$(if $(DURATION),--duration $(DURATION)) $(if $(PRODUCTION),--production) $(if $(WORKER),--worker '$(WORKER)')

# Standard output carries one JSON line. SEED, ORDERS and PLANTED choose a run.
reconcile: build ## twenty thousand orders, five hundred planted discrepancies: found, and healed if explained
	@bin/dev p10 $(if $(SEED),--seed $(SEED)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(PLANTED),--planted $(PLANTED))

test: build bin/temporal bin/withpostgres $(generated) ## every test, on SQLite and on a real PostgreSQL
	@tools/foreign
	@echo "testing$(if $(RACE),, without the race detector: no C compiler here)" >&2
	@bin/withpostgres -- $(GO) test $(RACE) -timeout 30m $(watched)
	@set -e; for each in $(alone); do bin/withpostgres -- $(GO) test $(RACE) -timeout 30m $$each; done
	@bin/withpostgres -- $(GO) test -timeout 20m $(unwatched)
	@cd harness/withpostgres && $(GO) test -timeout 5m ./...
	@cd harness/browser && $(GO) test -timeout 5m
	@cd harness/openapi && $(GO) test -timeout 5m
	@cd harness/release && $(GO) test -timeout 5m
	@cd harness/chart && $(GO) test -timeout 10m
	@$(MAKE) --no-print-directory fuzz FUZZTIME=1000x LIGHT=yes

race: bin/withpostgres ## what make test leaves out of it, with the race detector
	@bin/withpostgres -- $(GO) test $(RACE) -timeout 90m $(unwatched)

# Standard output carries a JSON line per mutant; ONLY=grace tries those whose
# name matches.
mutants: bin/withpostgres ## removes each guard of docs/safety.md from a copy: a test must fail
	@bin/withpostgres -- $(GO) run ./harness/mutants $(if $(ONLY),-only '$(ONLY)')

screenshots: build bin/temporal ## take the pictures in docs/images anew, with a real browser
	@mkdir -p docs/images
	@cd harness/browser && TEST_SCREENSHOT_DIR=../../docs/images $(GO) test -timeout 5m -run '^(TestTemporalUI|TestApprovals|TestDayReport)$$'

lint: bin/golangci-lint bin/workflowcheck $(generated) ## style, mistakes, the order of packages, workflow determinism
	@$(GO) test ./harness/floors
	@bin/golangci-lint run ./...
	@cd harness/withpostgres && ../../bin/golangci-lint run ./...
	@cd harness/browser && ../../bin/golangci-lint run ./...
	@cd harness/openapi && ../../bin/golangci-lint run ./...
	@cd harness/release && ../../bin/golangci-lint run ./...
	@cd harness/chart && ../../bin/golangci-lint run ./...
	@bin/workflowcheck -config tools/lint/workflowcheck.yaml ./workflows/...

fmt: bin/golangci-lint ## format the code the way lint wants it
	@bin/golangci-lint fmt ./...

# `go test` fuzzes one function of one package at a time. `make test` counts
# inputs instead of seconds, which a busy machine may not have. It leaves out what builds
# SQLite anew for fuzzing, which takes minutes: of that, the tests try the seeds.
fuzz: ## run every fuzz test for FUZZTIME (default 30s) each
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' . | grep -v '$(if $(LIGHT),/internal/httpapi/,^$$)' | sort | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$$file"); do \
			echo "$$file $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 500ms "$$(dirname "$$file")"; \
		done; \
	done

# For this machine's processor, with the tag latest. The images of a release are for both
# processors, and have the release's version.
images: bin/release ## container images of the programs, without a Docker engine, in bin/images/
	@mkdir -p bin/linux
	@tools/tell "building the programs for images" env GOOS=linux $(go_build) -ldflags "-s -w" -o bin/linux/ $(imaged:%=./%)
	@bin/release images -binaries 'bin/linux/{command}' -arch $$($(GO) env GOARCH) -tag latest \
		-version $$(git describe --always --dirty) -commit $$(git rev-parse HEAD) -time $$(git show -s --format=%ct HEAD) -out bin/images

release: bin/release ## archives, images, bills of materials and checksums in dist/; publishes nothing
	@bin/release make

reproduce: bin/release ## make the release in dist/ again from a new clone: the checksums must be the same
	@bin/release again

clean: ## remove what was built and what the stack wrote (bin/, dist/ and var/)
	rm -rf bin dist var $(dir $(generated))

# The tools are modules of their own and change only with their go.mod, so make
# builds them once. `touch` because go leaves an up-to-date file's date alone.

# One on PATH of the very same version is copied instead: with an empty build
# cache the build takes over four minutes on two quiet cores.
bin/temporal: tools/temporal/go.mod tools/temporal/go.sum
	@mkdir -p bin
	@version=$$(sed -n 's/.*github.com\/temporalio\/cli v\([0-9.]*\).*/\1/p' tools/temporal/go.mod) && \
	found=$$(command -v temporal || true) && \
	if [ -n "$$found" ] && "$$found" --version 2>/dev/null | grep -q "^temporal version $$version "; then \
		echo "taking the Temporal server $$version from $$found" >&2 && cp "$$found" $@; \
	else \
		cd tools/temporal && ../tell "building the Temporal server $$version once; with an empty build cache over four minutes on two quiet cores" \
			env $(go_build) -ldflags "-s -w -X github.com/temporalio/cli/temporalcli.Version=$$version" \
			-o ../../bin/temporal github.com/temporalio/cli/cmd/temporal; \
	fi
	@touch $@

# A production server and what makes its databases, from the module that the
# development server is made of: where that was built, these take seconds.
bin/temporal-server: tools/temporal/go.mod tools/temporal/go.sum
	@mkdir -p bin
	@cd tools/temporal && ../tell "building Temporal's production server once; a few seconds after bin/temporal, minutes before it" env $(go_build) -ldflags "-s -w" -o ../../$@ go.temporal.io/server/cmd/server
	@touch $@

bin/temporal-sql-tool: tools/temporal/go.mod tools/temporal/go.sum
	@mkdir -p bin
	@cd tools/temporal && ../tell "building Temporal's schema tool once" env $(go_build) -ldflags "-s -w" -o ../../$@ go.temporal.io/server/cmd/tools/sql
	@touch $@

# A client of the API, made by a generator of other people from the document.
$(generated): docs/openapi.json harness/openapi/go.mod harness/openapi/go.sum
	@mkdir -p $(dir $@)
	@cd harness/openapi && ../../tools/tell "generating a client from docs/openapi.json" \
		$(GO) tool oapi-codegen -generate types,client -package generated -o generated/client.gen.go ../../docs/openapi.json

bin/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	@mkdir -p bin
	@cd tools/lint && ../tell "building the linter once" env $(go_build) -ldflags "-s -w" -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

bin/workflowcheck: tools/lint/go.mod tools/lint/go.sum
	@mkdir -p bin
	@cd tools/lint && ../tell "building workflowcheck once" env $(go_build) -o ../../bin/workflowcheck go.temporal.io/sdk/contrib/tools/workflowcheck
	@touch $@

bin/release: $(wildcard harness/release/*.go) harness/release/go.mod harness/release/go.sum
	@mkdir -p bin
	@cd harness/release && ../../tools/tell "building what makes releases once" env $(go_build) -o ../../bin/release .
	@touch $@

bin/withpostgres: $(wildcard harness/withpostgres/*.go) harness/withpostgres/go.mod harness/withpostgres/go.sum
	@mkdir -p bin
	@cd harness/withpostgres && ../../tools/tell "building withpostgres once" env $(go_build) -o ../../bin/withpostgres .
	@touch $@
