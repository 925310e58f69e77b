# Needs only Python ≥ 3.11 with venv. On Windows, or with conda, type the commands of the README instead.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: measure test lint mutants docs clean

measure: .venv/ready
	$(PY) -m npintdim measure

# the files of tests side by side; what a file makes for all its tests is made once
test: .venv/ready
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: .venv/ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict

# small changes to the core files that no test notices; some minutes
mutants: .venv/ready
	$(PY) tests/mutants.py

# the site, in build/docs/html; also needs npm, for KaTeX (and axe-core, for tests/test_site.py)
docs: .venv/docs-ready
	rm -rf build/docs/source build/docs/html
	npm install --silent --no-audit --no-fund --prefix build/docs/npm katex@0 axe-core@4
	$(PY) docs/site/stage.py build/docs/source
	$(PY) -m sphinx -W --keep-going -n -q -c docs/site build/docs/source build/docs/html

.venv/docs-ready: .venv/ready
	$(PY) -m pip install --quiet --editable '.[docs]'
	touch .venv/docs-ready

.venv/ready: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "npintdim needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --editable '.[all,test]'
	touch .venv/ready

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
