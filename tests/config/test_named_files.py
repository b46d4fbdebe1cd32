"""`edit:` may be patterns and folders; what they stand for, and what is refused."""

from pathlib import Path

import pytest

from loop.config.program import ProgramError, load
from loop.lineage import matching
from tests.repositories import git, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = make_repository(tmp_path / "mono")
    root = top / "my [model]"
    for name in ("train.py", "src/a.py", "src/b.py", "src/deep/c.py", "src/notes.txt", "conf/base.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")
    (root / "src" / "weights.bin").write_bytes(b"\0\1")
    (root / ".gitignore").write_text("*.local.py\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "model")
    (root / "src" / "new.py").write_text("")
    (root / "src" / "mine.local.py").write_text("")
    return root


def edit_of(root: Path, edit: str, more: str = "run: python train.py\n") -> tuple[str, ...]:
    (root / "program.md").write_text(f"---\nmetric: loss\nedit: {edit}\n{more}---\n")
    return load(root, matching).contract.edit


@pytest.mark.parametrize(
    ("edit", "files"),
    [
        ("src/*.py", "src/a.py src/b.py src/new.py"),
        ("src/**/*.py", "src/a.py src/b.py src/deep/c.py src/new.py"),
        ("src", "src/a.py src/b.py src/deep/c.py src/new.py src/notes.txt"),
        ("src/deep/", "src/deep/c.py"),
        ('["src/[ab].py", train.py, src/a.py]', "src/a.py src/b.py train.py"),
        ("./train.py", "train.py"),
        ("conf/*.y?ml", "conf/base.yaml"),
    ],
)
def test_what_patterns_and_folders_stand_for(root: Path, edit: str, files: str) -> None:
    assert edit_of(root, edit) == tuple(files.split())


def test_the_whole_project_leaves_out_its_program_its_examiner_and_secrets(root: Path) -> None:
    (root / "check.py").write_text("")
    (root / "conf" / ".env").write_text("KEY=1\n")
    found = edit_of(root, ".", "run: python train.py\nverify: python ./check.py --fast\n")
    assert "train.py" in found and "src/deep/c.py" in found
    assert not {"program.md", "check.py", "src/weights.bin", "conf/.env"} & set(found)
    assert edit_of(root, "check.py", "run: x\nverify: python check.py\n") == ("check.py",), "named, it is"


def test_a_file_that_comes_later_is_there_at_the_next_look(root: Path) -> None:
    assert "src/later.py" not in edit_of(root, "src/*.py")
    (root / "src" / "later.py").write_text("")
    assert "src/later.py" in edit_of(root, "src/*.py")


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ("lib/*.py", "stands for no text file that is in git or that `git add` would take"),
        ("src/*.bin", "src/*.bin stands for no text file"),
        ("src/*.local.py", "stands for no text file"),
        ("none/", "none/ stands for no text file"),
        ("nothing.py", "nothing.py does not exist in "),
        ('["src/a.py", "../*.py"]', "is outside the repository"),
    ],
)
def test_what_stands_for_nothing_is_refused_by_line(root: Path, edit: str, sentence: str) -> None:
    with pytest.raises(ProgramError) as refused:
        edit_of(root, edit)
    assert str(refused.value).startswith("program.md:3: edit: ") and sentence in str(refused.value)


def test_no_more_files_than_a_researcher_can_be_shown(root: Path) -> None:
    for number in range(300):
        (root / "src" / f"{number}.py").write_text("")
    with pytest.raises(ProgramError, match="3: edit: that is 303 files, and at most 200 may be edited; name fewer"):
        edit_of(root, "src/*.py")


def test_a_folder_is_no_program(root: Path) -> None:
    with pytest.raises(ProgramError, match="src is no program; say in `run:` how a run is started"):
        edit_of(root, "src", "")
    assert edit_of(root, "./train.py", "") == ("train.py",)


@pytest.mark.parametrize(
    "edit", ["vendor/lib/lib.py", "vendor/lib", "vendor/lib/**/*.py", "[train.py, vendor/lib/lib.py]"]
)
def test_a_submodule_is_edited_where_it_lives(root: Path, tmp_path: Path, edit: str) -> None:
    library = make_repository(tmp_path / "library")
    (library / "lib.py").write_text("")
    git(library, "add", ".")
    git(library, "commit", "-q", "-m", "lib")
    git(root, "submodule", "--quiet", "add", str(library), "vendor/lib")
    with pytest.raises(
        ProgramError, match=r"vendor/lib, a git repository of its own \(a submodule\); start looptop in"
    ):
        edit_of(root, edit)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("results", "does not exist; make it first, such as with `mkdir results`"),
        ("src", "holds files that git keeps, such as src/a.py"),
        ("src/../src", "holds files that git keeps"),
        (".", "holds the project"),
        ("..", "holds the project"),
        ("'~/'", "holds your home folder"),
        ("/", "holds "),
        ("state", "leads into .looptop/"),
    ],
)
def test_what_no_run_may_write_to_is_refused_by_line(
    root: Path, write: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (root / ".looptop" / "runs").mkdir(parents=True)
    (root / "state").symlink_to(".looptop/runs")
    with pytest.raises(ProgramError, match=r"^program\.md:4: write: ") as refused:
        edit_of(root, "train.py", f"write: {write}\n")
    assert said in str(refused.value)


def test_folders_of_ones_own_may_be_written_to(root: Path, tmp_path: Path) -> None:
    (root / "out").mkdir()
    (root / "out" / "of an earlier run").write_text("")
    (tmp_path / "shared").mkdir()
    assert edit_of(root, "train.py", f"write: [out, {tmp_path / 'shared'}]\n") == ("train.py",)
