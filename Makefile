# A fresh machine needs make and Python 3.11 to 3.13, nothing else.
.POSIX:
PYTHON ?= python3
PYTEST_FLAGS = -n 2 --dist loadfile --no-loadscope-reorder

VENV = .venv/bin
DEMO = SER_DATA= $(VENV)/python
CONFIGS = config/demo_svm.yaml config/demo_bilstm.yaml

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

demo: .venv/.requirements  ## install; make synthetic voices, compare two models, predict one wav: 1 minute after the install
	$(DEMO) -m corpora.demo data/demo
	$(DEMO) preprocess.py --config $(CONFIGS)
	$(DEMO) train.py --config $(CONFIGS) --overwrite
	$(DEMO) predict.py --checkpoint checkpoints/demo_bilstm data/demo/m08/m08_sad_1.wav --radar demo_radar.png
	@echo
	@echo "data/demo/               the synthetic voices, one folder per speaker"
	@echo "features/                their cached features"
	@echo "checkpoints/demo_svm/    model, metrics, predictions and plots"
	@echo "checkpoints/demo_bilstm/ the same for the network"
	@echo "demo_radar.png           its answer to a wav of m08, a speaker who was in no training"

test: lint  ## check the style, then run every test except the slow ones
	$(VENV)/python -m pytest $(PYTEST_FLAGS)

slow: .venv/.requirements-dev  ## run the tests that take minutes each
	$(VENV)/python -m pytest -m slow $(PYTEST_FLAGS)

hostile: .venv/.requirements-dev  ## read many damaged sounds, SER_HOSTILE=2000 of each kind; prints a table
	SER_HOSTILE=$${SER_HOSTILE:-2000} $(VENV)/python -m pytest -s tests/hostile

lint: .venv/.requirements-dev  ## check the style only
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

docs: .venv/.requirements-dev  ## build the documentation, site/index.html
	NO_MKDOCS_2_WARNING=1 $(VENV)/python -m mkdocs build --strict

pictures: .venv/.requirements-dev  ## make the pictures of the documentation; needs RAVDESS and its finished runs
	$(VENV)/python -m docs.pictures

clean:  ## remove .venv, tool caches and the results of make demo; other features and checkpoints stay
	rm -rf .venv .pytest_cache .ruff_cache site data/demo checkpoints/demo_svm checkpoints/demo_bilstm demo_radar.png
	rm -rf features/demo-* features/*/demo-*.arrow
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.requirements: requirements.txt .venv/.python
	$(VENV)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.requirements-dev: requirements-dev.txt requirements.txt .venv/.python
	$(VENV)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/.requirements $@

SUPPORTED = import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

.venv/.python:
	@if $(VENV)/python -c 'import pip; $(SUPPORTED)' 2>/dev/null; then touch $@; exit; fi; \
	for python in "$(PYTHON)" python3.13 python3.12 python3.11; do \
	    if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
	        echo "$$python -m venv --clear .venv"; \
	        "$$python" -m venv --clear .venv && touch $@; \
	        exit; \
	    fi; \
	done; \
	version=`"$(PYTHON)" --version 2>/dev/null || :`; \
	echo "error: Python 3.11, 3.12 or 3.13 with venv is needed, $(PYTHON) is $${version:-not installed}." \
	    "Install one (Debian, Ubuntu: apt install python3-venv) or name it: make demo PYTHON=/path/to/python3.12" >&2; \
	exit 1

.PHONY: help demo test slow hostile lint docs pictures clean
