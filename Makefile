# The commands of this repository; `make` alone lists them. Variables: INBOX_PORT, CONNECTION_PORT, PUSH_PORT,
# NATS_PORT and DATA_DIR for `run`, `psql` and `latency`, DB for `psql`, SEED for `faults` and `test`, ARGS for `test`,
# `latency`, `load` and `faults`.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run psql test check latency load faults schemas lock

PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
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

compile = "$$tools"/bin/pip-compile --quiet --generate-hashes --strip-extras --no-header \
	--no-emit-find-links --no-emit-index-url --no-emit-trusted-host

help:  ## list the commands
	@sed -n -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: $(INSTALLED)  ## start PostgreSQL, NATS and the services; Ctrl-C stops them all
	@exec $(PYTHON) -m devstack run

psql: $(INSTALLED)  ## psql on the running system: DB=inbox or DB=connection, SQL on standard input works
	@exec $(PYTHON) -m devstack psql $(DB)

# Two files at a time: half of the time a test waits for something, and each of the two has servers of its own.
test: $(INSTALLED)  ## run every test against the real servers, and print the branch coverage
	@exec $(PYTHON) -m pytest --numprocesses=2 --dist=loadfile --cov --cov-report=term $(ARGS)

check: $(INSTALLED)  ## lint, format and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

latency: $(INSTALLED)  ## measure on the running system how long an answer takes to reach the partner
	@exec $(PYTHON) -m bench.latency $(ARGS)

load: $(INSTALLED)  ## measure the gateway alone: ARGS=resume, ARGS=silent or ARGS=sweep
	@exec $(PYTHON) -m bench.gateway $(ARGS)

faults: $(INSTALLED)  ## break a whole system of its own in every way that we know, under load; SEED=random for new moments
	@exec $(PYTHON) -m bench.faults $(ARGS)

schemas: $(INSTALLED)  ## write contracts/schemas anew from the models
	@exec $(PYTHON) -m contracts

lock:  ## pin the dependencies anew: requirements/*.in to requirements/*.txt
	@set -e; $(find_python); \
	tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	echo "Pinning the dependencies ..." >&2; \
	$$python -m venv "$$tools"; \
	"$$tools"/bin/python -m pip install --quiet --disable-pip-version-check pip-tools; \
	$(compile) --output-file requirements/runtime.txt requirements/runtime.in; \
	$(compile) --output-file requirements/dev.txt requirements/dev.in

# The stamp is written last: an installation that was interrupted is done again. A .venv that works is kept.
$(INSTALLED): requirements/dev.txt
	@set -e; $(find_python); \
	echo "Installing the pinned dependencies into .venv (a minute, and only when they change) ..." >&2; \
	$(PYTHON) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
	    || $$python -m venv --clear .venv; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
	touch $@
