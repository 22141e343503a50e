# The commands of the project. `make help` lists them. Everything runs on the Node that package.json pins.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

node_modules/.installed: package.json package-lock.json
	@echo "installing npm packages (about a minute on a fresh machine) ..."
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: setup
setup: node_modules/.installed ## install the npm packages, the pinned Node among them

.PHONY: demo demo-shutdown demo-jobs
demo: setup ## all set-up, then the whole story on a real Kubernetes, step by step
	@node test/demo/demo.ts
demo-shutdown: setup ## the same for a stateful application: however it is removed, its state is saved first
	@node test/demo/demo-shutdown.ts
demo-jobs: setup ## the ends of Jobs reach a receiver, signed, once, also when it is down and our leader is killed
	@node test/demo/demo-jobs.ts

.PHONY: test
test: setup ## every suite: lint, types, unit, integration, end to end, leaks
	@node test/run-all.ts

.PHONY: unit integration e2e
unit: setup ## unit tests
	@npm run --silent test:unit
integration: setup ## tests on a real kube-apiserver
	@node test/cluster/prepare.ts
	@npm run --silent test:integration
e2e: setup ## tests on a real node (root, Linux)
	@npm run --silent test:e2e

.PHONY: soak
soak: setup ## the shutdown conversation at random, with kills, for MINUTES=10; SEED=1 draws the same again
	@MINUTES=$(MINUTES) SEED=$(SEED) node test/soak/soak.ts

.PHONY: bench
bench: setup ## measure: ratios against floors taken in the same run
	@node bench/main.ts

.PHONY: cluster-up cluster-down cluster-status
cluster-up: setup ## start a local Kubernetes (CONTEXT=name takes an existing one)
	@node test/cluster/cli.ts up
cluster-down: setup ## stop it and leave nothing behind
	@node test/cluster/cli.ts down
cluster-status: setup ## what runs, and where its logs are
	@node test/cluster/cli.ts status

.PHONY: build image certs generate
build: setup ## compile to dist/
	@tsc -p tsconfig.build.json
image: setup ## build the container image into the local cluster
	@node test/cluster/cli.ts build-image
certs: setup ## development certificates in certs/out
	@node certs/make-certs.ts
generate: setup ## write the CRD and the reference pages from the code
	@node src/cli/generate.ts

.PHONY: check lint format
check: setup ## types, lint, format, generated files
	@tsc --noEmit && eslint . && prettier --check --log-level warn . && node src/cli/generate.ts --check
lint: setup ## eslint
	@eslint .
format: setup ## prettier
	@prettier --write --log-level warn .
