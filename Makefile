# The commands of this checkout; `make help` lists them.
.PHONY: help setup demo serve test test-slow test-clients test-engines test-clickhouse test-mysql test-trino protocol fuzz soak lint bench lock clean
PYTHON ?= python3
TEST_PROCESSES ?= 3
SOAK_SECONDS ?= 20
# Containers often forbid it: then each of the many processes here compiles its sources, and pytest rewrites its tests, anew.
export PYTHONDONTWRITEBYTECODE :=
STAMP := .venv/.stamp-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## a virtual environment in .venv with everything pinned

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rowgate needs Python 3.11 or newer: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f .venv/.stamp-* && touch $@

demo: setup ## the whole road over real HTTP: token, rows, refusal (DATABASE=path for your own)
	@.venv/bin/python tools/demo.py $(if $(DATABASE),--database "$(DATABASE)")

serve: setup ## the demo's server on port 8082, with the lines to paste
	@.venv/bin/python tools/demo.py --serve $(if $(DATABASE),--database "$(DATABASE)")

test: setup ## the whole test suite, in three processes, which wait half of their time (TEST_PROCESSES=4 for more)
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

test-slow: setup ## pages walked from end to end, servers killed and watched
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m slow

test-clients: setup ## OAuth clients in JavaScript and Go against a real server (installs them in .clients)
	.venv/bin/python tests/clients/prepare.py
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m foreign_clients tests/clients

test-engines: setup ## the contract on every engine that can be run here, MariaDB too; writes docs/reference/engines.md
	LAWS_PERCENT=100 .venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal \
	  -m "not trino and not mysql and not clickhouse" --engines-report tests/engines

test-clickhouse: setup ## the same on ClickHouse's engine, which it fetches (200 MB); writes its column of that page
	LAWS_PERCENT=12 .venv/bin/python -m pytest -m clickhouse --engines-report tests/engines

test-mysql: setup ## the same on MySQL itself, which it fetches (needs Java and Maven, libaio1, libnuma1); writes its column
	.venv/bin/python -m pytest -m mysql --engines-report tests/engines

test-trino: setup ## the same on Trino, which it fetches (needs Java 17 and Maven); writes its column of that page
	LAWS_PERCENT=12 .venv/bin/python -m pytest -m trino --timeout=600 --engines-report tests/engines

protocol: setup ## the protocol's cases alone, listed by number with result and section
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m number --numbers
	.venv/bin/python -m pytest tests/protocol/test_numbers.py

fuzz: setup ## made-up input to everything that a client reaches, and weeks of simulated clients, for about three minutes
	SIMULATION_SEEDS="$$(seq -s ' ' 100 160)" .venv/bin/python -m pytest -n $(TEST_PROCESSES) tests/simulation/test_weeks.py
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --hypothesis-profile=fuzz --timeout=600 tests/fuzz

soak: setup ## every law with examples that no run had, for 20 s each; SOAK_SECONDS=60 for longer, WHERE=tests/rows for some
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --timeout=1800 --soak=$(SOAK_SECONDS) $(WHERE)

lint: setup ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: setup ## measures tokens and rows beside other servers, writes docs/benchmarks.md
	.venv/bin/python bench/run.py

lock: ## resolves the pinned requirements anew (needs uv)
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  pyproject.toml -o requirements/base.txt
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --no-emit-package pandas \
	  pyproject.toml --extra dev -o requirements/dev.txt

clean: ## removes what the commands made
	rm -rf .venv .demo .bench .clients tests/clients/node/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
