"""Tells a study's events in a few words, for tests of what is folded, scheduled and judged from them."""

from collections import Counter
from collections.abc import Iterable

from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import fold
from loop.study.outcomes import Outcome
from loop.study.state import Study


class Story:
    """Events one after another, a second apart, numbered as the journal would."""

    def __init__(self, contract: Contract | None = None) -> None:
        self.contract = contract or Contract(verify=None)
        self.events: list[e.Event] = []
        self.tell(e.StudyStarted(tag="t", branch="looptop/t", base="0" * 40, contract=self.contract))
        self.tell(e.SupervisorStarted(pid=1, host="h", version="1"))

    def slots(self, *kinds: str) -> "Story":
        """Another supervisor with slots of these kinds."""
        records = tuple(e.SlotRecord(name=f"GPU {index}", kind=kind) for index, kind in enumerate(kinds))
        names = tuple(record.name for record in records)
        device = Counter(kinds).most_common(1)[0][0]
        return self.tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=names, device=device, records=records))

    def tell(
        self, body: e.Body, experiment: int | None = None, run: int | None = None, at: float | None = None
    ) -> "Story":
        seq = len(self.events) + 1
        self.events.append(e.Event(seq, 1000.0 + seq if at is None else at, experiment, run, body))
        return self

    def propose(self, number: int, parent: int | None = 0, fingerprint: str = "") -> "Story":
        body = e.ExperimentProposed(
            researcher="r", title=f"idea {number}", parent=None if number == 0 else parent, fingerprint=fingerprint
        )
        return self.tell(body, number)

    def queue(self, number: int, parent: int | None = 0) -> "Story":
        queued = e.ExperimentQueued(commit=f"{number:040d}", parent=parent, parent_commit="0" * 40)
        return self.tell(queued, number)

    def start(
        self, number: int, run: int, seed: int = 1337, slot: int = 0, device: str = "", **more: object
    ) -> "Story":
        """Begin a run; `more` is what else its `RunStarted` says, or says instead."""
        said = {"budget": 20, "deadline": 80, "protocol_id": self.contract.protocol_id, "pid": 1, "pid_started": 1.0}
        said |= {"seed": seed, "slot": slot, "device": device, **more}
        return self.tell(e.RunStarted.model_validate(said), number, run)

    def finish(self, number: int, run: int, value: float | None, outcome: str = "finished") -> "Story":
        metrics = {} if value is None else {self.contract.metric: value}
        return self.tell(e.RunFinished(outcome=Outcome(outcome), metrics=metrics, seconds=20), number, run)

    def runs(self, number: int, values: Iterable[float], first: int = 1) -> "Story":
        for run, value in enumerate(values, first):
            self.start(number, run).finish(number, run, value)
        return self

    def judge(self, number: int, verdict: str, metric: float | None = None) -> "Story":
        self.tell(e.ExperimentJudged(verdict=Outcome(verdict), reason="because", metric=metric), number)
        if verdict == "kept":
            self.tell(e.ChampionChanged(commit=f"{number:040d}", metric=metric), number)
        return self

    def baseline(self, values: Iterable[float] = (1.0, 1.01, 0.99)) -> "Story":
        return self.propose(0).queue(0, None).runs(0, values).judge(0, "kept", 1.0)

    def study(self) -> Study:
        return fold(self.events)
