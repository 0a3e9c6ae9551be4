PYTHON  ?= python3
WORKERS ?= 2
BIN     := .venv/bin
STAMP   := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help run test test-long lint format clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s%s\n", $$1, $$2}' Makefile

run: $(STAMP)  ## train RMDN and FRMDN on handwritten digits and compare them (5 minutes, 2 cores)
	$(BIN)/seqmdn compare recipes/pixels/digits --out results/pixels/digits

# Several workers with several threads each are slower than one thread each.
test test-long: export OMP_NUM_THREADS = 1

test: $(STAMP)  ## run the tests and the examples in the docstrings
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-long: $(STAMP)  ## run the tests that take minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m long

lint: $(STAMP)  ## check format, style, annotations and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy seqmdn

format: $(STAMP)  ## put every file into the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment, caches and builds; results and data stay
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so an installation that was interrupted is done again.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	@touch $(STAMP)
