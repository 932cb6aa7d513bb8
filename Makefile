# Needs GNU make. Quiet by design: tools speak only when they have something to say.

PYTHON ?= python3
export PYTHON

BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-fast test-slow lint docs formal mutation planted random random-networks random-machines rtl-all identity fuzz venv clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1:/p' Makefile | while IFS=: read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: ## segment the pictures in pictures/ with integers only; masks and overlays go to demo/
	@tools/make-venv.sh
	@$(BIN)/intarsia run pictures/*.png --out demo

test: ## run the tests but the slow ones; ten minutes on two idle cores
	@tools/make-venv.sh dev
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-fast: ## run the tests that need no RTL; two minutes
	@tools/make-venv.sh dev
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not rtl"

test-slow: ## run the slow tests
	@tools/make-venv.sh dev
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow

lint: ## check style, format, types and the direction of imports
	@tools/make-venv.sh dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; exit 1; }

docs: ## build the pages and a reference of all modules; build/docs/index.html
	@tools/make-venv.sh dev
	@$(BIN)/python -m sphinx -b html -q docs build/docs

formal: ## prove properties of the RTL; some take minutes
	@tools/make-venv.sh dev
	@$(BIN)/python -m intarsia.sim.formal

mutation: ## score benches and tests of the RTL by the mutants that they kill; takes hours, goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.mutate

planted: ## plant faults into the RTL one by one: a test must notice each
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.planted

rtl-all: ## run the four networks of the paper in the RTL; takes an hour, goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.rtl_all

random: ## run 700 random programs in the RTL beside the emulator, on ten machines; goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.random_programs

random-networks: ## run 100 random small networks in the RTL of the three presets and eight machines more; goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.random_networks

random-machines: ## emulate random networks on 500 machines at the corners of all ranges; goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.random_machines

fuzz: ## edit valid inputs of all kinds at random until interrupted, or CASES=1000; goes on where it stopped
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.fuzz $(CASES)

identity: ## compare the programs and the Verilog of all presets with those recorded; takes half an hour
	@tools/make-venv.sh dev
	@$(BIN)/python -m tools.identity

venv: ## make or update .venv with all that the targets above need
	@tools/make-venv.sh dev

clean: ## remove everything that was made here, .venv included
	@rm -rf fuzz fuzz.json mutation.json random-programs.json random-networks.json random-machines.json rtl-all.json waves .venv .venv-unfinished demo build docs/api dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
