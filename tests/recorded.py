"""Writes a recorded study into a real journal: what a loop leaves behind, without the hours it takes.

The same arguments give the same journal, byte for byte of its facts. It holds a baseline of three runs,
champions, discarded, crashed, timed out, killed and rejected experiments, reasoning, tool calls, words of a
person, loss curves and gauges, and may end in the middle of a run. Never used by the product itself.

    python -m tests.recorded FOLDER --experiments 40 --gpus 1
"""

import argparse
import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from loop.journal import Journal
from loop.study import codec
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.readings import GpuGauge, GpuProcess, GpuUse, RunGauge

START = 1_767_225_600.0
"""2026-01-01 00:00:00 UTC: recorded time never depends on when a test runs."""

GB = 1024**3
SIGMA = 0.0011
"""Standard deviation of one run's metric in the recorded study."""

IDEAS = (
    (
        "Halve the batch, double the steps",
        "The budget is too short for large batches: more, noisier updates win.",
        14,
        6,
    ),
    ("Squared ReLU instead of GELU", "Sparser activations are cheaper and work as well at this size.", 3, 3),
    ("Muon momentum 0.95 to 0.97", "Longer memory smooths the small-batch gradient.", 1, 1),
    ("Warm-down over the last 40%", "The final loss falls most while the rate goes to zero.", 5, 4),
    ("Rotary base 10k to 200k", "Longer wavelengths let heads look further back.", 1, 1),
    ("Drop the value embedding", "It costs parameters and does nothing the first layers cannot do.", 0, 22),
    ("Depth 10, width 640", "Deeper and narrower at equal parameters uses the context better.", 4, 4),
    ("Tie the embeddings", "Fewer parameters in the softmax leave more budget for steps.", 2, 9),
    ("QK norm with a learnt scale", "Bounded logits allow a higher rate.", 11, 2),
    ("Logit soft cap at 15", "Tames the tail of the loss early on.", 6, 0),
    ("Weight decay 0.1 on matrices only", "Decay on gains and embeddings hurts.", 7, 3),
    ("Sliding window 512 on odd layers", "Most attention is local; the time saved buys steps.", 24, 5),
    ("Learning rate of the head x0.3", "The head is the first to diverge at high rates.", 2, 1),
    ("Grouped queries, 2 key heads", "Less memory traffic per step.", 9, 6),
    ("Orthogonal initialisation", "Better conditioned matrices at step zero.", 8, 2),
    ("Gradient clip at 0.5", "Cuts the spikes seen around step 300.", 1, 1),
)
MUSING = (
    "The last three changes all moved the loss in the first minute and lost it again in the warm-down, so the schedule "
    "is where the budget goes. What would it cost to start the warm-down earlier?",
    "Noise is about 0.0011 here, so anything below 0.003 needs a second seed. I should look for something larger.",
    "Throughput is 1.2M tokens a second with mfu 39.8%; there is slack in the attention, not in the matmuls.",
    "The champion's curve is still falling at the end: it is limited by steps, not by capacity.",
    "Looking at the notebook, tied embeddings were tried on an older champion; on this one the trade may differ.",
    "If the gradient noise scale is really this small, then half the batch gives nearly the same progress per step.",
)
TOOLS = (
    ("read train.py", "312 lines", 0.02),
    ("search the notebook for 'warm-down'", "4 notes", 0.11),
    ("look at the log of experiment {near}", "NaN from step 212 on", 0.31),
    ("compare the curves of {near} and the champion", "parallel after 60 s", 0.08),
)
WORDS = (
    "Try something bolder than a constant: the attention pattern has not been touched.",
    "Please leave the tokenizer alone.",
    "Nice. Now see whether it still holds with the old batch size.",
)

Row = tuple[float, e.Body, int | None, int | None]


