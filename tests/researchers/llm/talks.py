"""A language model's surroundings for tests: a study's briefing in plain data, and an endpoint on a real socket."""

from collections.abc import Sequence
from dataclasses import replace

from loop.config.settings import Settings
from loop.policy.noise import Noise
from loop.researchers.llm.researcher import LanguageModel
from loop.researchers.protocol import Briefing
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from tests.dialects import Answer
from tests.researchers.spoken import Closed, Shelf

TRAIN = 'DEPTH = 4  # layers\nWIDTH = 64\nRATE = 0.02\n\n\ndef main():\n    print("val_bpb:", DEPTH)\n\n\nmain()\n'
EDIT = ("edit_file", {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6"})
PROPOSE = ("propose", {"title": "DEPTH 4 → 6", "hypothesis": "Deeper learns more.", "expected_gain": 0.01})
PROPOSED = Answer(reasoning="Deeper may help.", calls=(EDIT, PROPOSE))


def experiment(number: int, verdict: str | None = "kept", metric: float | None = 1.0, **more: object) -> Experiment:
    """An experiment of the study, with one run where it has a number."""
    contract = Contract()
    found = Experiment(
        number, "llm" if number else "you", f"idea {number}" if number else "baseline", "", "", 0, {}, 0.0
    )
    found.verdict, found.metric, found.reason = Outcome(verdict) if verdict else None, metric, "because"
    found.phase = "judged" if verdict else "queued"
    found.proposed_at, found.judged_at = number, number + 0.5 if verdict else None
    found.proposed_seq, found.judged_seq = 2 * number, 2 * number + 1 if verdict else None
    if metric is not None:
        found.runs[1] = Run(1, 1337, 0, 20, 60, contract.protocol_id, 0.0, 1, 0.0, Outcome.FINISHED, metric=metric)
    for name, value in more.items():
        setattr(found, name, value)
    return found


def briefing(*experiments: Experiment, words: Sequence[str] = (), shelf: Shelf | None = None) -> Briefing:
    """What a researcher is told after a baseline and `experiments`."""
    baseline = experiment(0, metric=4.0)
    files = {"train.py": TRAIN}
    shelf = shelf or Shelf({**files, "README.md": "# About\n", "lib/data.py": "ROWS = 10\n"})
    shelf.reigns = shelf.reigns or (baseline, files)
    return Briefing(
        contract=Contract(verify=None),
        program="Make it better.",
        champion=baseline,
        files=files,
        experiments=(baseline, *experiments),
        noise=Noise(0.01, 2),
        notebook=(),
        words=tuple(words),
        next_id=len(experiments) + 1,
        archive=shelf,
        workshop=Closed(),
    )


def model(url: str, **settings: object) -> LanguageModel:
    """A researcher that speaks to the endpoint at `url`."""
    values = {"model": "test-model", "base_url": url, "api_key": "sk-marker-4711", **settings}
    return LanguageModel(Settings.model_validate(values))


def altered(brief: Briefing, **changes: object) -> Briefing:
    """A briefing that differs in some fields."""
    return replace(brief, **changes)  # type: ignore[arg-type]
