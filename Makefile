# Commands for developers. Needs make, git and Python >= 3.11 with venv; the rest is installed into .venv,
# or built once into the user's cache.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .venv-bootstrap/bin/uv)
RUN := .venv/bin
SETUP := .venv/.finscribe-setup
# Additional arguments for pytest, such as PYTEST_ARGS="-k storage -x".
PYTEST_ARGS ?=
# Test processes: each loads torch, about 1 GB; one more than cores, because many tests wait for servers. A file's
# tests stay in one; the long ones are collected first.
PARALLEL := -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# pytest compiles its test files once, not in each process of each run.
unexport PYTHONDONTWRITEBYTECODE
# Additional arguments for benchmarks, such as BENCH_ARGS="--repeat 3".
BENCH_ARGS ?=
# Arguments of the sweeps, such as SWEEP_ARGS="--only kills --seed 7".
SWEEP_ARGS ?=
# Arguments of the ablations, such as ABLATIONS_ARGS="--only vision --seeds 1".
ABLATIONS_ARGS ?=
# Where the archive of the kubectl plugin is served.
KREW_URL ?= https://example.org/finscribe/releases/download
# Where `make sbom` and `make krew` write.
DIST ?= dist
# What an image installs: the locked packages without those of development, as in the Dockerfile.
EXPORT := $(UV) export --locked --no-dev --quiet --extra
# Arguments of the pretraining, such as TINY_MODEL_ARGS="--minutes 10 --threads 1".
TINY_MODEL_ARGS ?=

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} \
		/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Use it

.PHONY: setup
setup: $(SETUP) ## Install everything into .venv (about 6 GB with torch; skipped while up to date).

$(SETUP): pyproject.toml uv.lock | $(UV)
	@# With compiled bytecode torch and transformers import in a third of the time.
	$(UV) sync --locked --all-extras --inexact --compile-bytecode
	@touch $@

.venv-bootstrap/bin/uv:
	@echo "uv is not on the PATH: installing it into .venv-bootstrap"
	$(PYTHON) -m venv .venv-bootstrap
	.venv-bootstrap/bin/pip install --quiet uv

.PHONY: demo
demo: setup ## Fine-tune a small model on synthetic receipts, from S3 to S3, on this machine's CPU.
	$(RUN)/finscribe demo

## Test it

.PHONY: test
test: setup binaries browser ## Run all tests but e2e, Kueue and Kubeflow: unit, golden, integration, chart, API server, browser.
	$(RUN)/pytest -m "not e2e and not kueue and not kubeflow" $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: setup ## Run the unit tests but those of test-train: less than a minute.
	@# `make test` runs each property test with four times as many examples.
	$(RUN)/pytest tests/unit tests/golden -m "not train" --hypothesis-profile quick $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-train
test-train: setup ## Run the unit tests that train or generate with the tiny model, loss curves included.
	$(RUN)/pytest tests/unit tests/golden -m train $(PARALLEL) $(PYTEST_ARGS)

.PHONY: test-kueue
test-kueue: setup binaries ## Run jobs in queues of the real Kueue, which is built once (minutes).
	@$(RUN)/python -m tools.kube binaries kueue
	$(RUN)/pytest -m kueue tests/apiserver/test_queue.py $(PYTEST_ARGS)

.PHONY: test-kubeflow
test-kubeflow: setup binaries ## Apply the example for Kubeflow Trainer to the real one, which is built once (minutes).
	@$(RUN)/python -m tools.kube binaries trainer-controller-manager
	$(RUN)/pytest -m kubeflow tests/apiserver/test_kubeflow.py $(PYTEST_ARGS)

.PHONY: test-chart
test-chart: setup ## Run the chart's tests with the real helm.
	@$(RUN)/python -m tools.kube binaries helm
	$(RUN)/pytest -m chart tests/chart $(PYTEST_ARGS)

.PHONY: e2e
e2e: setup ## Run a real cluster on this machine, and the tests that need one.
	$(RUN)/pytest -m "e2e and not stages" tests/e2e $(PYTEST_ARGS)

.PHONY: test-stages
test-stages: setup ## Delete a pod of a run with two nodes at each stage, on a real cluster on this machine.
	$(RUN)/pytest -m stages tests/e2e/test_nodes.py $(PYTEST_ARGS)

.PHONY: sweep-operator
sweep-operator: setup binaries ## Disturb a real operator in twelve ways and count what it loses (SWEEP_ARGS=--write saves it).
	$(RUN)/python -m tests.sweeps $(SWEEP_ARGS)

.PHONY: sweep-trainer
sweep-trainer: setup ## Kill, drain and starve real trainings at each stage, and compare their adapters (SWEEP_ARGS=--write).
	@$(RUN)/python -m tools.kube binaries versitygw
	$(RUN)/python -m tests.trainer_sweeps $(SWEEP_ARGS)

.PHONY: binaries
binaries: setup
	@echo "Programs for the tests (missing ones are built once into the user's cache, which takes minutes):"
	@$(RUN)/python -m tools.kube binaries etcd kube-apiserver kube-controller-manager \
		kube-scheduler kubectl helm kstatus kubeconform versitygw

.PHONY: browser
browser: setup
	@$(RUN)/python -m tools.browser

## Measure it

.PHONY: bench-data
bench-data: setup ## Measure how fast data is generated, validated and scored (BENCH_ARGS="--write" saves it).
	$(RUN)/python -m benchmarks.data $(BENCH_ARGS)

.PHONY: bench-trainer
bench-trainer: setup ## Train the same rows with FinScribe, plain Trainer, TRL, ms-swift; compare time, memory, loss.
	$(RUN)/python -m benchmarks.trainer $(BENCH_ARGS)

