# make demo   trains a small language model on text that the project makes
# make test   runs the tests, or those in $(TESTS)
# make check  checks style, types and the files that hosts read
# make docs   builds the documentation, out/docs/index.html
# make clean  removes what they set up
#
# Each sets up what it needs in $(VENV), once, with $(PYTHON).

PYTHON ?= python3
VENV ?= .venv
python := $(VENV)/bin/python
pip := $(python) -m pip --disable-pip-version-check install --quiet
schema := $(python) -m check_jsonschema --quiet --builtin-schema vendor.

.PHONY: demo test check docs clean

# Matrices as small as the demo's gain nothing from a second thread, and lose
# much by it on a busy machine.
demo: $(VENV)/.has-experiments
	OPENBLAS_NUM_THREADS=1 $(python) -m experiments.ptb.train --config small --data sample \
		--out out/demo --overwrite

test: $(VENV)/.has-test
	$(python) -m pytest $(TESTS)

check: $(VENV)/.has-dev
	$(python) -m flake8
	$(python) -m mypy
	$(schema)readthedocs .readthedocs.yaml
	$(schema)github-workflows .github/workflows/*.yml
	$(schema)github-issue-forms .github/ISSUE_TEMPLATE/*.yml

docs: $(VENV)/.has-docs
	$(python) -m sphinx -q -W --keep-going docs out/docs

clean:
	rm -rf $(VENV) out/demo out/docs

# qrnn with one of the extras in setup.cfg. No build isolation: Chainer builds
# with the setuptools of the environment alone.
$(VENV)/.has-%: $(VENV)/.made pyproject.toml setup.cfg
	$(pip) --no-build-isolation --editable ".[$*]"
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c "$$check"
	@echo "Setting up $(VENV), which takes about a minute, once"
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
