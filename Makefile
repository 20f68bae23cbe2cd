# amiplan: everything a newcomer or a reviewer types. Needs Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check verify bench install oracle clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@

install: $(VENV)/installed

demo: install            ## the embedded area, from map to report
	$(BIN)/amiplan demo

test: install            ## every test but the slow statistics
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: install           ## what a change must pass: format, lint, types, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p amiplan.channels -p amiplan.gis -p amiplan.meters -p amiplan.planner -p amiplan.studies
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not verification"

verify: install          ## slow statistics: tiers against each other, Monte-Carlo curves
	$(BIN)/python -m pytest -q -m verification

.oracle/installed: Makefile
	$(PYTHON) -m venv .oracle
	.oracle/bin/pip install --quiet --upgrade pip
	.oracle/bin/pip install --quiet gurux-dlms==1.0.203 dlms-cosem==25.1.0
	touch $@

oracle: .oracle/installed  ## other people's DLMS clients, in an environment of their own: the tests let them read our meters

bench: install           ## speed, as ratios to a reference timed in the same run
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .oracle build *.egg-info .mypy_cache .ruff_cache .pytest_cache
