"""Events and the study: a journal of any facts, in any order, by any version, folds to one study that can be shown."""

import json
import math
import pickle
import types
from enum import Enum
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pydantic import BaseModel, TypeAdapter, ValidationError

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.policy import limits
from loop.reporting import summary, table
from loop.study import codec, queries
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.fuzz import corpus, grammar
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, VALUES, as_bytes
from tests.stories import Story
from tui.cli import event_lines, status_text
from tui.cli.open_study import json_of

BODIES: tuple[type[e.Fact], ...] = tuple(get_args(get_args(e.Body)[0]))
MADE: TypeAdapter[e.Body] = TypeAdapter(e.Body)
SMALL = st.integers(0, 4)


def values(annotation: Any, name: str = "") -> st.SearchStrategy[Any]:
    """Values of a field's type, small numbers above all, so that events meet."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Contract:
        contracts = (Contract(), Contract(verify="check", goal="max"), Contract(budget=20, metric="loss"))
        return st.sampled_from([contract.model_dump() for contract in contracts])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bodies(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        role = {"verdict": "is_verdict", "outcome": "is_run"}.get(name, "name")  # not every outcome is both
        return st.sampled_from([one.value for one in annotation if getattr(one, role)])
    if origin in (Union, types.UnionType):
        return st.one_of([values(one, name) for one in arguments])
    if origin is Annotated:
        return values(arguments[0], name)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is dict:
        keys = st.sampled_from(("val_bpb", "loss", "train.py")) | TEXTS
        return st.dictionaries(keys, VALUES if arguments[1] is Any else values(arguments[1]), max_size=3)
    if annotation is float:
        return st.sampled_from((0.0, 1.0, -1.0, 0.9979)) | st.floats()
    plainly = {int: SMALL | st.integers(-(2**70), 2**70), str: TEXTS, bool: st.booleans(), types.NoneType: st.none()}
    return plainly[annotation]


def bodies(body: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of one kind of event, those that may be left out now and then."""
    fields = {
        name: values(field.annotation, name) for name, field in body.model_fields.items() if name not in ("kind", "v")
    }
    needed = {name: made for name, made in fields.items() if body.model_fields[name].is_required()}
    kind = {name: st.just(field.default) for name, field in body.model_fields.items() if name == "kind"}
    rest = {name: made for name, made in fields.items() if name not in needed}
    return st.fixed_dictionaries({**kind, **needed}, optional=rest)


def sound(body: dict[str, Any]) -> bool:
    """Whether a kind takes all of it; a few bound their numbers or want pairs."""
    try:
        MADE.validate_python(body)
    except ValidationError:
        return False
    return True


ANY_BODY = st.sampled_from(BODIES).flatmap(bodies).filter(sound)
BROKEN = st.builds(
    lambda body, name, value: {**body, name: value},
    ANY_BODY,
    st.sampled_from(sorted({name for body in BODIES for name in body.model_fields} | {"later", "v"})),
    VALUES,
)
LINES = st.lists(st.tuples(SMALL | st.none(), SMALL | st.none(), ANY_BODY | BROKEN), max_size=8).map(
    lambda facts: "\n".join(grammar.as_json(list(fact)) for fact in facts).encode()
)


def facts(data: bytes) -> list[tuple[int | None, int | None, e.Body]]:
    """Lines `[experiment, run, body]`; what is no event of this version is what a reader refuses."""
    found = []
    for line in data.split(b"\n"):
        try:
            experiment, run, body = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        try:
            decoded = codec.decode(grammar.as_json(body))
        except ValidationError:
            continue
        numbers = [one if isinstance(one, int) and abs(one) < 2**63 else None for one in (experiment, run)]
        found.append((numbers[0], numbers[1], decoded))
    return found


def shown(study: Study, events: list[e.Event]) -> None:
    """Everything that tells a person of a study can tell of this one."""
    study.running(), study.verifying(), queries.repetitions(study), queries.largest_gain(study)
    queries.usual_runs(study), queries.built_on(study), queries.gpu_memory_needed(study)
    limits.reached(study, 2000.0, 5)
    assert study.state and queries.failures_in_a_row(study) >= 0
    json.loads(json_of(summary.status(study, 1, 2000.0)), parse_constant=pytest.fail)
    lines = [
        *status_text.status_lines(study, None, 2000.0),
        *summary.sentences(study),
        *status_text.table(study, study.experiments.values()),
    ]
    for experiment in study.experiments.values():
        json.loads(json_of(summary.experiment(study, experiment)), parse_constant=pytest.fail)
        lines += status_text.details(study, experiment)
    lines += [line for event in events if (line := event_lines.line(event, study)) is not None]
    assert not any("\x1b" in line or "\n" in line for line in lines)
    table.as_tsv(study), table.as_tsv(study, compat=True), table.as_csv(study), table.as_json(study)


