# Everything runs from .venv, which is made on first use from setup.cfg and the versions in constraints.txt.
# A stamp file remembers what is installed, so that nothing is installed twice. PYTHON picks the interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Tests run in as many processes as there are cores, four at most since each takes about 1 GB, and each on one thread, so that they
# don't fight for cores. A file's tests stay in one process, because they share what its fixtures train; files begin in the order
# of tests/conftest.py, long ones first. Memory that is freed is given back, which training would rather keep.
PYTEST = OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} MALLOC_TRIM_THRESHOLD_=100000000 $(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
INPUTS := setup.cfg pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install dev learn2learn procgen quickstart test test-slow lint format wheel notebooks clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

quickstart: $(VENV)/.installed  ## train RL² on bandits for about a minute and compare it with exact agents
	$(BIN)/python benchmarks/quickstart.py $(ARGS)

test: $(VENV)/.installed-test $(VENV)/.installed-learn2learn $(VENV)/.installed-procgen  ## run the tests, all but the slow ones (ARGS="-k bandit" picks some, ARGS=-n0 uses one process)
	$(PYTEST) $(ARGS)

test-slow: $(VENV)/.installed-test $(VENV)/.installed-learn2learn $(VENV)/.installed-procgen  ## run the slow tests
	$(PYTEST) -m slow $(ARGS)

lint: $(VENV)/.installed-dev  ## check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff put style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/.installed-dev  ## build the package's wheel into dist/
	$(BIN)/python -m build --wheel

notebooks: $(VENV)/.installed-notebooks  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

install: $(VENV)/.installed  ## install the package into .venv
dev: $(VENV)/.installed-dev  ## the same with the tools for development
learn2learn: $(VENV)/.installed-learn2learn  ## the same with learn2learn, as a guest and to compare with
procgen: $(VENV)/.installed-procgen  ## the same with Procgen, for CoinRun

clean:  ## remove .venv and caches; runs and results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info build dist

# Debian ships Python without ensurepip unless python3-venv is installed; the system's pip can fill the environment instead.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "metarl needs Python 3.11 to 3.13; point make at one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) > /dev/null \
		|| { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } \
		|| { rm -rf $(VENV); echo "Can't make $(VENV): install your system's venv package (Debian: apt-get install python3-venv)."; exit 1; }

$(VENV)/.installed: $(INPUTS) | $(BIN)/python
	$(PIP) --editable .
	@touch $@

# learn2learn's release has C files of an older Cython, which Python 3.11 can't compile: they are made anew. The torchvision that it
# imports must be one that accepts any torch; only its Python part is used.
$(VENV)/.installed-learn2learn: $(VENV)/.installed
	$(PIP) 'cython<3' wheel setuptools gym==0.26.2 requests tqdm scipy pillow
	$(PIP) --no-deps torchvision==0.16.2
	CYTHON_FORCE_REGEN=1 $(PIP) --no-deps --no-build-isolation --use-pep517 -C--global-option=build_ext learn2learn==0.2.0
	@touch $@

# Procgen is kept up under another name; its metadata refuses today's NumPy, with which it runs, and asks for windows to draw in.
$(VENV)/.installed-procgen: $(VENV)/.installed
	$(PIP) gym==0.26.2 cffi filelock
	$(PIP) --no-deps procgen-mirror==0.10.7 gym3==0.3.3
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(PIP) --editable '.[$*]'
	@touch $@