.PHONY: bench-plan
bench-plan: setup ## Compare the memory that `finscribe plan` says with ten trainings (BENCH_ARGS="--write" saves it).
	$(RUN)/python -m benchmarks.plan $(BENCH_ARGS)

.PHONY: bench-learning-rate
bench-learning-rate: setup ## Compare the suggested learning rate with ten others (BENCH_ARGS="--write" saves it).
	$(RUN)/python -m benchmarks.learning_rate $(BENCH_ARGS)

.PHONY: bench-example
bench-example: setup ## Train the example's model with five seeds, LoRA and QLoRA; again to go on (BENCH_ARGS="--write" saves it).
	$(RUN)/python -m benchmarks.example $(BENCH_ARGS)

.PHONY: bench-calibration
bench-calibration: setup ## Count how often promised precisions hold: one model's answers, or BENCH_ARGS="--trained".
	$(RUN)/python -m benchmarks.calibration $(BENCH_ARGS)

.PHONY: bench-operator
bench-operator: setup binaries ## Measure speed and size of the operator, fail outside the ranges (BENCH_ARGS="--write" saves it).
	$(RUN)/python -m benchmarks.operator $(BENCH_ARGS)

.PHONY: bench-storage
bench-storage: setup ## Compare S3 transfers with boto3's: time, memory, faults (BENCH_ARGS="--write" keeps it).
	$(RUN)/python -m benchmarks.storage $(BENCH_ARGS)

.PHONY: ablations
ablations: setup ## Measure what each feature of the trainer is worth; again to go on (ABLATIONS_ARGS=--write saves it).
	$(RUN)/python -m benchmarks.ablations $(ABLATIONS_ARGS)

.PHONY: agreement
agreement: setup ## Compare the metrics with reference implementations; writes the table of docs/metrics.md.
	$(RUN)/python -m tools.agreement

## Check and generate

.PHONY: check
check: setup lint types imports verify docs ## Lint, format, types, import rules, generated files, the documentation's links.

.PHONY: lint
lint: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

.PHONY: lint-workflows
lint-workflows: setup ## Lint the workflows for GitHub with actionlint, which is built once (a minute).
	"$$($(RUN)/python -m tools.kube binaries actionlint | cut -f 2 | tail -n 1)" -color .github/workflows/*.yaml

.PHONY: types
types: setup
	$(RUN)/mypy

.PHONY: docs
docs: setup ## Build the documentation as a site into dist/site; a link to nothing is an error.
	@NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --quiet
	@echo "dist/site/index.html"

.PHONY: imports
imports: setup
	$(RUN)/lint-imports

.PHONY: generate
generate: setup ## Write CRD, RBAC, values schema, dashboard and reference pages from the types.
	$(RUN)/python tools/generate.py

.PHONY: verify
verify: setup ## Fail if a generated file is not up to date.
	$(RUN)/python tools/generate.py --check

.PHONY: update-golden
update-golden: setup binaries ## Rewrite the expected outputs of golden tests; review the diff.
	$(RUN)/pytest tests/golden tests/unit/training/test_loss_curves.py --update-golden
	UPDATE_GOLDEN=1 $(RUN)/pytest -m chart tests/chart
	UPDATE_GOLDEN=1 $(RUN)/pytest -m apiserver tests/apiserver -k exactly_as_expected

.PHONY: demo-pictures
demo-pictures: setup browser ## Make the pictures of docs/tutorial.md from the newest report of `make demo`.
	$(RUN)/python -m tools.report_pictures \
		"$$(ls -t finscribe-demo/results/*/runs/*/evaluation/report.html | head -n 1)"

.PHONY: format
format: setup ## Format the code and fix what the linter can.
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

.PHONY: tiny-model
tiny-model: setup ## Pretrain a PaddleOCR-VL of 4 M parameters for at most 40 minutes; again to go on.
	$(RUN)/python -m tools.tiny_model $(TINY_MODEL_ARGS)

## Publish it

.PHONY: release
release: setup sbom ## Write chart, manifest, wheel, SBOMs, notes and checksums of this version to dist/release/.
	@$(RUN)/python -m tools.kube binaries helm
	@mkdir -p $(DIST)/release && cp $(DIST)/sbom-*.json $(DIST)/licences-*.md $(DIST)/release/
	$(RUN)/python -m tools.release $(DIST)/release

.PHONY: krew
krew: setup ## Write archive and manifest of the kubectl plugin to dist/krew/ (KREW_URL=where the archive is served).
	$(RUN)/python -m tools.krew $(DIST)/krew $(KREW_URL)

.PHONY: sbom
sbom: setup ## Write what is in the images to dist/: SBOM (CycloneDX) and licences; fails on a GPL licence.
	@mkdir -p $(DIST)
	@for image in operator trainer ui; do \
		$(EXPORT) $$image --format cyclonedx1.5 --output-file $(DIST)/sbom-$$image.json; \
		packages=$$($(EXPORT) $$image --no-emit-project --no-hashes --no-annotate --no-header | sed 's/[=; ].*//'); \
		$(RUN)/pip-licenses --order license --format markdown --with-urls --packages $$packages \
			--fail-on "GPL;GNU" --partial-match --output-file $(DIST)/licences-$$image.md; \
	done

.PHONY: audit
audit: setup ## Look up known vulnerabilities of the images' packages; needs the internet.
	$(UV) audit --locked --no-dev

## Run a cluster

.PHONY: cluster
cluster: setup ## Start a real single-node Kubernetes on this machine (Linux, root).
	$(RUN)/python -m tools.kube up

.PHONY: cluster-down
cluster-down: setup ## Stop it and delete its state.
	$(RUN)/python -m tools.kube down

.PHONY: images
images: setup ## Build the operator's and the trainer's image, and load them into that cluster.
	$(RUN)/python -m tools.kube images
