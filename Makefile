# `make` lists what there is. Everything below brings its own set-up; `make setup` does nothing where it is up to date.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test reproduce bench-control bench-occupancy bench-data bench-faults bench-latency bench-recorder bench-scarce bench-stitch bench-training bench-value bench-zero-shot lint lock peers clean

TASK ?= lift
EPISODES ?= 10
ARGS ?=
SOURCED = . ./env.sh &&

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 20
	@echo "TASK=lift EPISODES=10 go to demo; ARGS='…' is passed on to demo, test and reproduce"

setup:  ## environment in .venv, package in install/
	@scripts/setup

demo: setup  ## simulated arm and controller as two ROS nodes; figures, picture and bag in results/
	@$(SOURCED) ros2 launch dvf_ros controller.launch.py sim:=true task:=$(TASK) episodes:=$(EPISODES) record:=true $(ARGS); \
	status=$$?; dvf futures results/bags && exit $$status

test: setup  ## every test, the fast ones first; ARGS='-k name' for some
	@$(SOURCED) exec scripts/test $(ARGS)

reproduce: setup  ## all that led to the shipped checkpoint: collect, convert, train, evaluate
	@$(SOURCED) exec dvf reproduce $(ARGS)

bench-occupancy: setup  ## futures against what happened, on held-out Lift episodes (20 min); QUICK=1 for a short form
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.occupancy $(ARGS)

bench-value: setup  ## V against returns, logged and from the restored simulator, beside regression and FQE, three trainings each (90 min); QUICK=1
	@scripts/peers d3rlpy
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.value $(ARGS)

bench-zero-shot: setup  ## rewards written by hand on an agent that only saw play; PART=later: goals drawn by chance; PART=controllers: hands it never saw; QUICK=1
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.zero_shot_$(or $(PART),play) $(ARGS)

bench-control: setup  ## three tasks from mixed data, beside d3rlpy and without parts of the agent (3 h; goes on where it was cut); QUICK=1
	@scripts/peers d3rlpy
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.control $(ARGS)

bench-scarce: setup  ## the same with actions in a tenth of the episodes and 200 rewarded frames (2 h; goes on where it was cut); QUICK=1
	@scripts/peers d3rlpy
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.control --labels scarce $(ARGS)

bench-faults: setup  ## what fails, and how soon the robot stands: results/faults.json; QUICK=1 PART=soak
	@$(SOURCED) exec python -m benchmarks.faults $(if $(QUICK),--quick) $(if $(PART),--part $(PART)) $(ARGS)

bench-latency: setup  ## time of a decision by stage, its floor and growth, and whether haste changes it; QUICK=1 for a short form
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.latency $(if $(PART),--part $(PART)) $(ARGS)

bench-recorder: setup  ## the recorder under load, killed, slowed, on a full disk (20 min); QUICK=1 for a short form
	@$(SOURCED) exec python -m benchmarks.recorder $(if $(QUICK),--quick) $(ARGS)

bench-stitch: setup  ## tasks that recordings hold in pieces only, by bootstrapped and by Monte-Carlo pairs (30 min); QUICK=1
	@$(SOURCED) QUICK=$(QUICK) exec python -m benchmarks.stitch $(ARGS)

bench-training: setup  ## time of a training step by stage, beside the machine's matrix products, threads and processes (5 min); QUICK=1
	@$(SOURCED) exec python -m benchmarks.training $(if $(QUICK),--quick) $(ARGS)

bench-data: setup  ## conversion beside bare decoding, memory, processes, ten million frames (10 min); QUICK=1 PART=scale
	@$(SOURCED) exec python -m benchmarks.data $(if $(QUICK),--quick) $(if $(PART),--part $(PART)) $(ARGS)

lint: setup  ## ruff and mypy
	@$(SOURCED) ruff check . && ruff format --check . && mypy

lock: setup  ## newest versions that fit requirements/*.in, with hashes, into requirements/*.txt
	@scripts/lock

peers: setup  ## LeRobot, robomimic and d3rlpy, to compare and exchange with, in .venv-lerobot and .venv-d3rlpy
	@scripts/peers

clean:  ## remove what set-up made
	rm -rf .venv .venv-lerobot .venv-d3rlpy build install log