class _Recording:
    """Generates the facts of one study in order; its clock only goes forwards."""

    def __init__(self, experiments: int, per_run: int, gpus: int, seed: int, live: bool, budget: float) -> None:
        self.random = random.Random(seed)
        self.experiments, self.per_run, self.gpus, self.live = experiments, per_run, gpus, live
        self.contract = Contract(budget=budget, deadline=2 * budget, verify="python -m loop.harness verify")
        self.at = START
        self.champion, self.best = 0, 0.9979
        self.requests: list[int] = []
        self.count = 0

    def fact(self, body: e.Body, experiment: int | None = None, run: int | None = None, wait: float = 0.0) -> Row:
        self.at += wait
        self.count += 1
        return self.at, body, experiment, run

    def rows(self) -> Iterator[Row]:
        yield self.fact(e.StudyStarted(tag="h100-a", branch="looptop/h100-a", base="5d1c9e2", contract=self.contract))
        slots = tuple(f"GPU {i}" for i in range(self.gpus)) or ("CPU",)
        yield self.fact(e.SupervisorStarted(pid=4242, host="gpu-7", version="0.1.0", slots=slots))
        yield self.fact(e.ResearcherJoined(name="llm", about="a language model, high effort"))
        yield from self.experiment(0)
        for number in range(1, self.experiments + 1):
            yield from self.experiment(number)
            if number % 17 == 9:
                yield from self.person(number)
            if number % 29 == 28:
                yield self.fact(e.Fault(where="researcher llm", message="the endpoint answered 529; again in 20 s"))
        if self.live:
            yield from self.experiment(self.experiments + 1, in_flight=True)
            yield from self.musing(self.experiments + 2)

    def gauge(self, number: int, run: int) -> Row:
        """The machine during a run: it is on the first GPU, and somebody else on the last of several."""
        r = self.random
        gpus = tuple(
            GpuGauge(
                index=i,
                name="NVIDIA H100 80GB HBM3",
                utilisation=r.uniform(84, 99) if i != 5 else None,
                memory_used=int((45 + i + r.random()) * GB),
                memory_total=80 * GB,
                temperature=float(r.randint(58, 69)),
                power=r.uniform(540, 690),
            )
            for i in range(self.gpus)
        )
        held = (45 * GB, 7 * GB)
        use = [GpuProcess(pid=50_000 + number, memory=held[0], user="ada", command="python", run=f"{number}.{run}")]
        guest = GpuProcess(pid=977, memory=held[1], user="grace", command="python -m ipykernel_launcher -f kernel.json")
        return self.fact(
            e.GaugeRead(
                cpu=r.uniform(8, 30) if self.gpus else r.uniform(88, 99),
                ram_used=int(r.uniform(39, 43) * GB),
                ram_total=128 * GB,
                disk_free=812 * GB,
                gpus=gpus,
                runs=(
                    RunGauge(
                        experiment=number,
                        run=run,
                        memory=int(r.uniform(5.8, 6.2) * GB),
                        gpu_memory=held[0] if gpus else None,
                    ),
                ),
                gpu_use=tuple(
                    GpuUse(index=i, processes=(use if i == 0 else [guest] if i == self.gpus - 1 else []))  # type: ignore[arg-type]
                    for i in range(self.gpus)
                ),
            )
        )

    def musing(self, number: int) -> Iterator[Row]:
        """Reasoning, a few words a piece, with a tool call in between."""
        r = self.random
        for text in r.sample(MUSING, 2 if self.per_run < 400 else 4):
            words = text.split(" ")
            for i in range(0, len(words), 3):
                yield self.fact(e.Thought(researcher="llm", text=" ".join(words[i : i + 3]) + " "), number, wait=0.06)
            yield self.fact(e.Thought(researcher="llm", text="\n\n"), number)
            intent, result, seconds = r.choice(TOOLS)
            intent = intent.format(near=max(1, number - r.randint(1, 9)))
            yield self.fact(e.ToolCalled(researcher="llm", intent=intent, result=result, seconds=seconds), number)
        yield self.fact(e.Spent(researcher="llm", tokens=r.randint(9000, 21000), usd=0.031 + r.random() / 50), number)

    def experiment(self, number: int, in_flight: bool = False) -> Iterator[Row]:
        r = self.random
        title, why, added, removed = IDEAS[(number - 1) % len(IDEAS)]
        if number == 0:
            title, why, added, removed = "baseline", "The file as the person left it.", 0, 0
        else:
            yield from self.musing(number)
            if number > len(IDEAS):
                title = f"{title}, take {number // len(IDEAS) + 1}"
        parent = None if number == 0 else self.champion
        expected = "about 0.003 lower" if number else ""
        proposal = e.ExperimentProposed(researcher="llm", title=title, hypothesis=why, expected=expected, parent=parent)
        yield self.fact(proposal, number, wait=2)
        commit, onto = f"{number * 2654435761 % 16**10:010x}", f"{(parent or 0) * 2654435761 % 16**10:010x}"
        queued = e.ExperimentQueued(
            commit=commit, parent=parent, parent_commit=onto, lines_added=added, lines_removed=removed
        )
        yield self.fact(queued, number, wait=1)
        fate = r.random() if number and not in_flight else 1.0
        if number and fate < 0.03:
            yield self.fact(e.ApprovalAsked(reason="review: all"), number)
            yield self.fact(e.Rejected(who="ada", why="not the tokenizer, please"), number, wait=40)
            yield self.fact(e.ExperimentJudged(verdict="rejected", reason="ada: not the tokenizer", by="ada"), number)
            return
        gain = r.gauss(-0.0025, 0.0035) if r.random() < 0.8 else r.gauss(0.0055, 0.0015)
        gain *= max(0.02, (self.best - 0.93) / 0.07) if gain > 0 else 1.0  # what is left to find shrinks
        worth = self.best - gain if number else self.best
        outcome = "timed_out" if fate < 0.06 else "killed" if fate < 0.08 else "crashed" if fate < 0.16 else "finished"
        runs = 3 if number == 0 else 2 if 0.001 < gain < 0.0035 else 1
        metrics = []
        for run in range(1, runs + 1):
            metric = worth + r.gauss(0, SIGMA)
            yield from self.one_run(number, run, metric, "flight" if in_flight else outcome)
            if outcome != "finished" or in_flight:
                break
            metrics.append(metric)
            yield self.fact(e.Verified(metric=metric, seconds=4.1), number, run, wait=4)
        if not in_flight:
            yield from self.judged(number, outcome, metrics, commit)

    def one_run(self, number: int, run: int, metric: float, outcome: str) -> Iterator[Row]:
        r, budget = self.random, self.contract.budget
        started = e.RunStarted(
            seed=1336 + run,
            slot=0,
            budget=budget,
            deadline=self.contract.deadline,
            protocol_id=self.contract.protocol_id,
            pid=50_000 + number,
            pid_started=self.at,
        )
        yield self.fact(started, number, run, wait=1)
        share = {"finished": 1.0, "flight": 0.64, "crashed": 0.22, "timed_out": 1.0, "killed": 0.5}[outcome]
        steps = max(2, round(self.per_run * share))
        for i in range(steps):
            progress = share * (i + 1) / steps
            loss = metric * 2.6 * (1 + 1.4 * math.exp(-7 * progress) - 0.09 * progress) + r.gauss(0, 0.012)
            if outcome == "crashed" and i == steps - 1:
                loss = math.nan
            values = {"loss": loss, "lrm": min(1.0, 2.2 * (1 - progress)), "tok/sec": r.gauss(1.2e6, 9e3)}
            values |= {"mfu": r.gauss(39.8, 0.3)}
            sample = e.StepSampled(step=round(953 * progress), progress=progress, values=values)
            yield self.fact(sample, number, run, wait=budget * share / steps)
            if i % 10 == 0:
                yield self.gauge(number, run)
        if outcome == "flight":
            yield self.gauge(number, run)
            return
        reason, tail = "", ""
        if outcome == "crashed":
            reason = "loss is NaN at step 212"
            tail = (
                'Traceback (most recent call last):\n  File "train.py", line 287\nValueError: loss is NaN at step 212'
            )
        elif outcome == "timed_out":
            reason = f"still running after {self.contract.deadline:g} s"
        elif outcome == "killed":
            yield self.fact(e.Killed(who="ada"), number)
            reason = "ended by ada"
        ended = e.RunFinished(
            outcome=outcome,  # type: ignore[arg-type]
            reason=reason,
            exit_code=0 if outcome == "finished" else 1,
            seconds=budget * share + 26,
            cpu_seconds=budget * share * 1.3,
            peak_memory=int(6.1 * GB),
            peak_gpu_memory=int(45.1 * GB),
            metrics={"val_bpb": metric, "num_params_M": 50.3} if outcome == "finished" else {},
            tail=tail,
        )
        yield self.fact(ended, number, run, wait=26)

    def judged(self, number: int, outcome: str, metrics: list[float], commit: str) -> Iterator[Row]:
        if outcome != "finished":
            reason = {"crashed": "loss is NaN at step 212", "timed_out": "killed at the deadline"}.get(
                outcome, "by ada"
            )
            yield self.fact(e.ExperimentJudged(verdict=outcome, reason=reason, champion=self.champion), number)  # type: ignore[arg-type]
            return
        mean = sum(metrics) / len(metrics)
        if number == 0:
            self.best = mean
            verdict = e.ExperimentJudged(
                verdict="kept", reason=f"three runs, noise {SIGMA:.4f}", metric=mean, noise=SIGMA
            )
            yield self.fact(verdict, 0, wait=1)
            yield self.fact(e.ChampionChanged(commit=commit, metric=mean), 0)
            return
        effect = self.best - mean
        kept = effect > 2.4 * SIGMA
        confidence = 0.5 * (1 + math.erf(effect / SIGMA / math.sqrt(2)))
        why = "clearly better" if kept else "within the noise" if abs(effect) < 2 * SIGMA else "worse"
        verdict = e.ExperimentJudged(
            verdict="kept" if kept else "discarded",
            reason=f"{why}: {effect:+.4f} is {effect / SIGMA:+.1f} sigma over {len(metrics)} run(s)",
            metric=mean,
            effect=effect,
            noise=SIGMA,
            confidence=confidence,
            champion=self.champion,
        )
        yield self.fact(verdict, number, wait=1)
        if kept:
            self.champion, self.best = number, mean
            yield self.fact(e.ChampionChanged(commit=commit, metric=mean), number)
        note = f"{number}: {'it holds' if kept else 'no gain'}, {effect:+.4f}."
        yield self.fact(e.NoteWritten(researcher="llm", text=note), number)

    def person(self, number: int) -> Iterator[Row]:
        yield self.fact(e.Steered(who="ada", text=WORDS[number % len(WORDS)]), wait=3)
        yield self.fact(e.RequestFulfilled(request=self.count, outcome="passed on to llm"), wait=0.2)