def read(data: bytes) -> None:
    found = facts(data)
    for *_, body in found:
        again = codec.decode(codec.encode(body))
        assert codec.encode(again) == codec.encode(body) and again.kind == body.kind
    events = [e.Event(seq, 1000.0 + seq, *fact) for seq, fact in enumerate(found, 1)]
    study = fold(events)
    assert pickle.dumps(fold(events)) == pickle.dumps(study), "the same events, the same study"
    half = len(events) // 2
    assert pickle.dumps(fold(events, fold(events[:half]))) == pickle.dumps(study), "in portions, and told twice"
    shown(study, events)
    beside = fold([e.Event(2 + seq, at, *rest) for seq, at, *rest in events], fold(Story().events))  # type: ignore[arg-type]
    shown(beside, events)


def test_any_facts_fold_to_one_study_that_can_be_shown(budget: Budget) -> None:
    budget.spend("events", LINES, read)


@pytest.mark.parametrize("data", corpus.cases("events"))
def test_every_journal_of_the_corpus_folds(data: bytes) -> None:
    read(data)


class TwoWriters(RuleBasedStateMachine):
    """A study's life told by a supervisor and a person at once, in a real journal."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(mkdtemp(prefix="journal-")) / "journal.db"

    @initialize()
    def begin(self) -> None:
        self.journal, self.other = Journal(self.path, create=True), Journal(self.path)
        self.recorder = Recorder(self.journal)
        self.recorder.record_all([(event.body, None, None) for event in Story().events])
        self.told = 2

    @rule(body=ANY_BODY, experiment=SMALL | st.none(), run=SMALL | st.none())
    def record(self, body: dict[str, Any], experiment: int | None, run: int | None) -> None:
        self.recorder.record(MADE.validate_python(body), experiment, run)
        self.told += 1

    @rule(found=st.lists(st.tuples(ANY_BODY, SMALL), min_size=1, max_size=3))
    def record_together(self, found: list[tuple[dict[str, Any], int]]) -> None:
        self.recorder.record_all([(MADE.validate_python(body), number, 1) for body, number in found])
        self.told += len(found)

    @rule(text=TEXTS, experiment=SMALL)
    def think(self, text: str, experiment: int) -> None:
        self.recorder.stream(e.Thought(researcher="r", text=text), experiment)

    @rule(body=ANY_BODY, experiment=SMALL | st.none())
    def another_appends(self, body: dict[str, Any], experiment: int | None) -> None:
        self.other.append(MADE.validate_python(body), experiment)
        self.told += 1

    @rule(body=ANY_BODY)
    def another_has_a_bad_day(self, body: dict[str, Any]) -> None:
        """Of several facts one cannot be written: none of them is."""
        decoded = MADE.validate_python(body)
        with pytest.raises(Exception, match=r"."):
            self.other.append_all([(decoded, 1, 1), (decoded, 2**64, 1)])

    @rule()
    def begin_again(self) -> None:
        """The supervisor's process ends with a stream half written, and another follows."""
        self.journal.close()
        self.journal = Journal(self.path)
        self.recorder = Recorder(self.journal)

    @invariant()
    def the_study_is_what_any_reader_folds(self) -> None:
        if not hasattr(self, "recorder"):
            return
        self.recorder.catch_up()
        events = self.other.read(kinds=FOLDED)
        assert repr(fold(events)) == repr(self.recorder.study)
        everything = self.other.read()
        assert [event.seq for event in everything] == list(range(1, self.other.last_seq() + 1)), "no fact is lost"
        assert sum(event.kind != "thought" for event in everything) <= self.told <= len(everything)

    def teardown(self) -> None:
        if hasattr(self, "recorder"):
            self.journal.close()
            self.other.close()


def test_two_writers_of_a_journal_and_its_readers_agree(budget: Budget) -> None:
    def once(how: settings) -> None:
        budget.tried += how.max_examples
        run_state_machine_as_test(TwoWriters, settings=settings(how, stateful_step_count=12))  # type: ignore[no-untyped-call]

    budget.repeat(once, dear=12)


def test_what_is_no_number_is_kept_as_it_is() -> None:
    found = codec.decode(codec.encode(e.StepSampled(values={"loss": math.nan, "norm": -math.inf})))
    assert isinstance(found, e.StepSampled) and math.isnan(found.values["loss"]) and found.values["norm"] == -math.inf


def test_text_that_is_no_text_is_kept_as_a_question() -> None:
    assert as_bytes("\ud800") == b"\xed\xa0\x80"
    found = codec.decode(codec.encode(e.Thought(researcher="r", text="a\ud800b")))
    assert isinstance(found, e.Thought) and found.text == "a?b"
