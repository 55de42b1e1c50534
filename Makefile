# All tasks of a clone. `make` lists the targets. A target makes or updates .venv if the target needs it.
#
# All paths are relative, so that the clone's folder may have blanks in its name.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# Containers often set this variable. With it, each of the hundreds of processes of a test run compiles the server again.
# Each worker of pytest also rewrites the asserts of all tests, which takes 19 CPU seconds in each worker.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test coverage check clients browser openapi keys texts bench load break chaos failover told rolling lock clean force

PYTHONS := python3.13 python3.12 python3.11 python3
BIN := .venv/bin
ARGS :=
TESTS :=
# The tests spend a third of their time waiting: for processes that start, for deadlines, for the database. So three workers
# suit two cores.
WORKERS := 3

help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: .venv/run.stamp ## start the server, with a private database unless DATABASE_URL is set; ARGS= passes options
	@$(BIN)/open311 run $(ARGS)

test: .venv/dev.stamp ## run the tests; TESTS=tests/storage runs some of them, ARGS="-k name -x" has pytest's options, WORKERS=8 suits a larger machine
	@if ! { command -v mosquitto || [ -x /usr/sbin/mosquitto ]; } >/dev/null && [ "$$(id -u)" = 0 ] \
	        && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends mosquitto >/dev/null \
	        || echo "Mosquitto could not be installed, so the tests that need it are skipped."; \
	fi
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS) $(TESTS)

coverage: .venv/dev.stamp ## run the tests and count the lines and branches they reach; fails below the minimum in pyproject.toml
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS) --cov

check: .venv/dev.stamp ## lint, formatting, types, import contracts, the CI's workflow
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

clients: .venv/clients.stamp ## generate clients from /openapi.json, compile them and try them on a server; needs Node.js 20
	@$(BIN)/python -m tests.clients

browser: .venv/browser.stamp ## test the pages for citizens and staff in Chromium; as root on Debian, install it first
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null \
	        || echo "Chromium could not be installed, so the tests that need it are skipped."; \
	fi
	@$(BIN)/python -m pytest -n 2 -rs $(ARGS) tests/browser

openapi: .venv/run.stamp ## write spec/openapi.json again
	@$(BIN)/open311 openapi --write

keys: .venv/run.stamp ## write the tables of keys in jurisdictions/README.md again
	@$(BIN)/python -m open311.plugins.declared.reference

texts: .venv/run.stamp ## bring the translations of texts for callers up to date; NEW=fi begins a language
	@$(BIN)/python -m open311.web.texts $(NEW)

# Linux only, because CPU and memory are read from /proc. The database stays in var/pg-bench for the next run.
bench: .venv/bench.stamp ## compare with other servers: ROWS=20k|100k|1M|5M, ROUNDS=5, QUICK=1 to test the benchmark itself, AGAINST=folder for another checkout
	@$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(AGAINST),--against '$(AGAINST)') $(ARGS)

load: .venv/dev.stamp ## send calls to a server on this machine for some seconds; ARGS="--rate 100 --seconds 20 --writes 10 --key KEY"; --help lists all
	@$(BIN)/python -m tests.benchmarks.loading $(ARGS)

# This target uses the database of `make bench ROWS=20k`.
break: .venv/bench.stamp ## test slow clients, killed processes and a failing database: nobody may be refused, no POST may be lost; takes five minutes
	@$(BIN)/python -m tests.benchmarks.breaking $(ARGS)

chaos: .venv/dev.stamp ## send reports between killed servers: none may be lost or doubled; ARGS="--reports 60"; takes up to half an hour
	@$(BIN)/python -m tests.benchmarks.chaos $(ARGS)

failover: .venv/dev.stamp ## kill the primary under load and promote its replica by hand: a synchronous replica loses and doubles nothing; takes a minute
	@$(BIN)/python -m tests.benchmarks.failover $(ARGS)

told: .venv/dev.stamp ## make 50000 changes while the worker is killed again and again: each subscriber must hold what is public; ARGS="--changes 2000 --kills 10"
	@$(BIN)/python -m tests.benchmarks.telling $(ARGS)

rolling: .venv/dev.stamp ## restart two web hosts and two workers behind nginx and haproxy under load: no call may fail; ARGS="--seconds 120"
	@$(BIN)/python -m tests.benchmarks.rolling $(ARGS)

# All requirements are resolved together, and each lock file contains a part of the result. So the lock files have the
# same releases, and packages of another lock file can be added to .venv.
lock: ## find the newest releases that setup.cfg allows, and write the files in .lock again
	@set -e; $(find_python); \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$$python" -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check uv; \
	"$$folder/venv/bin/python" -c '$(BUILD_REQUIREMENTS)' >"$$folder/build.in"; \
	compile() { \
	    "$$folder/venv/bin/uv" pip compile --quiet --no-config --python "$$folder/venv/bin/python" --universal \
	        --python-version 3.11 --no-header --no-annotate --no-strip-extras --no-emit-index-url \
	        --no-emit-find-links "$$@" setup.cfg "$$folder/build.in"; \
	}; \
	compile --all-extras --output-file "$$folder/all.txt"; \
	lock() { \
	    compile --generate-hashes --constraint "$$folder/all.txt" --output-file "$$folder/$$1.lock" $$2; \
	    mv "$$folder/$$1.lock" ".lock/$$1.txt"; \
	}; \
	mkdir -p .lock; \
	lock run; lock dev '--extra dev'; lock bench '--extra bench'; lock clients '--extra clients'; \
	lock browser '--extra dev --extra browser'; \
	lock server '--extra geoparquet --extra heic --extra mcp --extra mqtt --extra otel --extra redis --extra s3'

