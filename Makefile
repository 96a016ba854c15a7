# Every target does its own set-up; a second run finds it done.
PYTHON := .venv/bin/python
export PATH := $(CURDIR)/.local/bin:$(PATH)

.PHONY: demo test bench bench-watchdog bench-ears bench-sentinel cases cases-observed rows sentinel-rows evening records-check compat soak lint setup lock clean

demo:
	@scripts/setup.sh demo
	@.venv/bin/onhook demo

test:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest --reruns 2 $(ARGS)
	@[ -n "$(ARGS)" ] || $(PYTHON) -m pytest -m brief tests/cases -q --no-header
	@[ -n "$(ARGS)" ] || scripts/compat.sh --short

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache pyproject.toml

# The figures of the README, printed and not asserted.
bench: setup
	@$(PYTHON) -m tests.line.figures

# Ring 2: what becomes of the callers of jobs that die or hang, and what the watchdog costs.
bench-watchdog: setup
	@$(PYTHON) -m tests.line.watchdog_figures

# What listening to the callers costs: 20 calls with and without, in one process.
bench-ears: setup
	@$(PYTHON) -m tests.line.ears_figures

# What a sentinel costs, and how late it judges, beside 1,000, 5,000 and 20,000 calls.
bench-sentinel: setup
	@nice -n 10 $(PYTHON) -m tests.sentinel.load.sentinel_figures $(CALLS)

# The calls of the field, healthy and broken, and what their callers had; CASES_CONTROL=1 runs them
# with the guards off, CASES_SENTINEL=1 with a sentinel beside them, ARGS="-k NAME" some of them,
# CASES_AT_ONCE=1 one after the other.
cases: setup
	@$(PYTHON) -m pytest -m case tests/cases -q --no-header $(ARGS)

# The same calls with guards that only observe: the same must be judged, and nothing be done.
cases-observed:
	@ONHOOK_MODE=observe $(MAKE) --no-print-directory cases

# The whole fault matrix of guard and watchdog at the phone; `make test` takes a part of it.
rows: setup
	@$(PYTHON) -m pytest -m "case or stack" tests/line -q --no-header $(ARGS)

# The sentinel's rows of the fault matrix at the phone, lost hosts and cut cables too.
sentinel-rows: setup
	@$(PYTHON) -m pytest -o log_cli=true --log-cli-level=INFO -m "case or stack" tests/sentinel/line -q --no-header $(ARGS)

# An operator's evening at the sentinel: three agents, twenty calls, and much that goes wrong.
evening: setup
	@$(PYTHON) -m tests.sentinel.evening $(ARGS)

# Records of real calls against what their phones have heard: who ended them, dead air, fault.
# CALLS=100 holds so many, one after the other.
records-check: setup
	@ONHOOK_RECORDS_CALLS=$${CALLS:-12} $(PYTHON) -m pytest -o log_cli=true --log-cli-level=INFO \
		tests/sentinel/records/test_at_the_phone.py -q --no-header $(ARGS)

# The tests with older versions of livekit-agents, and calls at the phone; VERSIONS="1.5.0 newest".
compat: setup
	@scripts/compat.sh $(VERSIONS)

# Ten minutes of healthy calls of all kinds, several at a time: nothing may happen.
soak: setup
	@ONHOOK_SOAK_SECONDS=$${ONHOOK_SOAK_SECONDS:-600} $(PYTHON) -m pytest -s -m soak tests/cases/test_soak.py

setup:
	@scripts/setup.sh test

# Pin what pyproject.toml and requirements/*.in ask for. No file names a package host.
lock: setup
	@for name in uv go; do \
		.local/uv/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
			--python-version 3.11 requirements/$$name.in -o requirements/$$name.txt; \
	done
	@.local/uv/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --extra bench --extra sentinel pyproject.toml requirements/dev.in -o requirements/dev.txt
	@.local/uv/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -c requirements/dev.txt --extra sentinel pyproject.toml -o requirements/sentinel.txt
	@for each in requirements/compat/*.in; do \
		.local/uv/bin/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header \
			--python-version 3.11 $$each -o $${each%.in}.txt; \
	done

clean:
	rm -rf .venv .local demo-out .mypy_cache .ruff_cache .pytest_cache
