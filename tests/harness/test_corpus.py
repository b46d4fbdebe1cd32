"""The corpus: what is in it, on which side, and that it is only ever seen whole."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from loop.harness import corpus
from tests.harness.conftest import ROOT, Started

SPLITS: tuple[corpus.Split, ...] = ("train", "validation")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A library of 200 files that differ, two of one content, and things that are no part of it."""
    folder = tmp_path / "library"
    for number in range(200):
        file = folder / f"package{number % 7}" / f"module{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"answer = {number}\n" * (number + 1))
    (folder / "copy.py").write_bytes((folder / "package0" / "module0.py").read_bytes())
    (folder / "empty.py").touch()
    (folder / "notes.txt").write_text("no source")
    (folder / "site-packages").mkdir()
    (folder / "site-packages" / "foreign.py").write_text("foreign = 1\n")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOPTOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def names(folder: Path, split: str) -> list[str]:
    return (folder / split / "files.txt").read_text().splitlines()


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "corpus").iterdir() if path.suffix != ".lock")


def test_every_file_is_in_exactly_one_text(source: Path) -> None:
    folder = corpus.build(source)
    for split in SPLITS:
        expected = b"".join((source / name).read_bytes() + b"\0" for name in names(folder, split))
        assert corpus.load(split, source=source).tobytes() == expected
    train, validation = (set(names(folder, split)) for split in SPLITS)
    assert not train & validation
    ours = {path.relative_to(source).as_posix() for path in source.glob("package*/*.py")}
    # module0.py and copy.py have one content, so one of them is left out: it would be on both sides, or twice on one.
    assert train | validation == ours - {"package0/module0.py"} | {"copy.py"}
    assert 0 < len(validation) < 30


def test_a_file_keeps_its_side_when_others_come(source: Path) -> None:
    before = corpus.build(source)
    for number in range(50):
        (source / f"new{number}.py").write_text(f"new = {number}\n")
    after = corpus.build(source)
    assert before != after
    for split in SPLITS:
        assert set(names(before, split)) <= set(names(after, split))


def test_the_standard_library_is_the_corpus_and_splits_about_one_in_twenty(cache: Path, python) -> None:
    said = python("-m", "loop.harness", "corpus")
    assert said.returncode == 0, said.stderr
    folder = Path(said.stdout.splitlines()[0].removeprefix("corpus: "))
    assert folder.parent == cache / "corpus"
    sizes = {split: (folder / split / "text.bin").stat().st_size for split in SPLITS}
    assert sizes["train"] > 8e6
    assert 0.01 < sizes["validation"] / sizes["train"] < 0.15
    assert not any("site-packages" in name for split in SPLITS for name in names(folder, split))
    assert f"train: {sizes['train'] / 1e6:.1f} MB" in said.stdout


def test_training_needs_no_validation_text(source: Path) -> None:
    folder = corpus.build(source)
    shutil.rmtree(folder / "validation")  # as a sandbox hides it
    assert len(corpus.load("train", source=source)) > 0
    assert not (folder / "validation").exists()


def test_a_text_that_somebody_removed_is_built_again(source: Path) -> None:
    whole = corpus.load("validation", source=source).tobytes()
    shutil.rmtree(corpus.place(source) / "validation")
    assert corpus.load("validation", source=source).tobytes() == whole


def test_texts_are_read_only(source: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        corpus.load("train", source=source)[0] = 0


BUILD = """
import sys
from pathlib import Path
from loop.harness import corpus
sys.stdin.readline()
folder = corpus.build(Path(sys.argv[1]))
print(folder, (folder / "train" / "text.bin").stat().st_ino, len(corpus.load("train", source=Path(sys.argv[1]))))
"""


def test_processes_that_start_at_once_build_it_once(source: Path, own_cache: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(source)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    builders = [subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes) for _ in range(5)]
    for builder in builders:  # all are waiting, or nearly; let them go together
        builder.stdin.write("\n")
        builder.stdin.flush()
    said = {builder.communicate(timeout=60)[0] for builder in builders}
    assert [builder.returncode for builder in builders] == [0] * 5
    assert len(said) == 1, said  # one folder, one inode, one size
    assert leftovers(own_cache) == [corpus.place(source).name]


def run_out_of_room(source: Path, *, deadly: bool) -> Started:
    """Build in a process that may write no file larger than 20 kB: it fails, or is killed, in the middle of a text."""
    program = (
        f"import resource, signal, sys\nif {deadly}: signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from pathlib import Path\nfrom loop.harness import corpus\n"
        "try: corpus.build(Path(sys.argv[1]))\nexcept OSError as error: sys.exit(str(error))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(source)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_builder_that_is_killed_leaves_nothing_that_anybody_sees(source: Path, own_cache: Path) -> None:
    assert run_out_of_room(source, deadly=True).returncode == -signal.SIGXFSZ
    assert not corpus.place(source).exists()
    assert len(leftovers(own_cache)) == 1  # half a corpus, beside its place
    assert len(corpus.load("train", source=source)) > 20_000
    assert leftovers(own_cache) == [corpus.place(source).name]


def test_a_builder_without_room_says_so_and_cleans_up(source: Path, own_cache: Path) -> None:
    failed = run_out_of_room(source, deadly=False)
    assert failed.returncode == 1
    assert "too large" in failed.stderr
    assert leftovers(own_cache) == []


def test_a_library_without_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(OSError, match="too little Python source"):
        corpus.build(tmp_path / "bare")


def test_the_harness_is_light_and_stands_alone(python: Callable[..., Started]) -> None:
    program = (
        "import sys, loop.harness.corpus, loop.harness.scoring, loop.harness.verify\n"
        "print([name for name in sys.modules if name in ('numpy', 'torch', 'filelock', 'pydantic')"
        " or name.startswith(('loop.', 'tui')) and not name.startswith('loop.harness')])"
    )
    assert python("-c", program).stdout == "[]\n"


@pytest.mark.parametrize("arguments", [(), ("measure",), ("corpus", "now"), ("verify", "--file")])
def test_wrong_usage_is_one_sentence(python: Callable[..., Started], arguments: tuple[str, ...]) -> None:
    said = python("-m", "loop.harness", *arguments)
    assert said.returncode == 2
    assert said.stdout == ""
    assert said.stderr.startswith("loop.harness: ")
    assert said.stderr.count("\n") == 1


def test_a_sample_is_the_beginning_of_the_training_text_and_nothing_before_that_is_built(source: Path) -> None:
    assert corpus.sample(100) == ""
    text = (corpus.build(source) / "train" / "text.bin").read_bytes()
    assert corpus.sample(100) == text[:100].decode().replace("\0", "\n") != ""