BUILD_REQUIREMENTS := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

# The embedded database is in another folder if its user cannot access this one; see open311/embedded/files.py.
clean: ## remove .venv, caches and var/ with the embedded database and all its data; stop the server first
	@for lock in var/*/holders; do \
	    if [ -e "$$lock" ] && command -v flock >/dev/null && ! flock -n "$$lock" true; then \
	        echo "A server of this clone is running ($${lock%/*}). Stop it first."; exit 1; \
	    fi; \
	done
	@for note in var/*/elsewhere; do \
	    if [ -e "$$note" ]; then \
	        data=$$(cat "$$note"); home=$$(pwd -P)/$${note%/elsewhere}; \
	        case "$$data" in /var/lib/open311-embedded/?*) \
	            if [ "$$(cat "$$data/home" 2>/dev/null)" = "$$home" ]; then rm -rf "$$data"; fi;; \
	        esac; \
	    fi; \
	done
	@rm -rf .venv var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. The file `place` has the folder where .venv was made: in a moved or copied clone, .venv would still
# run the code of the old clone, so it is made again. The file `unfinished` exists while pip runs: if pip was
# interrupted, .venv is incomplete and is made again.
ifneq ($(shell [ -x $(BIN)/python ] && [ ! -e .venv/unfinished ] && cat .venv/place 2>/dev/null),$(shell pwd -P))
REMADE := force
endif

.venv/run.stamp: setup.cfg pyproject.toml .lock/run.txt $(REMADE)
	@$(call install,run,.venv/run.stamp)

.venv/dev.stamp: setup.cfg pyproject.toml .lock/dev.txt $(REMADE)
	@$(call install,dev,.venv/run.stamp .venv/dev.stamp)

.venv/bench.stamp: setup.cfg pyproject.toml .lock/bench.txt $(REMADE)
	@$(call install,bench,.venv/run.stamp .venv/bench.stamp)

.venv/browser.stamp: setup.cfg pyproject.toml .lock/browser.txt $(REMADE)
	@$(call install,browser,.venv/run.stamp .venv/dev.stamp .venv/browser.stamp)

.venv/clients.stamp: setup.cfg pyproject.toml .lock/clients.txt $(REMADE)
	@$(call install,clients,.venv/run.stamp .venv/clients.stamp)

# $(call install,lock file's name,stamps to touch) installs the releases of a lock file, then this clone.
# If two `make` commands run at the same time, the second waits for the file lock on setup.cfg. Then .venv is up to date.
define install
set -e; here=$$(pwd -P); stamp=.venv/$(1).stamp; \
exec 9<setup.cfg; if command -v flock >/dev/null; then flock 9; fi; \
usable() { [ ! -e .venv/unfinished ] && [ "$$(cat .venv/place 2>/dev/null || echo "$$here")" = "$$here" ] && $(BIN)/python -m pip --version >/dev/null 2>&1; }; \
fresh() { for source in setup.cfg pyproject.toml .lock/$(1).txt; do [ "$$stamp" -nt "$$source" ] || return 1; done; }; \
if usable && [ -e .venv/place ] && fresh; then exit 0; fi; \
if usable; then echo "Bringing .venv up to date…"; else \
    $(find_python); \
    echo "Installing into .venv (first time, about a minute)…"; \
    "$$python" -m venv --clear .venv; \
fi; \
touch .venv/unfinished; echo "$$here" >.venv/place; \
pip() { $(BIN)/python -m pip install -qq --disable-pip-version-check "$$@"; }; \
pip --require-hashes -r .lock/$(1).txt; \
pip --no-build-isolation --no-deps -e .; \
rm .venv/unfinished; touch $(2)
endef

# Sets $python to a Python that this server supports and that can make environments. Ends the shell if there is none.
define find_python
python=; without_venv=; \
for name in $(PYTHONS); do \
    if ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then continue; fi; \
    if "$$name" -c 'import venv, ensurepip' >/dev/null 2>&1; then python=$$name; break; fi; \
    without_venv=$${without_venv:-$$("$$name" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')}; \
done; \
if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
    echo "$$without_venv cannot make environments: apt-get install $$without_venv-venv"; exit 1; \
elif [ -z "$$python" ]; then \
    echo "No Python 3.11 or newer found (looked for $(PYTHONS)): apt-get install python3 python3-venv"; exit 1; \
fi
endef
