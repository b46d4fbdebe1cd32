"""A study with many at once: four slots, two AutoML, a scripted language model and a command, until a limit.

    python -m tests.many --experiments 200

Runs are real processes in sandboxes, the model is an endpoint on a real socket, git and the journal are real. It says
what does not hold at the end: each experiment is judged once, no two that ran are equal, journal and git agree, and
the model was told what others think about.
"""

import argparse
import asyncio
import re
import tempfile
import threading
from collections import Counter
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.config.settings import Settings
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.registry import engage, team
from loop.runs.local.executor import LocalExecutor
from loop.runs.slot import Slot
from loop.sandbox.backend import choose
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import End, Supervisor
from loop.workspace import Workspace, supervise
from tests.consistency import Row, faults, folded, rows_of
from tests.dialects import Answer
from tests.endpoint import Endpoint, Request
from tests.gauges import FakeGauges

NAMES = ("ALPHA", "BETA", "GAMMA", "DELTA")

PARAMS = "\n\n\n".join(f"{name} = {number}.0" for number, name in enumerate(NAMES, 3)) + "\n"

RUN = r"""awk -v seed="$LOOPTOP_SEED" '
/=/ { value += ($3 - 5) ^ 2 }
END { printf "loss: %.6f\n", value + (seed % 5) / 1000 }' params.py
"""

AGENT = r"""new=$(od -An -N3 -tu4 /dev/urandom | awk '{ printf "%.5f", $1 / 2000000 }')
sed -i "s/^BETA = .*/BETA = $new/" params.py
echo "title: $(grep BETA params.py)"
"""

PROGRAM = """---
edit: params.py
run: sh run.sh
metric: loss
budget: 1s
verify: sh run.sh
shares: fixed
keep: {{baseline_runs: 2, max_runs: 2, confidence: 0.9}}
limits: {{experiments: {experiments}, failures: null}}
researchers:
  - automl
  - automl
  - {{kind: llm, model: test-model, at_once: 3, share: 3, role: Change ALPHA.}}
  - {{kind: sh "$LOOPTOP_WORKSPACE/agent.sh", name: dice}}
---
Go down.
"""

TOLD = re.compile(r"is thinking about it\)|others are thinking about: ALPHA")
"""What a briefing says of a claim, and what a claim is answered."""

LONGEST_MEETING = 30.0
"""Seconds that the model's first conversation waits for another one to be told of its claim."""


class Model:
    """Claims a new value of ALPHA in its first answer, and hands it over in its second."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def __call__(self, request: Request) -> Answer:
        if TOLD.search(request.text):
            self._told.set()
        said = [str(message["content"]) for message in request.messages if message["role"] != "assistant"]
        old = re.findall(r"^[+]?ALPHA = (\S+)", "\n".join(said), re.MULTILINE)[-1]
        if "that does not occur" in said[-1]:  # its draft is on another champion: the refusal has the line as it is
            old = next(iter(re.findall(r"Nearest is line.*?ALPHA = ([\d.]+)", said[-1], re.DOTALL)), old)
        claimed = [call["function"]["arguments"] for m in request.messages for call in m.get("tool_calls") or ()]
        if not claimed:
            new = f"{3 + request.number / 97:.4f}"
            return Answer(calls=(("claim", {"title": f"ALPHA = {new}"}),))
        self._told.wait(LONGEST_MEETING)
        self._told.set()  # where nobody came, nobody waits again
        new = re.findall(r"ALPHA = ([\d.]+)", claimed[0])[0]
        edit = ("edit_file", {"path": "params.py", "search": f"ALPHA = {old}", "replace": f"ALPHA = {new}"})
        hand = {"title": f"ALPHA {old} to {new}", "hypothesis": "It may be nearer.", "expected_gain": 0.1}
        return Answer(calls=(edit, ("propose", hand)))


class FourSlots(LocalExecutor):
    """This machine, with four places for runs whatever it has."""

    def slots(self) -> list[Slot]:
        return [Slot(number, f"CPU {number}") for number in range(4)]


async def study(root: Path, experiments: int) -> tuple[End, Endpoint]:
    """Run the study in the empty folder `root` until its limit."""
    texts = {
        "params.py": PARAMS,
        "run.sh": RUN,
        "agent.sh": AGENT,
        "program.md": PROGRAM.format(experiments=experiments),
    }
    for name, text in texts.items():
        (root / name).write_text(text)
    init_repository(root, [root / name for name in texts])
    lineage, program, sandbox = Lineage(root, "many"), load(root, matching), choose("auto")
    lineage.prepare()
    (root / ".looptop").mkdir(exist_ok=True)
    gauges, workspace = FakeGauges(0), Workspace(root)
    with Endpoint(Model()) as endpoint, supervise(root), Journal(workspace.journal, create=True) as journal:
        settings = Settings(base_url=endpoint.url)
        members = team(Overrides(), program.contract, settings)
        researchers = tuple(engage(member, settings) for member in members)
        prepared = Prepared(workspace, lineage, program, Overrides(), researchers, sandbox, team=members)
        executor = FourSlots(workspace, lineage.trees, lineage.commits.read, gauges, sandbox)
        return await Supervisor(build(prepared, journal, gauges, executor)).run(), endpoint


def wrong(root: Path, endpoint: Endpoint, experiments: int) -> list[str]:
    """What does not hold of the study at its end; nothing where all is well."""
    rows = rows_of(Workspace(root).journal)
    now = folded(rows)
    found = [str(fault) for fault in faults(root, rows)]
    judged = Counter(row.experiment for row in rows if row.kind == "experiment_judged")
    found += [f"{x.id} has {judged[x.id]} verdicts" for x in now.experiments.values() if judged[x.id] != 1]
    ran = Counter(x.fingerprint for x in now.experiments.values() if x.runs and x.id)
    found += [f"{times} equal proposals ran" for times in ran.values() if times > 1]
    if now.judged() != experiments:
        found.append(f"{now.judged()} experiments have a verdict, not {experiments}")
    if not any(TOLD.search(request.text) for request in endpoint.requests):
        found.append("no request of the model says what others think about")
    if at_once(rows) < 2:
        found.append("there never were two thoughts at once")
    return found


def at_once(rows: list[Row]) -> int:
    """The most thoughts that went on at once."""
    thinking: set[int | None] = set()
    most = 0
    for row in rows:
        if row.kind == "thought_began":
            thinking.add(row.experiment)
        elif row.kind in ("thought_ended", "experiment_proposed"):
            thinking.discard(row.experiment)
        most = max(most, len(thinking))
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=200)
    experiments = parser.parse_args().experiments
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "many"
        root.mkdir()
        end, endpoint = asyncio.run(study(root, experiments))
        rows = rows_of(Workspace(root).journal)
        now = folded(rows)
        by = Counter(x.researcher for x in now.experiments.values() if x.id)
        refused = sum(row.kind == "thought_ended" and "was not taken" in row.body for row in rows)
        apart = Counter(now.experiments[number].researcher for number in now.clashes)
        told = ", ".join(f"{name} {count} ({apart[name]} clashed)" for name, count in by.items())
        print(f"{end.reason}; proposals: {told}; refused as repeated: {refused}; clashes: {len(now.clashes)}")
        print(f"most thoughts at once: {at_once(rows)}; kept: {now.verdicts()['kept']}")
        problems = wrong(root, endpoint, experiments)
    print("\n".join(problems) or "all of it holds")
    raise SystemExit(1 if problems or end.failed else 0)


if __name__ == "__main__":
    main()
