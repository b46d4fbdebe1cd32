"""The file that a run leaves its metric in."""

import os
from pathlib import Path

import pytest

from loop.runs.local import result_file
from loop.runs.local.exit_reason import Ending
from loop.runs.local.result_file import MOST_BYTES, ResultFile
from loop.runs.reading.search import Answers
from loop.runs.reading.wanted import Wanted
from loop.study.measure import MetricSource

ENDED = Ending("exited", 0)
PRINTED = Answers({"loss": 1.0}, {"status": "fine"}, missing="its output has no f1")


class Places:
    """The folders of a run, and its file."""

    def __init__(self, root: Path, name: str = "out/metrics.json") -> None:
        self.out, self.tree = root / "run", root / "tree"
        for folder in (self.out, self.tree):
            (folder / "out").mkdir(parents=True)
        self.file = ResultFile(Wanted("f1", MetricSource(file=name)), (self.out, self.tree))

    def told(self) -> Answers:
        return self.file.complete(PRINTED, ENDED)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_the_file_counts_and_not_what_was_printed_under_the_name(places: Places) -> None:
    places.file.look()
    (places.tree / "out/metrics.json").write_text('{"eval": {"f1": 0.8}}')
    told = places.told()
    assert told.metrics == {"loss": 1.0, "f1": 0.8} and told.texts == {"status": "fine"} and not told.missing
    (places.out / "out/metrics.json").write_text('{"eval": {"f1": 0.9}}')
    assert places.told().metrics["f1"] == 0.9, "the run's own folder counts before its worktree"


def test_a_file_that_git_has_is_no_result_until_the_run_writes_it(places: Places) -> None:
    committed = places.tree / "out/metrics.json"
    committed.write_text('{"f1": 0.99}')
    places.file.look()
    assert places.told().missing == "it has not written out/metrics.json, which is as it was before the run"
    committed.write_text('{"f1": 0.99}')  # the same number, written by the run
    assert places.told().metrics["f1"] == 0.99


def test_no_file_is_followed_out_of_the_run(places: Places, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"f1": 1.0}')
    places.file.look()
    (places.tree / "out/metrics.json").symlink_to(secret)
    told = places.told()
    assert told.missing == "out/metrics.json is no plain file, or is behind a link, and is not read"
    (places.tree / "out/metrics.json").unlink()
    (places.tree / "out").rmdir()
    (places.tree / "out").symlink_to(tmp_path)
    (tmp_path / "metrics.json").write_text('{"f1": 1.0}')
    assert "f1" not in places.told().metrics


def test_what_is_no_plain_file_holds_nothing_up(places: Places) -> None:
    places.file.look()
    os.mkfifo(places.tree / "out/metrics.json")
    assert "is no plain file" in places.told().missing


def test_a_file_that_is_too_large_or_not_there_is_told(places: Places) -> None:
    places.file.look()
    assert places.told().missing == "it has not written out/metrics.json, where its f1 should be"
    with (places.out / "out/metrics.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert places.told().missing == "out/metrics.json has more than 4 MB and is not read"


def test_where_no_file_is_named_one_that_has_the_metric_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path)
    found = ResultFile(Wanted("f1"), (places.out, places.tree))
    (places.tree / "old.json").write_text('{"f1": 0.5}')
    os.utime(places.tree / "old.json", (1, 1))
    found.look()
    assert found.complete(PRINTED, ENDED).missing == "its output has no f1"
    (places.tree / "out/all.csv").write_text("epoch,f1\n1,0.5\n")
    mend = "; out/all.csv, which it has written, has it -> metric: {name: f1, file: out/all.csv}"
    assert found.complete(PRINTED, ENDED).missing == "its output has no f1" + mend
    assert found.complete(PRINTED, Ending("exited", 1)).missing == "its output has no f1"
    daemon = found.complete(PRINTED, Ending("exited", 0, leftovers=1)).missing
    assert daemon.startswith("its output has no f1; its command ended with a process of its own still at work"), (
        "a file that is half written would be the wrong hint"
    )
    monkeypatch.setattr(result_file, "HINTS", 0)
    assert found.complete(PRINTED, ENDED).missing == "its output has no f1"


def test_of_a_pattern_the_file_that_the_run_wrote_last_counts(tmp_path: Path) -> None:
    places = Places(tmp_path, "outputs/*/*/metrics.json")
    old, new = (places.tree / "outputs" / "2026-01-01" / f"10-00-0{count}" / "metrics.json" for count in (1, 2))
    for path in (old, new):
        path.parent.mkdir(parents=True)
    old.write_text('{"f1": 0.5}')
    places.file.look()
    assert places.told().missing.startswith(f"it has not written {old.relative_to(places.tree)}, which is as it was")
    new.write_text('{"f1": 0.7}')
    os.utime(new, (1, 1))
    assert places.told().metrics["f1"] == 0.7, "however old it says that it is"
    old.write_text('{"f1": 0.6}')
    assert places.told().metrics["f1"] == 0.6


def test_a_folder_that_each_run_names_anew_is_a_star_in_the_hint(tmp_path: Path) -> None:
    places = Places(tmp_path)
    found = ResultFile(Wanted("f1"), (places.out, places.tree))
    found.look()
    for name, mend in (
        ("outputs/2026-01-01/10-00-01/version_0.csv", "outputs/*/*/version_0.csv"),
        ("20260101-1000/a.csv", '"*/a.csv"'),
    ):
        written = places.tree / name
        written.parent.mkdir(parents=True)
        written.write_text("epoch,f1\n1,0.5\n")
        assert found.complete(PRINTED, ENDED).missing.endswith(f"-> metric: {{name: f1, file: {mend}}}")
        written.unlink()