def _write_log(folder: Path, recording: _Recording) -> None:
    """What the current run has printed so far."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "device: cuda  NVIDIA H100 80GB HBM3",
        "parameters: 50.3M  depth 10  width 640",
        "corpus: 27.1 MB, 2048 files",
    ]
    lines += [
        f"step {step:05d} ({step / 953:.1%}) | loss: {2.5 + 1.9 * math.exp(-step / 160):.4f} | lrm: 1.00 | "
        f"tok/sec: {1_204_331 + step * 7 % 9000:,} | mfu: 39.8%"
        for step in range(0, 610, 10)
    ]
    (folder / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def record(
    path: Path,
    *,
    experiments: int = 40,
    events: int = 0,
    gpus: int = 1,
    seed: int = 7,
    live: bool = True,
    budget: float = 300.0,
    stopped: str = "",
) -> float:
    """Write a recorded study into the new journal `path`; returns the time of its last event.

    Args:
        events: at least about so many events in all, by sampling steps more often; 0 for 40 samples a run.
        live: end in the middle of a run.
        stopped: the reason the supervisor gave for stopping, as the last event; "" for none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Journal(path, create=True).close()
    # An experiment is about 28 events without its samples, and every tenth sample brings a gauge.
    per_run = max(40, round((events / max(1, experiments) - 28) / 1.1)) if events else 40
    recording = _Recording(experiments, per_run, gpus, seed, live, budget)
    # One transaction with a time for each event: `append_all` gives a batch one time, and fsyncs it.
    db = sqlite3.connect(path)
    db.executemany(
        "INSERT INTO events(at, kind, experiment, run, body) VALUES (?, ?, ?, ?, ?)",
        ((at, body.kind, experiment, run, codec.encode(body)) for at, body, experiment, run in recording.rows()),
    )
    _write_log(path.parent / "runs" / f"{experiments + 1}.1", recording)
    if stopped:
        row = (recording.at + 5, "supervisor_stopped", None, None, codec.encode(e.SupervisorStopped(reason=stopped)))
        db.execute("INSERT INTO events(at, kind, experiment, run, body) VALUES (?, ?, ?, ?, ?)", row)
    db.commit()
    db.close()
    return recording.at


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a recorded study into FOLDER/.looptop/journal.db.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--stopped", default="")
    choice = parser.parse_args()
    path = choice.folder / ".looptop" / "journal.db"
    path.unlink(missing_ok=True)
    record(path, experiments=choice.experiments, events=choice.events, gpus=choice.gpus, stopped=choice.stopped)


if __name__ == "__main__":
    main()
