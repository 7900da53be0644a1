# The commands of this repository; `make` alone lists them. Variables: INBOX_PORT, CONNECTION_PORT, PUSH_PORT,
# NATS_PORT and DATA_DIR for `run`, `psql` and `latency`, DB for `psql`, DIR for `keys`, SEED for `faults` and `test`, ARGS
# for `test`, `latency`, `load`, `faults`, `bench`, `scale` and `docs`.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run psql keys test check fuzz latency load faults bench scale schemas docs browser lock

# What Python has compiled it keeps beside its source: each process of a service is there sooner.
export PYTHONDONTWRITEBYTECODE :=

PYTHON := .venv/bin/python
STACK_INSTALLED := .venv/.installed-stack
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv-bench/.installed
NODE_MODULES := web/node_modules/.installed
NATIVE := .cache/native
TSC = PATH="$(CURDIR)/.venv/bin:$$PATH" web/node_modules/.bin/tsc
DB ?= inbox
ARGS ?=

# Leaves the name of a Python that is new enough in $$python, or ends the recipe. It is run, and not only looked for,
# because a version manager has a `python3.11` on PATH that may do nothing but complain.
find_python = \
	python=; \
	for candidate in python3.11 python3; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
	        python=$$candidate; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Tandem needs Python 3.11 or newer; here there is: $$(python3 --version 2>&1 || true)" >&2; exit 1; \
	fi

# Installs the one prerequisite into .venv, which it makes if there is none, and writes the stamp.
install = set -e; $(find_python); \
	echo "Installing the pinned dependencies into .venv (a minute, and only when they change) ..." >&2; \
	$(PYTHON) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
	    || $$python -m venv --clear .venv; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	touch $@

# Extras are kept, `coverage[toml]==...`: where the lock says only `coverage==...`, pip before 23.3 takes the newest
# version for a package that asks for the extra, and refuses it for want of a hash.
compile = "$$tools"/bin/pip-compile --quiet --generate-hashes --no-strip-extras --allow-unsafe --no-header \
	--no-emit-find-links --no-emit-index-url --no-emit-trusted-host

help:  ## list the commands
	@sed -n -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: $(STACK_INSTALLED) $(NATIVE)  ## start PostgreSQL, NATS and the services; Ctrl-C stops them all
	@exec $(PYTHON) -m devstack run

psql: $(STACK_INSTALLED)  ## psql on the running system: DB=inbox or DB=connection, SQL on standard input works
	@exec $(PYTHON) -m devstack psql $(DB)

keys: $(STACK_INSTALLED)  ## make the keys of the bus for a production system: DIR=/etc/tandem/nats-keys
	@test -n "$(DIR)" || { echo "say where: make keys DIR=/etc/tandem/nats-keys" >&2; exit 2; }
	@exec $(PYTHON) -m devstack keys "$(DIR)"

# Three files at a time: half of the time a test waits for something, and each of the three has servers of its own.
test: $(INSTALLED) $(NATIVE) $(NODE_MODULES) browser  ## run every test against the real servers and a real browser
	@exec $(PYTHON) -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder $(ARGS)

check: $(INSTALLED) $(NODE_MODULES)  ## lint, format, types, secrets, and known holes in dependencies
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(TSC) --project web
	@$(PYTHON) -m devstack.leaks
	@$(PYTHON) -m devstack.audit

fuzz: $(INSTALLED)  ## send strange input to what reads it, for FUZZ_SECONDS=180
	@exec $(PYTHON) -m tests.fuzzing

latency: $(INSTALLED)  ## measure on the running system how long an answer takes to reach the partner
	@exec $(PYTHON) -m bench.latency $(ARGS)

load: $(INSTALLED) $(NATIVE)  ## measure the gateway alone: ARGS=resume, silent, sweep or reads
	@exec $(PYTHON) -m bench.gateway $(ARGS)

faults: $(INSTALLED) $(NATIVE)  ## break a whole system of its own in every way that we know, under load; SEED=random for new moments
	@exec $(PYTHON) -m bench.faults $(ARGS)

bench: $(INSTALLED) $(NATIVE) $(BENCH_INSTALLED)  ## measure pushing and whole jobs against the peers: an hour, or a part of it: ARGS="--rounds 1 --sockets 1000"
	@exec $(PYTHON) -m bench.push $(ARGS)

scale: $(INSTALLED) $(NATIVE)  ## measure how costs grow with users, and reckon on, or only see that it works: ARGS=--quick
	@exec $(PYTHON) -m bench.scale $(ARGS)

schemas: $(INSTALLED)  ## write contracts/schemas and docs/reference anew from the models
	@$(PYTHON) -m contracts
	@$(PYTHON) -m handbook

docs: $(INSTALLED)  ## build the documentation's site in .cache/site; ARGS=serve shows it
	@NO_MKDOCS_2_WARNING=1 exec $(PYTHON) -m mkdocs $(or $(ARGS),build)

# Debian's package where we may install it, otherwise the browser that Playwright brings. It is Chromium without its
# windows: the whole of it spends more on a page's invisible frame than on the page.
browser: $(INSTALLED)  ## install a browser for the tests, unless there is one
	@if command -v chromium-headless-shell > /dev/null || command -v chromium > /dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    echo "Installing Debian's chromium-headless-shell for the tests ..." >&2; \
	    apt-get update -qq \
	    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes chromium-headless-shell > /dev/null; \
	else .venv/bin/playwright install --only-shell chromium; fi

lock:  ## pin the dependencies anew: requirements/*.in to requirements/*.txt
	@set -e; $(find_python); \
	tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	echo "Pinning the dependencies ..." >&2; \
	$$python -m venv "$$tools"; \
	"$$tools"/bin/python -m pip install --quiet --disable-pip-version-check pip-tools; \
	$(compile) --output-file requirements/runtime.txt requirements/runtime.in; \
	$(compile) --output-file requirements/stack.txt requirements/stack.in; \
	$(compile) --output-file requirements/dev.txt requirements/dev.in; \
	$(compile) --output-file requirements/bench.txt requirements/bench.in

# The stamp is written last: an installation that was interrupted is done again. A .venv that works is kept. What only
# tests and checks need, a browser's driver and Node among it, nobody has to wait for who wants to see it run.
$(STACK_INSTALLED): requirements/stack.txt
	@$(install)

$(INSTALLED): requirements/dev.txt
	@$(install)

# What the gateway has in C, if there is a compiler. Where there is none it says so, and does the same in Python.
$(NATIVE): push_gateway/native/arrivals.c push_gateway/native/__main__.py
	@$(PYTHON) -m push_gateway.native
	@mkdir -p $(@D) && touch $@

# What Tandem is measured against; the real thing must not depend on it, so it has an environment of its own.
$(BENCH_INSTALLED): requirements/bench.txt
	@set -e; $(find_python); \
	echo "Installing the peers to measure against into .venv-bench ..." >&2; \
	$$python -m venv --clear .venv-bench; \
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt; \
	touch $@

# What only the checks and tests of web/ need. Node and npm come from a wheel, and trust whom the system trusts.
$(NODE_MODULES): web/package-lock.json $(INSTALLED)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" NODE_OPTIONS=--use-system-ca \
	    npm ci --prefix web --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error > /dev/null
	@touch $@
