"""The follower: whatever is interrupted, each number arrives once and in order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from loop.follow import follower as following
from loop.follow.follower import Follower
from loop.follow.tracker import Details, TrackerTrouble
from loop.follow.translation import STUDY, Point, Update, name_of
from tests.follow.journals import Parts


class Store:
    """A tracker's database: what was sent stays, whoever sent it."""

    def __init__(self) -> None:
        self.points: dict[int, list[Point]] = {}
        self.tags: dict[int, dict[str, str]] = {}
        self.seqs: dict[int, int] = {}
        self.ended: dict[int, str] = {}


class StoreTracker:
    """A tracker that may fail at its n-th experiment."""

    where = "a dictionary"

    def __init__(self, store: Store, fails: Sequence[int] = ()) -> None:
        self.store, self._fails, self._count = store, fails, 0

    def begin(self, study: str, title: str) -> Mapping[int, int]:
        return dict(self.store.seqs)

    def send(self, updates: Sequence[Update], details: Details) -> None:
        for update in updates:
            if self.store.seqs.get(update.key, 0) >= update.seq:
                continue
            self._count += 1
            if self._count in self._fails:
                raise TrackerTrouble("the database is away")
            self.store.points.setdefault(update.key, []).extend(update.points)
            self.store.tags.setdefault(update.key, {}).update(update.tags)
            self.store.seqs[update.key] = update.seq
            self.store.ended[update.key] = update.ended or self.store.ended.get(update.key, "")

    def close(self) -> None:
        pass


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def check(parts: Parts, store: Store) -> None:
    curves = parts.curves()
    got = Counter((key, point.name) for key, points in store.points.items() for point in points)
    assert {place: got[place] for place in curves} == dict(curves)
    assert {key: tags["verdict"] for key, tags in store.tags.items() if key != STUDY} == parts.verdicts()
    for points in store.points.values():
        assert [point.at for point in points] == sorted(point.at for point in points)


def test_a_follower_that_is_started_anew_goes_on_where_the_tracker_is(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", 37)  # parts of experiments in many batches
    store, root = Store(), parts.path.parents[1]
    for share in (0.1, 0.33, 0.34, 0.8, 1.0):
        parts.tell(share)
        Follower(root, StoreTracker(store), print).catch_up(parts.journal)
    check(parts, store)


def test_one_follower_goes_on_with_a_growing_journal(parts: Parts) -> None:
    store, root = Store(), parts.path.parents[1]
    follower = Follower(root, StoreTracker(store), print)
    assert follower.catch_up(parts.journal) == 0
    counts = []
    for share in (0.5, 0.5, 1.0):
        parts.tell(share)
        counts.append(follower.catch_up(parts.journal))
    assert counts[1] == 0 and sum(counts) == parts.read
    check(parts, store)


def test_a_tracker_that_is_away_is_asked_again_and_a_person_is_told_once(parts: Parts) -> None:
    store, root, said, slept = Store(), parts.path.parents[1], [], []
    parts.tell(1.0)
    tracker = StoreTracker(store, fails=(2, 3, 4))
    Follower(root, tracker, said.append, slept.append).catch_up(parts.journal)
    assert said == ["the database is away; it is tried again until it works", "it works again"]
    assert len(slept) == 3 and slept == sorted(slept)
    check(parts, store)


def test_verdicts_end_runs_and_costs_go_with_them(parts: Parts) -> None:
    store = Store()
    parts.tell(1.0)
    Follower(parts.path.parents[1], StoreTracker(store), print).catch_up(parts.journal)
    failed = {key for key, verdict in parts.verdicts().items() if verdict in ("crashed", "timed_out")}
    assert {key for key, ended in store.ended.items() if ended == "failed"} == failed
    tokens = {point.name for point in store.points[1]}
    assert {"cost/seconds", "cost/tokens", "cost/usd"} <= tokens
    best = [point for point in store.points[STUDY] if point.name == "val_bpb"]
    assert [point.step for point in best] == [int(n) for n in sorted(point.step for point in best)]


def test_names_are_what_trackers_take() -> None:
    assert name_of("metrics/mAP50-95(B)") == "metrics/mAP50-95_B_" and name_of("recall@10") == "recall_10"


def test_the_command_says_which_trackers_there_are_and_what_to_install(parts: Parts) -> None:
    from importlib.util import find_spec

    from typer.testing import CliRunner

    from tui.cli.main import app

    root = str(parts.path.parents[1])
    unknown = CliRunner().invoke(app, ["-C", root, "follow", "nagios"])
    assert "there are mlflow, tensorboard, wandb" in str(unknown.exception) and unknown.exception.code == 2  # type: ignore[union-attr]
    for kind in ("mlflow", "tensorboard", "wandb"):
        if find_spec(kind) is None:
            refused = CliRunner().invoke(app, ["-C", root, "follow", kind, "--once"])
            assert f"pip install 'looptop[{kind}]'" in str(refused.exception)
