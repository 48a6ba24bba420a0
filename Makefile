# Two commands matter: `make demo` and `make test`. What the set-up does is in scripts/setup.sh.

python := .venv/bin/python
thinkq := $(python) -m worker.cli
ready := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check bench torture soak fuzz train finetune audit sbom lock clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s%s\n", $$1, $$2 }'

setup: $(ready) ## Install everything, once; PYTHON=/path/to/python3 chooses the Python

$(ready): pyproject.toml requirements.lock scripts/setup.sh
	@PYTHON='$(PYTHON)' sh scripts/setup.sh
	@touch $@

demo: $(ready) ## A broker, a daemon, a model and real requests; ends by itself
	@$(thinkq) demo

run: $(ready) ## The daemon with a broker and a model of its own, until Ctrl-C
	@$(thinkq) run --embedded

# Two files at a time, and one thread each for the BLAS: its threads wait by spinning, and two
# models that wait for each other so take ten times as long.
test: $(ready) ## All tests but the long ones; ARGS="-k words" goes to pytest
	OPENBLAS_NUM_THREADS=1 $(python) -m pytest -n 2 --dist loadfile -m 'not soak' $(ARGS)

check: $(ready) ## Lint, types, known weaknesses of packages, tests and what they cover
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory test ARGS='--cov=worker $(ARGS)'

bench: $(ready) ## Every figure with what is wanted of it, 25 minutes, then the small ones; ARGS=--quick
	-$(python) bench/everything.py $(ARGS)
	$(python) bench/roundtrip.py
	$(python) bench/journal.py
	$(python) bench/footprint.py
	$(python) bench/fleet.py
	$(python) bench/recovery.py

torture: $(ready) ## Kill daemon, engine and broker 200 times under load; ARGS="--seed 2"
	$(python) bench/torture.py $(ARGS)

soak: $(ready) ## Half an hour of load with faults; is all flat? ARGS="--minutes 120"
	$(python) bench/soak.py $(ARGS)

fuzz: $(ready) ## A million inputs at every door; ARGS="--inputs 20000000" for longer
	-$(python) -m pip install --quiet --disable-pip-version-check --group fuzz
	$(python) bench/fuzz.py $(ARGS)

train: $(ready) ## Rebuild the router's trained file and its report, bit for bit
	$(python) -m pip install --quiet --disable-pip-version-check --group train
	$(python) -m bench.router.train

finetune: $(ready) ## Train the embedded model's adapter anew, write its card; a night without a GPU, ARGS=--card measures only
	$(python) -m pip install --quiet --disable-pip-version-check --group finetune
	$(python) -m bench.dualmode.recipe $(ARGS)

audit: $(ready) ## Ask the advisory database about every locked package
	$(python) -m pip install --quiet --disable-pip-version-check --group audit
	@sh scripts/audit.sh

sbom: $(ready) ## Write build/sbom.json: every locked package, as CycloneDX has it
	$(python) -m pip install --quiet --disable-pip-version-check --group audit
	@mkdir -p build
	$(python) -m cyclonedx_py requirements requirements.lock --output-file build/sbom.json

lock: $(ready) ## Write requirements.lock anew from pyproject.toml
	$(python) -m pip install --quiet --disable-pip-version-check --group lock
	sh scripts/lock.sh

clean: ## Remove what set-up, tests and builds have made here; models and data stay
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
