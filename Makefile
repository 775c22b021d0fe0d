# Two doors for a person on a fresh machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test notebook lint format lock score bench fuzz faults clean

demo: .venv/ready  ## a simulated month of a shop, in a dashboard
	$(BIN)/mailhealth demo

test: .venv/ready lint  ## everything that CI runs; what needs no server of its own on all cores
	$(BIN)/pytest -n logical --dist loadfile tests/analyzer
	$(BIN)/pytest --ignore tests/analyzer

notebook: .venv/ready  ## the first look, in JupyterLab, over the demo's store or the one that MAILHEALTH_STORE names
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "jupyterlab>=4,<5"
	$(BIN)/python -m jupyterlab notebooks/first-look.ipynb

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

score: .venv/ready  ## how right the answers are, on our labelled messages; MORE=folder adds another set in the same form
	$(BIN)/python -m benchmarks.score $(MORE)

bench: .venv/ready  ## what is fast, beside public tools in the same run
	$(BIN)/python -m benchmarks.reading

fuzz: .venv/ready  ## ten minutes of bytes that nobody meant, through reading and judging (SECONDS=600); a find is left in .fuzz
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3,<4"
	$(BIN)/python -m benchmarks.fuzz .fuzz/seeds -max_total_time=$(or $(SECONDS),600)

faults: .venv/ready  ## everything killed, cut and filled up, so often (ROUNDS=200), and what was lost or doubled; writes benchmarks/FAULTS.md
	$(BIN)/python -m tests.faults $(or $(ROUNDS),200)

lock: .venv/ready  ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mailhealth needs Python 3.11 or later: set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@echo "Installing Mailhealth and what it needs into .venv (about a minute, once)."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .fuzz
