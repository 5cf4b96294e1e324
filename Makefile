# make demo   trains a small language model on generated text
# make test   runs all tests, or the tests in $(TESTS)
# make check  checks style, types, wording and configuration files of hosts
# make docs   builds the documentation in out/docs/index.html
# make clean  removes the files that these commands create
#
# The commands create the virtual environment $(VENV) with $(PYTHON) if it does
# not exist.

PYTHON ?= python3
VENV ?= .venv
python := $(VENV)/bin/python
pip := $(python) -m pip --disable-pip-version-check install --quiet
schema := $(python) -m check_jsonschema --quiet --builtin-schema vendor.

.PHONY: demo test check docs clean

# One thread, because the matrices are too small for several threads, which slow
# the demo down on a busy machine.
demo: $(VENV)/.has-experiments
	OPENBLAS_NUM_THREADS=1 $(python) -m experiments.ptb.train --config small --data sample \
		--out out/demo --overwrite

test: $(VENV)/.has-test
	$(python) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
		$(TESTS)

check: $(VENV)/.has-dev
	$(python) -m flake8
	$(python) -m mypy
	$(VENV)/bin/codespell *.md docs qrnn experiments benchmarks tests
	$(schema)readthedocs .readthedocs.yaml
	$(schema)github-workflows .github/workflows/*.yml
	$(schema)github-issue-forms .github/ISSUE_TEMPLATE/*.yml

docs: $(VENV)/.has-docs
	$(python) -m sphinx -q -W --keep-going docs out/docs

clean:
	rm -rf $(VENV) out/demo out/docs

# Installs qrnn with an extra of setup.cfg. Without build isolation, because
# building Chainer requires the version of setuptools in the environment.
$(VENV)/.has-%: $(VENV)/.made pyproject.toml setup.cfg
	$(pip) --no-build-isolation --editable ".[$*]"
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c "$$check"
	@echo "Creating $(VENV), which takes about a minute"
	$(PYTHON) -m venv $(VENV)
	$(pip) "setuptools<81" wheel
	@touch $@

define check
import sys
if sys.version_info < (3, 11):
    sys.exit("qrnn needs Python 3.11 or later, and $(PYTHON) is %s.%s; choose"
             " another, for example: make demo PYTHON=python3.12"
             % sys.version_info[:2])
endef
export check
