# make demo: see Forestall at work on real data.   make test: everything that must hold.
# Both need Python 3.11 or newer and nothing else: they make their own environment in .venv.

PYTHON ?= python3
RUN := .venv/bin
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check --no-input --constraint constraints.txt

.PHONY: demo test test-crash test-spark lint docs bench clean
.DEFAULT_GOAL := demo

demo: .venv/.installed
	@rm -rf demo && cp -R examples/courses demo && rm -rf demo/.forestall demo/deliveries
	@find demo -name '*.yaml' -exec sed -i.old '1s#=\.\./#=#' {} +      # the schemas are one folder nearer
	@find demo -name '*.yaml.old' -delete
	@echo "The record of 29,401 students of the Open University, with the rules in demo/rules."
	@echo
	@echo '$$ forestall history import --project demo'
	@$(RUN)/forestall history import --project demo
	@echo
	@echo '$$ forestall run --project demo --day 2014-12-03 --until 2014-12-17 --send'
	@$(RUN)/forestall run --project demo --day 2014-12-03 --until 2014-12-17 --send
	@find demo/deliveries -type f | wc -l > demo/.before
	@echo
	@echo "The last day once more: nothing may be sent twice."
	@echo '$$ forestall run --project demo --day 2014-12-17 --send'
	@$(RUN)/forestall run --project demo --day 2014-12-17 --send
	@echo
	@echo "Messages before: $$(tr -d ' ' < demo/.before). Messages now: $$(find demo/deliveries -type f | wc -l | tr -d ' ')."
	@echo
	@echo "They are in demo/deliveries: .eml files are emails and open in a mail program, .txt files are Slack messages,"
	@echo ".json files are calls and in-app messages. One of them, and why this student got it:"
	@letter=$$(find demo/deliveries -name '*.eml' | sort | tail -n 1); \
	  echo "    $$letter"; \
	  echo "    $(RUN)/forestall explain $$(echo "$$letter" | grep -o '[A-Z]*-20[0-9]*[A-Z]-[0-9]*') --project demo"
	@echo "What else there is to see: docs/demo.md"

test: .venv/.installed-for-tests tests/editor/node_modules/.installed lint
	@$(RUN)/python -m pytest -n 2 --dist loadfile -rs

# The long form of tests/crash: 300 kills on each database, some minutes. `make test` does 25 in all.
test-crash: .venv/.installed-for-tests
	@KILLS=300 $(RUN)/python -m pytest -s tests/crash

# The language on Spark, in an environment of its own: pyspark is large, and Ibis wants no newer one than 4.0.
test-spark: .venv-spark/.installed
	@.venv-spark/bin/python -m pytest -rs tests/spark || [ $$? -eq 5 ]      # 5: it did not run, and has said why

# The table of functions in docs/language.md, from the functions themselves.
docs: .venv/.installed
	@$(RUN)/python -m forestall.engine.language.manual docs/language.md

lint: .venv/.installed-for-tests
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/mypy benchmarks/*.py

bench: .venv-bench/.installed
	@.venv-bench/bin/python benchmarks/everything.py --write

clean:
	@rm -rf .venv .venv-spark .venv-bench tests/editor/node_modules demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find engine adapters tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing Forestall into .venv; this is done once and takes about a minute."
	@$(INSTALL) hatchling
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/.installed-for-tests: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing Forestall and its tests into .venv; this is done once and takes about a minute."
	@$(INSTALL) hatchling
	@$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@ .venv/.installed

# The language server of editors and other npm packages that tests/editor runs. Without node those tests say so.
tests/editor/node_modules/.installed: tests/editor/package.json tests/editor/package-lock.json
	@if command -v npm > /dev/null; then \
	  echo "Installing the npm packages of tests/editor; this is done once and takes a few seconds."; \
	  (cd tests/editor && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) && touch $@ \
	    || echo "npm could not install them, so the tests of tests/editor do not run."; \
	fi

.venv-spark/.installed: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing Forestall and Spark into .venv-spark; this is done once and takes a few minutes."
	@$(RUN)/python -m venv .venv-spark
	@$(INSTALL:$(RUN)/%=.venv-spark/bin/%) hatchling
	@$(INSTALL:$(RUN)/%=.venv-spark/bin/%) --no-build-isolation --editable '.[dev,spark]'
	@touch $@

# rule-engine wants a python-dateutil older than ours: hence an environment and constraints of its own.
INSTALL_FOR_BENCH = $(patsubst constraints.txt,.venv-bench/constraints.txt,$(INSTALL:$(RUN)/%=.venv-bench/bin/%))

.venv-bench/.installed: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing Forestall and other rule engines into .venv-bench; this is done once and takes about a minute."
	@$(RUN)/python -m venv .venv-bench
	@sed 's/^python-dateutil==.*/python-dateutil==2.9.0.post0/' constraints.txt > .venv-bench/constraints.txt
	@$(INSTALL_FOR_BENCH) hatchling
	@$(INSTALL_FOR_BENCH) --no-build-isolation --editable '.[bench]'
	@touch $@

.venv/.made:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make $(MAKECMDGOALS) PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Forestall needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version)."; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
	  echo "$(PYTHON) has no venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@
