# One command each; every one of them works in a fresh clone with nothing but Python >= 3.11.
.DEFAULT_GOAL := help
.PHONY: help venv demo lab test check bench bench-notebook bench-docker bench-planning fix clean

BIN := .venv/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120 \
	--nbval-sanitize-with notebooks/nbval_sanitize.cfg

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/'

venv: .venv/installed  ## .venv with wfnb, all extras and the tools, editable

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "wfnb needs Python >= 3.11: install it or say make PYTHON=..."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@

demo: venv  ## plan and run the tour's workflow on this machine, with live progress
	$(BIN)/wfnb demo

lab: venv  ## open the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

test: venv  ## every test, and every notebook with its outputs compared
	$(BIN)/pytest tests notebooks $(NBVAL)

check: venv  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: venv  ## the README's figures
	$(BIN)/python -m benchmarks

bench-planning: venv  ## plans against plans, simulated and run; SAGA=folder of the peer's venv
	$(BIN)/python -m benchmarks.planning $(if $(SAGA),--saga $(SAGA))

bench-notebook: venv  ## what the dashboard costs, in a real kernel and a real browser
	$(BIN)/python -m benchmarks.notebook

bench-docker: venv  ## workers in containers beside local processes
	$(BIN)/python -m benchmarks.docker

fix: venv  ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## back to what git knows: also removes .venv
	rm -rf .venv build dist *.egg-info .hypothesis .*_cache notebooks/*.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
