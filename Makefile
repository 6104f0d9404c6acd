# Every target sets itself up from make and a Python of 3.11 or newer alone. PYTHON chooses the one that builds the
# virtual environment, VENV its folder: make VENV=.venv-3.13 PYTHON=python3.13 test keeps .venv as it is.
# EXTRAS names groups of pyproject.toml, as in EXTRAS=dev,cuda; without it a target installs what it needs.
PYTHON  ?= python3
VENV    := .venv
EXTRAS  ?=
WORKERS ?= 2
ARGS    ?=

# Python finds itself through PATH, which an empty environment lacks.
PATH ?= /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

PY  := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# A group is installed when its stamp of this very pyproject.toml exists; `base`: the dependencies alone.
READY  := $(VENV)/.ready-$(firstword $(shell cksum < pyproject.toml))-
COMMA  := ,
STAMPS := $(addprefix $(READY),base $(subst $(COMMA), ,$(EXTRAS)))
need    = @$(MAKE) --no-print-directory EXTRAS=$(or $(EXTRAS),$(1)) setup

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup sequence derivations test test-all test-release test-gpu report docs lint clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1#/p' Makefile | awk -F'#' '{ printf "%-20s%s\n", $$1, $$2 }'
	@echo 'ARGS="..." is handed on: make sequence ARGS=--help, make test ARGS="-k adjoint".'

sequence: ## train weights and delays on the sequence task
	$(call need)
	@echo "sequence: training weights and delays: python -m fast.train --task sequence $(ARGS)"
	@$(PY) -m fast.train --task sequence $(ARGS)

derivations: ## prove every equation with SymPy
	$(call need)
	@echo "derivations: proving every equation with SymPy"
	@$(PY) -m derivations $(ARGS)

test: ## run the core of the tests: agreement, truth, edges, refusals, survival
	$(call need,dev)
	@echo "test: pytest on $(WORKERS) workers, without the tests marked full or gpu"
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not full and not gpu" $(ARGS)

test-all: ## run what a commit must pass: every test but those for a release, and those of a GPU
	$(call need,dev)
	@echo "test-all: pytest on $(WORKERS) workers, without the tests marked release or gpu"
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not release and not gpu" $(ARGS)

test-release: ## run the tests for a release alone: more planted faults, kernels of more neurons
	$(call need,dev)
	@echo "test-release: pytest on $(WORKERS) workers, the tests marked release"
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "release and not gpu" $(ARGS)

report: ## run every check and write the verification report, verification/verification.html
	$(call need,dev)
	@echo "report: every check, then verification/verification.html and its record; 16 to 21 minutes (ARGS=--quick: about 90 seconds)"
	@$(PY) -m reports $(ARGS)

test-gpu: ## run the tests that need a GPU; make EXTRAS=dev,cuda test-gpu installs what they need
	$(call need,dev)
	@echo "test-gpu: pytest, the tests marked gpu"
	@$(PY) -m pytest -m gpu $(ARGS)

docs: ## build the documentation into site/
	$(call need,dev$(COMMA)docs)
	@echo "docs: mkdocs build --strict, into site/"
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict $(ARGS)

lint: ## run ruff and mypy
	$(call need,dev)
	@echo "lint: ruff, then mypy"
	@$(PY) -m ruff check .
	@$(PY) -m mypy

clean: ## remove .venv, .venv-* and every cache; runs/ stays
	@echo "clean: .venv, .venv-* and caches"
	@rm -rf .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist site
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip 23, of Python 3.11, finds no versions of torch and numba-cuda that agree on a release of CUDA, though there are some.
# A torch wheel that pip finds at hand (PIP_FIND_LINKS) is taken first: the one from the index brings gigabytes of CUDA.
setup:
	@if [ -x $(PY) ] && ls $(STAMPS) >/dev/null 2>&1; then exit 0; fi; \
	set -e; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  command -v "$(PYTHON)" >/dev/null || \
	    { echo 'setup: `PYTHON` must be a Python of 3.11 or newer, got no $(PYTHON) on PATH; install one or say make PYTHON=/path/to/python3' >&2; exit 1; }; \
	  "$(PYTHON)" -c 'import sys; sys.version_info < (3, 11) and sys.exit("setup: `PYTHON` must be 3.11 or newer, got %d.%d (%s); say make PYTHON=/path/to/python3" % (sys.version_info[0], sys.version_info[1], sys.executable))'; \
	  "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo 'setup: `PYTHON` must have the modules venv and ensurepip, got $(PYTHON) without; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }; \
	  echo "setup: building $(VENV) with $(PYTHON) and installing the dependencies (3 to 5 minutes, once; pip is silent until it is done)"; \
	  "$(PYTHON)" -m venv --clear $(VENV); \
	else \
	  echo "setup: installing into $(VENV) what pyproject.toml asks for$(if $(EXTRAS), in the groups $(EXTRAS))"; \
	fi; \
	$(PIP) 'pip>=25'; \
	$(PIP) --no-index --no-deps torch >/dev/null 2>&1 || true; \
	$(PIP) --editable '.$(if $(EXTRAS),[$(EXTRAS)])'; \
	for stamp in $(VENV)/.ready-*; do case $$stamp in $(READY)*) ;; *) rm -f "$$stamp" ;; esac; done; \
	touch $(STAMPS)
