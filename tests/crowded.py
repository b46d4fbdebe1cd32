"""Adds to a recorded study what eight GPUs and four researchers are at, as the journal has it at one moment.

Seven runs under way, one of them a champion measured again, one verification, one idle GPU; two proposals that wait for
a person, a researcher that waits for its endpoint, words that not everybody has heard.
"""

import math
from pathlib import Path

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.readings import GpuGauge, RunGauge
from loop.study.slot_record import SlotRecord
from loop.study.state import Study

GB = 1024**3
KIND = "NVIDIA H100 80GB HBM3"

IDEAS = (
    ("llm-a", "Muon momentum 0.95 to 0.97", 0.64),
    ("llm-a", "depth 10, width 640", 0.53),
    ("claude", "tie the embeddings, untie the head", 0.23),
    ("claude", "rotary base 10k to 200k", None),
    ("automl", "HEAD_RATE 0.004 to 0.0062", 0.1),
    ("llm-b", "warm-down 0.4 to 0.5", 0.47),
)
"""Who, what and how far it is; None: its run has ended, and is being verified."""

SAMPLES = 40


def folded(journal: Journal) -> Study:
    """The study of a journal."""
    return fold(journal.read(kinds=FOLDED))


def crowd(path: Path, at: float, *, slots: int = 8) -> float:
    """Add to the journal at `path`, whose last event is of `at`; returns the time of the last event added.

    Args:
        slots: of the supervisor; runs are in the first seven of them.
    """
    with Journal(path) as journal:
        study = folded(journal)
        champion, first = study.champion or 0, max(study.experiments) + 1
        clock = at + 60

        def tell(body: e.Body, experiment: int | None = None, run: int | None = None) -> None:
            journal.append(body, experiment, run, at=clock)

        for experiment, run in study.running():  # what the recording left in the middle
            tell(e.RunFinished(outcome="killed", seconds=60), experiment.id, run.number)
            tell(e.ExperimentJudged(verdict="killed", reason="by ada"), experiment.id)
        names = tuple(f"GPU {index}" for index in range(slots))
        records = tuple(SlotRecord(name=name, kind=KIND, cores=4, gpus=(index,)) for index, name in enumerate(names))
        tell(e.SupervisorStarted(pid=4243, host="h100x8", version="0.1.0", slots=names, records=records))
        for name, about in (
            ("llm-a", "a language model"),
            ("llm-b", "a language model"),
            ("claude", "a coding agent"),
            ("automl", "an optimiser"),
        ):
            tell(e.ResearcherJoined(name=name, about=about))
        for name, tokens, usd in (("llm-a", 31_400, 0.81), ("claude", 412_000, 2.05)):
            tell(e.Spent(researcher=name, tokens=tokens, usd=usd))
        budget, base = study.contract.budget, study.best.metric if study.best is not None else 0.9
        protocol = study.contract.protocol_id
        for slot, (who, title, done) in enumerate(IDEAS):
            number = first + slot
            proposed = e.ExperimentProposed(researcher=who, title=title, hypothesis="It may help.", parent=champion)
            tell(proposed, number)
            queued = e.ExperimentQueued(commit=f"{number:040d}", parent=champion, parent_commit="0" * 40, lines_added=2)
            tell(queued, number)
            started = e.RunStarted(
                seed=1337, slot=slot, budget=budget, deadline=2 * budget, protocol_id=protocol, pid=9, pid_started=at,
                device=KIND, slot_name=names[slot],
            )  # fmt: skip
            tell(started, number, 1)
            share = 1.0 if done is None else done
            offset = (slot - 2.5) * 0.01
            for step in range(round(SAMPLES * share)):
                progress = (step + 1) / SAMPLES
                loss = (base or 0.9) * 2.6 * (1 + 1.4 * math.exp(-7 * progress) - 0.09 * progress) + offset
                values = {"loss": loss, "tok/sec": 1.2e6}
                clock += 0.01
                tell(e.StepSampled(step=step, progress=progress, values=values), number, 1)
            if done is None:
                metrics = {study.contract.metric: (base or 0.9) - 0.003}
                tell(e.RunFinished(outcome="finished", seconds=0.0, metrics=metrics), number, 1)
        again = e.RunStarted(
            seed=1341, slot=7 if slots > 7 else 6, budget=budget, deadline=2 * budget, protocol_id=protocol, pid=9,
            pid_started=at, device=KIND, slot_name=names[-1],
        )  # fmt: skip
        tell(again, champion, max(study.experiments[champion].runs) + 1)
        for index in range(2):
            number = first + len(IDEAS) + index
            tell(e.ExperimentProposed(researcher="llm-b", title=f"bold {index}", parent=champion), number)
            tell(e.ApprovalAsked(reason="review: all"), number)
        thinks = first + len(IDEAS) + 2
        tell(e.ThoughtBegan(researcher="llm-a", champion=champion), thinks)
        said = "The curve still falls at 5:00. So steps are what is missing: halve the batch in the first 20%."
        tell(e.Thought(researcher="llm-a", text=said), thinks)
        tell(e.ThoughtBegan(researcher="claude", champion=champion), thinks + 1)
        tell(e.ToolCalled(researcher="claude", intent="Edit train.py", result="+12 -3", seconds=0.2), thinks + 1)
        tell(e.Fault(where="llm-b", message="the endpoint answers 529", next_at=clock + 100))
        journal.append(e.Steered(who="ada", text="leave the tokenizer alone"), at=clock)
        request = journal.last_seq()
        for name in ("llm-a", "claude"):
            tell(e.Heard(request=request, researcher=name), thinks)
        clock += 60
        tell(reading(slots, [first + slot for slot in range(len(IDEAS))]))
        return clock


def reading(gpus: int, running: list[int], more: float = 0.0) -> e.GaugeRead:
    """The machine: all GPUs busy but the seventh.

    Args:
        more: added to what changes from one reading to the next.
    """
    return e.GaugeRead(
        cpu=20 + more % 9,
        ram_used=40 * GB,
        ram_total=512 * GB,
        disk_free=800 * GB,
        gpus=tuple(
            GpuGauge(
                index=index,
                name=KIND,
                utilisation=0 if index == 6 else 91 + (index + more) % 8,
                memory_used=0 if index == 6 else (69 + index) * GB,
                memory_total=80 * GB,
                temperature=38 if index == 6 else 61 + index,
                power=71 if index == 6 else 610 + 7 * index + more % 20,
            )
            for index in range(gpus)
        ),
        runs=tuple(RunGauge(experiment=number, run=1, memory=6 * GB) for number in running),
    )
