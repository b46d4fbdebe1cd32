"""A hybrid at work: a language model behind a real endpoint and AutoML with its real Optuna, in one study."""

import math
import re
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.config.settings import Settings
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.automl.trials import read
from loop.researchers.registry import engage, team
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox.backend import choose
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.dialects import Answer
from tests.endpoint import Endpoint, Request
from tests.fake_executor import FakeExecutor, ended
from tests.gauges import FakeGauges

PROGRAM = """---
edit: train.py
run: python train.py
metric: loss
budget: 1s
keep: {baseline_runs: 2, max_runs: 2, confidence: 0.9}
review: auto
bundles: false
validation: off
placebos: off
limits: {experiments: 16, failures: null}
shares: fixed
researchers: [{kind: hybrid, at_once: 1}]
---
Go down.
"""

PLACES = "\n".join(f'PART_{number} = "flat"' for number in range(30)) + "\n"

IDEAS = ('"steep"\nMATRIX_RATE = 0.2', '"broken"', '"huge"')
"""What the model makes of one part after another: a structure with a number in it, then what breaks; then nothing."""


class Model:
    """Hands over one idea in each answer."""

    def __init__(self) -> None:
        self.handed = 0

    def __call__(self, request: Request) -> Answer:
        part = self.handed
        self.handed += 1
        new = IDEAS[part] if part < len(IDEAS) else f'"other {part}"'
        edit: tuple[str, dict[str, object] | str] = (
            "edit_file",
            {"path": "train.py", "search": f'PART_{part} = "flat"', "replace": f"PART_{part} = {new}"},
        )
        hand = {"title": f"part {part}", "hypothesis": "It may help.", "expected_gain": 1.0}
        calls: list[tuple[str, dict[str, object] | str]] = [edit, ("propose", hand)]
        if part in (2, 3):  # what broke comes back to its conversation, with its draft
            broken = f"PART_{part - 1} = {IDEAS[part - 1]}"
            calls.insert(0, ("edit_file", {"path": "train.py", "search": broken, "replace": ""}))
        return Answer(calls=calls)


def trained(source: str, seed: int) -> RunResult:
    """How a run of the program ends: the new shape is better, and its number is best at 0.05."""
    if "broken" in source:
        return ended("crashed", "exit code 1")
    if "huge" in source:
        return ended("out_of_memory", "it used 9 GB")
    rate = re.search(r"MATRIX_RATE = (\S+)", source)
    loss = 10.0 if rate is None else 8 + 0.5 * math.log(float(rate[1]) / 0.05) ** 2
    return ended(loss=loss + seed % 3 / 1000)


async def at_work(root: Path) -> tuple[Study, Endpoint]:
    for name, text in (("train.py", PLACES), ("program.md", PROGRAM)):
        (root / name).write_text(text)
    init_repository(root, [root / name for name in ("train.py", "program.md")])
    lineage, program, workspace = Lineage(root, "mixed"), load(root, matching), Workspace(root)
    lineage.prepare()
    (root / ".looptop").mkdir(exist_ok=True)

    async def run(job: Job, slot: Slot) -> RunResult:
        return trained((lineage.commits.read(job.commit, "train.py") or b"").decode(), job.seed)

    with Endpoint(Model()) as endpoint, supervise(root), Journal(workspace.journal, create=True) as journal:
        settings = Settings(base_url=endpoint.url, model="test-model")
        members = team(Overrides(), program.contract, settings)
        researchers = tuple(engage(member, settings) for member in members)
        prepared = Prepared(
            *(workspace, lineage, program, Overrides(), researchers, choose("off")), team=members, settings=settings
        )
        await Supervisor(build(prepared, journal, FakeGauges(0), FakeExecutor(run))).run()
        return fold(journal.read(kinds=FOLDED)), endpoint


async def test_automl_tunes_the_number_that_an_idea_of_the_model_brought(tmp_path: Path) -> None:
    """There is nothing to tune before that, so AutoML waits for it; what breaks of the model is none of its trials."""
    study, _ = await at_work(tmp_path)
    made = {name: [x for x in study.experiments.values() if x.researcher == name] for name in ("llm", "automl")}
    first = made["llm"][0]  # its number need not be 1: AutoML was asked before it, and had nothing
    assert first.verdict == "kept"
    assert any(x.verdict is not None and x.verdict.is_failure for x in made["llm"])
    assert made["automl"] and all("MATRIX_RATE" in x.notes["was"] for x in made["automl"])  # type: ignore[operator]
    assert any(x.verdict == "kept" for x in made["automl"])
    assert study.best is not None
    trials = read([*study.experiments.values()], study.best.id, {}, study.contract)
    assert {trial.id for trial in trials} == {first.id, study.best.id, *(x.id for x in made["automl"])}
