# The ClawOffice ledger. "make" alone says what there is.

GO      ?= go
DATA    ?= clawledger-data
LISTEN  ?= 127.0.0.1:8080
FUZZTIME ?= 2s
RECORDS ?= 200000

BIN := bin/clawledger
NPM := internal/eventlog/esdbface/testdata/npm internal/webhook/testdata/npm http/console/consoletest/testdata/npm

# The ClickHouse engine that tests run is published for this kind of machine
# alone. Elsewhere its tests are skipped; here they fail if it is not installed.
ifeq ($(shell uname -sm),Linux x86_64)
NPM += internal/chrig/testdata/npm
REQUIRE_PEERS := 1
endif

# SQLite is C translated to Go. The race detector and the checks of unsafe
# pointers leave its inside out, since watching each byte that it touches takes
# longer than all else where things are stored. What is done wrong with a
# connection, or with memory that is given to it, shows in the package that binds it.
RACE := -race -gcflags='modernc.org/...=-race=false -d=checkptr=0'

.PHONY: help
help: ## Say what there is
	@echo "The ClawOffice ledger. Common targets:"
	@awk -v data='$(DATA)' -v listen='$(LISTEN)' -F ':.*## ' '/^[a-z-]+:.*## / { gsub(/\$$\(DATA\)/, data, $$2); gsub(/\$$\(LISTEN\)/, listen, $$2); printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: DATA=$(DATA) LISTEN=$(LISTEN) FUZZTIME=$(FUZZTIME) RECORDS=$(RECORDS)"

.PHONY: build
build: ## Build bin/clawledger
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/clawledger

.PHONY: run
run: build ## Build and serve on $(LISTEN), data in $(DATA)
	@echo
	@echo "In another terminal:"
	@echo "  $(BIN) demo --url http://$(LISTEN) --token-file $(DATA)/keys/operator.token --events 2000"
	@echo "  $(BIN) verify --data $(DATA)"
	@echo "  xdg-open http://$(LISTEN)/docs"
	@echo
	$(BIN) serve --data $(DATA) --listen $(LISTEN)

.PHONY: test
test: deps vet fuzz ## Everything: vet, short fuzzing, all tests with the race detector
	if [ -n "$$CI" ] || { command -v npm && command -v chromium; } >/dev/null 2>&1; then export CLAWLEDGER_REQUIRE_PEERS=$(REQUIRE_PEERS); fi; $(GO) test $(RACE) -vet=off -timeout 15m ./...

.PHONY: deps
deps: ## Install what tests need beside Go, where that can be done
	@if ! command -v gcc >/dev/null 2>&1 && ! command -v cc >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev; \
	  else echo "note: no C compiler, which the race detector needs; install gcc"; fi; fi
	@if ! command -v npm >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm || true; fi
	@if ! command -v chromium >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core || true; fi
	@command -v chromium >/dev/null 2>&1 || echo "note: no Chromium, so the tests of the console in a browser are skipped; install chromium"
	@if command -v npm >/dev/null 2>&1; then \
	  for dir in $(NPM); do ( cd $$dir && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund; } ) || exit 1; done; \
	else echo "note: no npm, so the tests with Node, with ClickHouse and in a browser are skipped"; fi
	$(GO) mod download

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: lint
lint: vet ## golangci-lint, if it is installed, and the architecture tests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt these:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) test ./internal/archtest
	@if command -v golangci-lint >/dev/null 2>&1; then golangci-lint run; else echo "note: golangci-lint is not installed"; fi

.PHONY: generate
generate: ## Generate the HTTP server and client from http/openapi.yaml
	$(GO) generate ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	@GO="$(GO)" .ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: build ## Measure the whole program under load, access checks, rebuilds of RECORDS records and searches among as many
	$(BIN) bench --connections 128 --duration 10s
	$(GO) test -run '^$$' -bench Check ./projections/access
	CLAWLEDGER_BENCH_DIR=$(CURDIR)/bin/bench CLAWLEDGER_BENCH_RECORDS=$(RECORDS) $(GO) test -run '^$$' -bench Rebuild -benchtime 1x -timeout 30m ./projections/projectionstest
	CLAWLEDGER_BENCH_DIR=$(CURDIR)/bin/bench CLAWLEDGER_BENCH_RECORDS=$(RECORDS) $(GO) test -p 1 -v -run '^$$' -bench Engine -benchtime 20x -timeout 120m ./projections/search/sqlite ./projections/search/clickhouse

.PHONY: soak
soak: ## The long variants: 200 kills, 100 revocations, long outages
	CLAWLEDGER_SOAK=1 $(GO) test -count=1 -timeout 120m ./...

.PHONY: vulncheck
vulncheck: ## Known vulnerabilities in what is used
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
