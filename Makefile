# Everything a newcomer needs, on a machine with the Rust toolchain and apt. `make demo` first.
SHELL := /bin/bash
DEMO ?=
BENCH ?=

.PHONY: help demo build test lint fmt bench soak fuzz drivers

help:
	@echo "make demo    real servers, load, a switchover every 5 s, live on the screen (DEMO='--flavor mysql-9 --plain')"
	@echo "make build   target/release/tideover"
	@echo "make test    every test, real servers and fuzz targets included; ends with 'N passed, N failed'"
	@echo "make lint    formatting, clippy, documentation, scripts: warnings are errors"
	@echo "make fmt     format everything"
	@echo "make bench   throughput, CPU and memory beside a direct connection and beside HAProxy (BENCH=--quick)"
	@echo "make soak    the real-server scenarios in their full length"
	@echo "make drivers every driver and tool that tests/drivers runs (root, Debian or Ubuntu); then make test runs them"
	@echo "make fuzz    the fuzz targets for long (FUZZ_SECONDS=3600 each)"

demo: build
	scripts/servers $(or $(DEMO_SERVERS),mariadb-10.11)
	target/release/tideover demo $(DEMO)

build:
	scripts/prerequisites build
	cargo build --release --locked --bin tideover

test:
	scripts/test

lint:
	scripts/lint

fmt:
	cargo fmt --all

bench: build
	scripts/servers mariadb-10.11 tools
	TIDEOVER_PROGRAM=$(CURDIR)/target/release/tideover cargo bench --profile dev --locked --bench load -- $(BENCH)

soak:
	scripts/soak

drivers:
	scripts/drivers

fuzz:
	scripts/prerequisites fuzz
	scripts/fuzz $(or $(FUZZ_SECONDS),3600)
