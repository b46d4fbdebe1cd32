"""Studies as they look after many experiments, with titles, hypotheses and reasons such as models and runs write.

The same arguments give the same study.
"""

import random
from pathlib import Path

from loop.policy.limits import Left
from loop.policy.noise import Noise
from loop.researchers.protocol import Briefing
from loop.study.contract import Contract, Limits
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.readings import GaugeRead, GpuGauge
from tests.researchers.spoken import Closed, Shelf

ROOT = Path(__file__).resolve().parents[2]
NOISE = 0.0011
START = 1_767_225_600.0

_WHAT = (
    (
        "{} the batch from {} to {} rows for more steps in the budget",
        "More, noisier updates win while the budget is short.",
    ),
    (
        "{} the width of the feed-forward part from {} to {} times WIDTH",
        "The inner width is where bytes are remembered.",
    ),
    (
        "{} MATRIX_RATE from 0.0{} to 0.0{} with the same warm-down",
        "The loss still falls at the end, so the rate may differ.",
    ),
    ("{} rotary base from {}00 to {}00 so that heads look further back", "Indentation depends on lines far above."),
    (
        "{} the embedding of byte pairs, hashed into {}k of {} columns",
        "A pair of bytes says more of the next than one alone.",
    ),
    (
        "{} warm-up of {} steps before the full rate, and clip at 0.{}",
        "Early steps are wasted on a few large gradients.",
    ),
    (
        "{} depth, {} layers of width {} at equal parameters",
        "Deeper and narrower uses the context better for its cost.",
    ),
    (
        "{} average of the last {}% of the weights, decay 0.9{}",
        "The mean of late weights lies lower than any one of them.",
    ),
    (
        "{} logit soft cap at {} and head rate times 0.{}",
        "The head diverges first at high rates; a cap lets the rest go on.",
    ),
    (
        "{} value residual: mix layer {} into the values with a gain of 0.{}",
        "Values of the first layer know the bytes best.",
    ),
    (
        "{} sliding window of {} on every layer but the last {}",
        "Most attention is local, and the time saved buys steps.",
    ),
    (
        "{} rows of {} bytes for the first {}% of training, then full ones",
        "Short rows are cheap and teach most at the start.",
    ),
)
_PLACES = (
    "BATCH_ROWS", "Block.__init__()", "MATRIX_RATE", "rotate()", "GPT.__init__()", "main()", "DEPTH", "backward()",
    "GPT.forward()", "Block.forward()", "CONTEXT", "draw()",
)  # fmt: skip
"""What each of `_WHAT` touches."""
_HOW = ("Halve", "Raise", "Lower", "Double", "Drop", "Add", "Widen", "Try", "Share", "Gate")
_MORE = (
    "Attention takes a third of a step here, so what it costs has to come back in steps.",
    "Experiment {} pointed the same way on an older champion, and the noise hid it.",
    "If this is wrong, the curve should show it in the first minute already.",
)
_CRASHES = (
    "exit code 1: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 1.12 GiB free",
    "exit code 1: RuntimeError: The size of tensor a (512) must match the size of tensor b (511) at dimension 2",
    "exit code 1: train.py: the loss became nan at step 212; a lower rate may help",
    "exit code 1: TypeError: GPT.__init__() missing 1 required positional argument: 'dropout'",
    "exit code 1: AttributeError: 'Block' object has no attribute 'gate'",
    "ended by SIGKILL (the kernel does that when memory runs out)",
)


def history(count: int, seed: int = 1, researcher: str = "llm") -> list[Experiment]:
    """A baseline and `count` experiments, the last two without a verdict."""
    chance = random.Random(seed)
    contract = contract_of()
    champion, best = 0, 1.12
    experiments = [_judged(_proposal(0, "baseline", "", None, "baseline"), "kept", contract, best, None, 3)]
    for number in range(1, count + 1):
        title, why = chosen = chance.choice(_WHAT)
        title = title.format(chance.choice(_HOW), chance.randint(2, 64), chance.randint(2, 640))
        said = chance.sample(_MORE, chance.choice((0, 1, 1, 2)))
        hypothesis = " ".join((why, *(more.format(chance.randint(0, number)) for more in said)))
        x = _proposal(number, title, hypothesis, champion, researcher)
        x.places = (_PLACES[_WHAT.index(chosen)],)
        x.expected = f"{chance.choice((0.002, 0.004, 0.01)):.3f} {contract.metric} lower"
        x.lines_added, x.lines_removed = chance.randint(1, 14), chance.randint(0, 6)
        experiments.append(x)
        if number > count - 2:
            x.phase = "running" if number < count else "queued"
            continue
        lot = chance.random()
        if lot < 0.09:
            gain = chance.uniform(2.5, 5) * NOISE / (1 + number / 100)
            best -= gain
            _judged(x, "kept", contract, best, gain, chance.choice((1, 2, 4)))
            x.champion, champion = champion, number
        elif lot < 0.82:
            effect = chance.gauss(-1.5, 2.2) * NOISE
            _judged(x, "discarded", contract, best - min(effect, 2 * NOISE), min(effect, 2 * NOISE), 1)
            x.champion = champion
        elif lot < 0.94:
            _failed(x, "crashed", chance.choice(_CRASHES), contract)
        elif lot < 0.97:
            _failed(x, "timed_out", "ended at its deadline of 600 s", contract)
        elif lot < 0.99:
            x.verdict, x.phase, x.judged_by = Outcome.REJECTED, "judged", "guard"
            x.reason = f"it is the same as experiment {chance.randint(0, number)}, which was discarded"
            x.judged_at, x.judged_seq = x.proposed_at + 1, x.proposed_seq + 1
        else:
            x.verdict, x.phase, x.judged_by = Outcome.REJECTED, "judged", "ada"
            x.reason = "no dropout on this data, please: it reads the text once"
            x.judged_at, x.judged_seq = x.proposed_at + 90, x.proposed_seq + 1
    return experiments


