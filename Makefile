# The front door. `make demo` and `make test` set up whatever they need, inside this folder.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh

CARGO ?= cargo
SUITES := $(shell tools/run-suites --list 2>/dev/null)
SUITE_TARGETS := $(addprefix test-,$(SUITES))

# Everything that the wheel is made of.
WHEEL_SOURCES := Cargo.toml Cargo.lock $(shell find crates python -type f \
	\( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name py.typed \) \
	-not -path '*/tests/*')

.PHONY: help demo test check $(SUITE_TARGETS) bench bench-quick soak wheel docs fmt deny clean \
	venv seed demo-venv bench-venv command release-command parts browser

help: ## what can be made
	@echo 'make demo and make test need Rust, Python 3.11 or newer, make and a C compiler.'
	@echo
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
		awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo 'One suite alone: $(SUITE_TARGETS)'

demo: demo-venv command ## a real federated training run, logged, read back and verified
	@.venv-demo/bin/python examples/federated/run.py

test: ## every test
	@tools/run-suites

check: ## the everyday loop: format, lints, unit tests, quick Python tests
	@tools/run-suites check

$(SUITE_TARGETS): test-%:
	@tools/run-suites $*

bench: bench-venv seed release-command ## speed beside 0.1.0 and other logs, as ratios
	@.venv-bench/bin/python benches/run.py

bench-quick: bench-venv seed release-command ## the same with few records
	@.venv-bench/bin/python benches/run.py --quick

soak: ## the long tests: 100 power cuts and whatever is marked ignored
	@tools/run-suites soak

wheel: dist/.built ## the Python wheel, in dist/

docs: ## the reference of the Rust crates, in target/doc/
	$(CARGO) doc --workspace --lib --no-deps --locked

fmt: ## format the Rust code
	$(CARGO) fmt --all

deny: ## licences, banned crates and sources of the dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check licenses bans sources

clean: ## remove everything that was made here
	$(CARGO) clean
	rm -rf dist .venv .venv-api .venv-pages .venv-demo .venv-seed .venv-bench

# --- what the targets above need ---

venv: .venv/.quark-trace
seed: .venv-seed/.ready
demo-venv: .venv-demo/.quark-trace
bench-venv: .venv-bench/.quark-trace

.venv/.ready: python/requirements-test.txt
	@echo 'Installing the build and test tools into .venv'
	@tools/make-venv .venv "$$(tools/find-python 3.11)" -r $<

.venv-demo/.ready: examples/federated/requirements.txt
	@echo 'Installing Flower and scikit-learn (about 700 MB) into .venv-demo'
	@tools/make-venv .venv-demo "$$(tools/find-python 3.11)" -r $<

.venv-bench/.ready: benches/requirements.txt
	@echo 'Installing the peers of the benchmark into .venv-bench'
	@tools/make-venv .venv-bench "$$(tools/find-python 3.11)" -r $<

.venv-api/.ready: tests/api/requirements.txt
	@echo 'Installing what tests the HTTP API into .venv-api'
	@tools/make-venv .venv-api "$$(tools/find-python 3.11)" -r $<

.venv-pages/.ready: tests/pages/requirements.txt
	@echo 'Installing what drives a browser into .venv-pages'
	@tools/make-venv .venv-pages "$$(tools/find-python 3.11)" -r $<

.venv-seed/.ready: tools/make-seed-venv
	@echo 'Installing quark-trace 0.1.0 into .venv-seed'
	@tools/make-seed-venv .venv-seed

dist/.built: .venv/.ready $(WHEEL_SOURCES)
	@rm -rf dist && mkdir -p target
	@echo 'Building the wheel: a minute or two the first time'
	@CARGO_TERM_QUIET=true .venv/bin/maturin build --quiet --release --locked \
		--manifest-path python/Cargo.toml --interpreter .venv/bin/python --out dist \
		>target/wheel.log 2>&1 || \
		{ cat target/wheel.log; exit 1; }
	@touch $@

# The first command puts this build in place of an earlier one of the same version, the second
# adds what the wheel depends on.
%/.quark-trace: dist/.built %/.ready
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--force-reinstall dist/*.whl
	@$*/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	@touch $@

command:
	@$(CARGO) build --quiet --locked -p quark-trace-cli

release-command:
	@$(CARGO) build --quiet --release --locked -p quark-trace-cli

browser:
	@tools/system-parts chromium fonts-dejavu-core || true

parts:
	@tools/system-parts openssl strace e2fsprogs util-linux || true
