# Every target sets up what it needs; nothing but Python 3.11+ and make has to be there.

VENV := .venv
BIN := $(VENV)/bin
SETUP := sh scripts/setup_env.sh $(VENV)
DEMO_STAMP := $(VENV)/.installed-demo
DEV_STAMP := $(VENV)/.installed-dev
UV ?= $(or $(wildcard $(BIN)/uv),uv)

.PHONY: help setup demo test check bench bench-quick results docs requirements clean

help:
	@echo "make setup          environment for development, from pinned files"
	@echo "make demo           the main job on real purchases, end to end"
	@echo "make test           all quick tests"
	@echo "make check          lint, types, architecture and public-name tests"
	@echo "make bench          every benchmark that needs no log of yours, at full size (hours, 20 GB of disk)"
	@echo "make bench-quick    every benchmark at its quick size, prints only"
	@echo "make results DATA=D every log of docs/results.md below the directory D, all arms (hours)"
	@echo "make docs           API pages into docs/_build"
	@echo "make requirements   pin the dependencies anew (needs uv)"
	@echo "make clean          remove the environment and everything generated"

setup: $(DEV_STAMP)

$(DEMO_STAMP): requirements/demo.txt pyproject.toml scripts/setup_env.sh
	$(SETUP) demo

$(DEV_STAMP): requirements/dev.txt pyproject.toml scripts/setup_env.sh
	$(SETUP) dev

demo: $(DEMO_STAMP)
	$(BIN)/pinnersage demo

test: $(DEV_STAMP)
	$(BIN)/python -m pytest -n 2

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_public_names.py

bench: $(DEV_STAMP)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/figures.py

bench-quick: $(DEV_STAMP)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script --quick || exit 1; done

results: $(DEV_STAMP)
	$(BIN)/python scripts/measure_results.py $(DATA)

DOCUMENTED := $(addprefix pinnersage.,model config errors interests.single interests.ward interests.record \
	items.table store.base retrieval.base retrieval.retriever testing)

docs: $(DEV_STAMP)
	$(BIN)/pdoc --docformat numpy --output-directory docs/_build $(DOCUMENTED)

COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

requirements:
	$(COMPILE) --extra demo --extra minilm --extra otel --extra serve --extra dev pyproject.toml requirements/build.in -o requirements/dev.txt
	$(COMPILE) --extra demo pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/core.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt

clean:
	rm -rf $(VENV) pinnersage-demo docs/_build dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
