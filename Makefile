# Everything starts here: each target makes or refreshes .venv first, so a fresh clone needs nothing but Python, git, make.
PYTHON ?= python3
BIN := .venv/bin
LOCK := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input

.PHONY: demo ladder-demo test check pytest bench soak cluster slurm ssh trackers pictures recording lock clean

demo: .venv/.train  ## the main job: a loop at work on the example, with its cockpit; no key and no GPU needed
	@$(BIN)/looptop --researcher automl $$($(BIN)/python -c 'import torch; print("" if torch.cuda.is_available() else "--budget 6s")')

test: .venv/.dev  ## ruff, mypy, import-linter and pytest, side by side
	@$(MAKE) --no-print-directory -j2 check pytest

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Where nobody is there to look (CI=true), a failure is tried once more, and told as "rerun" at the end.
pytest: .venv/.dev
	$(BIN)/python -m pytest -n 6 --dist worksteal $(if $(CI),--reruns 1 -rR)

bench: .venv/.dev  ## every speed we claim, beside its budget
	@for name in supervisor metrics sandbox cockpit table automl judge pairs early_stop bundles bundles_real ladder trust placebos_real briefing steering fair_clock fair_number first_gain throughput endurance cluster report; do echo "== bench/$$name.py"; $(BIN)/python -m bench.$$name || exit 1; done

ladder-demo: .venv/.train  ## a study on two rungs, its climb, its attribution and its report; a quarter of an hour, no key
	@sh examples/ladder_demo.sh

soak: .venv/.dev  ## the slow tests, and the supervisor killed at 300 points of whole studies
	$(BIN)/python -m pytest -m soak --timeout 3600 -n 2 --dist worksteal
	$(BIN)/python -m tests.crash --points 300

trackers: .venv/.trackers  ## `looptop follow` against a real MLflow server, TensorBoard's own reader, and wandb offline
	.venv/trackers/bin/python -m pytest tests/follow/test_trackers.py

# libfaketime has a node believe in another hour; what it requires is for Python, and nothing here imports it.
cluster: .venv/.dev  ## what runs on other machines, on real Ray: two nodes on this one. Installs Ray (300 MB)
	@$(PIP) -e '.[ray-client]' -c constraints.txt
	@$(PIP) --no-deps libfaketime==3.0.1
	$(BIN)/python -m pytest tests/cluster --timeout 600 -n 2 --dist worksteal
	$(BIN)/python -m bench.cluster

slurm: .venv/.dev  ## a study on a real Slurm of one machine, by root, after apt-get install slurmctld slurmd munge
	@$(PIP) -e '.[ray]' -c constraints.txt
	$(BIN)/python -m tests.cluster.slurm

ssh: .venv/.dev  ## a node that joins through a real sshd on the loopback, after apt-get install openssh-server
	@$(PIP) -e '.[ray]' -c constraints.txt
	$(BIN)/python -m tests.cluster.sshd

pictures: .venv/.dev  ## docs/*.png: STUDY=folder for those of a study of yours, the recorded one otherwise
	$(BIN)/python -m tests.pictures docs $(STUDY)

recording: .venv/.dev  ## docs/cockpit.gif: STUDY=folder for one of a study of yours, the recorded one otherwise
	$(BIN)/python -m tests.recording docs/cockpit.gif $(STUDY)

lock:  ## constraints.txt anew, from the newest versions that the ranges allow
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev,ray-client]' 'torch==2.13.0'
	.venv/lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt
	rm -rf .venv/lock

clean:  ## the environment; never a study
	rm -rf .venv build *.egg-info

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "looptop needs Python 3.11 to 3.14, and $(PYTHON) is $$($(PYTHON) --version 2>&1); try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "this Python cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@touch $@

.venv/.train: .venv/.python $(LOCK)
	@echo "setting up .venv with torch (once; about a minute, and more where torch is fetched with CUDA)"
	@$(PIP) -e '.[train]' -c constraints.txt
	@touch $@

.venv/.trackers: .venv/.python pyproject.toml
	@echo "setting up .venv/trackers with mlflow, tensorboard and wandb (once; a few minutes)"
	@$(PYTHON) -m venv .venv/trackers
	@.venv/trackers/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
	  -e '.[mlflow,tensorboard,wandb]' pytest pytest-asyncio pytest-timeout hypothesis
	@touch $@

.venv/.dev: .venv/.python $(LOCK)
	@echo "setting up .venv with torch and the tools of the tests (once; about a minute)"
	@$(PIP) -e '.[train,dev]' -c constraints.txt
	@touch $@ .venv/.train
