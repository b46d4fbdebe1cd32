"""Where the things are that a run has named."""

from pathlib import Path

import pytest

from loop.pipeline.advice import Places
from loop.policy.diagnosis import Place


@pytest.fixture
def places(tmp_path: Path) -> Places:
    root, home = tmp_path / "project", tmp_path / "home"
    for path in (
        "project/src/train.py",
        "project/data/raw/x.bin",
        "project/src/helper.py",
        "home/sets/toy/x",
        "mnt/c/a",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (root / "out").mkdir()
    (root / "linked").symlink_to(home / "sets" / "toy")
    (root / "dangling").symlink_to(home / "sets" / "gone")
    return Places(root, ["src/train.py", "program.md"], home)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("src/train.py", Place("src/train.py", "git")),
        ("src", Place("src", "git")),
        ("data/raw/x.bin", Place("data", "checkout")),
        ("./data/raw", Place("data", "checkout")),
        ("src/helper.py", Place("src/helper.py", "checkout")),
        ("src/none.py", Place("src/none.py", "nowhere")),
        ("out/model.pt", Place("out/model.pt", "nowhere", "out")),
        ("{root}/data/raw/x.bin", Place("data", "checkout")),
        ("{root}/.looptop/trees/0.1/data/raw/x.bin", Place("data", "checkout")),
        ("{root}/.looptop/runs/0.1/tmp/home/sets/toy/x", Place("~/sets/toy", "machine")),
        ("/tmp/home/sets/toy/x", Place("~/sets/toy", "machine")),
        ("~/sets/toy/x", Place("~/sets/toy", "machine")),
        ("~/.cache/huggingface/hub/none", Place("~/.cache/huggingface/hub/none", "nowhere", given=True)),
        ("~/sets/none", Place("~/sets/none", "nowhere")),
        ("linked/x", Place("~/sets/toy", "machine")),
        ("dangling/x", Place("~/sets/gone/x", "nowhere")),
        ("../mnt/c/a", Place("{mnt}/c", "machine")),
        ("x" * 5000, Place("x" * 80, "nowhere")),
        ("a\0b", Place("a\0b", "nowhere")),
    ],
)
def test_a_path_of_a_run(places: Places, tmp_path: Path, path: str, place: Place) -> None:
    found = places.place(path.replace("{root}", str(tmp_path / "project")))
    assert found == Place(place.name.replace("{mnt}", str(tmp_path / "mnt")), place.found, place.folder, place.given)


def test_a_folder_outside_that_is_there_may_be_one_to_write_to(places: Places, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert places.place(str(outside / "state")).outside == str(outside)
    assert places.place(str(outside / "none" / "state")).outside == places.place("/var/state").outside == ""