def briefing(experiments: list[Experiment], **given: object) -> Briefing:
    """Of such a study, with the repository's own program and train.py."""
    best = [x for x in experiments if x.verdict == "kept"][-1]
    program = (ROOT / "program.md").read_text().split("---\n", 2)[2]
    fields: dict[str, object] = {
        "contract": contract_of(),
        "program": program,
        "champion": best,
        "files": {"train.py": (ROOT / "train.py").read_text()},
        "experiments": tuple(experiments),
        "noise": Noise(NOISE, 2),
        "notebook": NOTEBOOK,
        "words": (),
        "next_id": len(experiments),
        "archive": Shelf(),
        "workshop": Closed(),
        "left": (
            Left("experiments", len(experiments) - 3, 700),
            Left("hours", 0.1 * len(experiments), 48),
            Left("usd", 0.02 * len(experiments), 25),
            Left("failures", 0, 20),
            Left("disk", 1.2e9, 20e9),
        ),
        "gauge": GaugeRead(
            cpu=12,
            ram_used=20 * 10**9,
            ram_total=128 * 10**9,
            disk_free=10**12,
            gpus=(GpuGauge(index=0, name="NVIDIA H100 80GB HBM3", memory_total=80 * 10**9),),
        ),
        "curve": ("loss", [(30.0 * n, 4.0 / n**0.3) for n in range(1, 11)], "s"),
        "vitals": {
            "step_ms": 240.0,
            "data_ms": 24.0,
            "forward_ms": 80.0,
            "backward_ms": 120.0,
            "train_bpb": 1.02,
            "tok/sec": 1204331,
            "mfu_percent": 39.8,
            "peak_vram_mb": 45060.2,
            "num_steps": 953,
        },
    }
    return Briefing(**(fields | given))  # type: ignore[arg-type]


NOTEBOOK = (
    "Steps win: every halving of the cost of a step was worth 0.003 and more (5, 12).",
    "Dropout above 0.1 costs 0.004 each time: the text is read four times only.",
    "Anything that touches the rotary part breaks when the head size is odd; check `unflatten` first.",
)


def contract_of() -> Contract:
    return Contract(
        verify="python -m loop.harness verify",
        limits=Limits(experiments=700, hours=48, usd=25),
    )


def _proposal(number: int, title: str, why: str, parent: int | None, researcher: str) -> Experiment:
    return Experiment(number, researcher, title, why, "", parent, {}, START + 400 * number, 10 * number)


def _judged(
    x: Experiment, verdict: str, contract: Contract, metric: float, effect: float | None, runs: int
) -> Experiment:
    chance = random.Random(x.id)
    for number in range(1, runs + 1):
        x.runs[number] = _run(number, contract, metric + chance.gauss(0, NOISE) / 3)
    x.verdict, x.phase, x.metric, x.effect = Outcome(verdict), "judged", metric, effect
    x.noise, x.judged_by, x.judged_at = NOISE, "judge", x.proposed_at + 400 * runs - 20
    x.judged_seq = x.proposed_seq + 10 * runs - 1
    if effect is not None:
        x.confidence = min(0.999, max(0.001, 0.5 + effect / NOISE / 5)) if verdict != "kept" else 0.997
    word = "better" if (effect or 0) > 0 else "worse"
    x.reason = f"{word} by {abs(effect or 0):.3g} ({abs(effect or 0) / NOISE:.1f}× the noise of {NOISE})"
    return x


def _failed(x: Experiment, verdict: str, reason: str, contract: Contract) -> None:
    x.runs[1] = _run(1, contract, None)
    x.verdict, x.phase, x.reason, x.judged_by, x.judged_at = (
        Outcome(verdict),
        "judged",
        reason,
        "judge",
        x.proposed_at + 60,
    )
    x.judged_seq = x.proposed_seq + 2


def _run(number: int, contract: Contract, metric: float | None) -> Run:
    return Run(
        number=number,
        seed=1336 + number,
        slot=0,
        budget=300,
        deadline=600,
        protocol_id=contract.protocol_id,
        started_at=START,
        pid=1,
        pid_started=1.0,
        outcome=Outcome.CRASHED if metric is None else Outcome.FINISHED,
        seconds=326.0,
        peak_memory=4 * 10**9,
        peak_gpu_memory=45 * 10**9,
        metric=metric,
    )
