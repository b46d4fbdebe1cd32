"""What a run finds in its worktree, what it may do there, and what is left of that: real runs."""

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from loop.sandbox.policy import MOST_MOUNTS
from tests.repositories import git
from tests.sandbox.cells import KINDS, MARKER
from tests.sandbox.furnished import TELL, Project, only, project

__all__ = ["project"]

# --- the worktree --------------------------------------------------------------------------------------------------


async def test_what_is_declared_is_where_the_program_looks_for_it(project: Project) -> None:
    """Beside files that git has, behind a link, and below the home."""
    project.put("data/prepare.py", "")
    git(project.root, "add", "data")
    project.put("data/deep/train.bin", "ignored")
    project.put("data/notes.txt", "untracked")
    (project.home / "sets" / "one").mkdir(parents=True)
    (project.home / "sets" / "one" / "x").write_text("homely")
    (project.root / "linked").symlink_to(project.home / "sets")
    project.says(read=("data", "linked/one", "~/sets/one"))
    told = await project.told(
        TELL + 'tell(deep=lambda: read("data/deep/train.bin"), new=lambda: read("data/notes.txt"),'
        'linked=lambda: read("linked/one/x"), home=lambda: read("~/sets/one/x"),'
        'spoil=lambda: write("data/deep/train.bin"))'
    )
    assert (told["deep"], told["new"], told["linked"], told["home"]) == ("ignored", "untracked", "homely", "homely")
    if project.kind != "off":
        assert "Error" in told["spoil"] and (project.root / "data/deep/train.bin").read_text() == "ignored"


async def test_a_file_of_the_commit_stands_whatever_is_declared(project: Project) -> None:
    """What an experiment has changed is not covered up by the checkout's own."""
    project.says(read=(".", "score.py"))
    project.put("new.txt", "not in git")
    train = TELL + 'import score; tell(right=lambda: score.RIGHT, new=lambda: read("new.txt"))'
    (project.root / "score.py").write_text("RIGHT = 'of the checkout'\n")
    assert await project.told(train) == {"right": "True", "new": "not in git"}


async def test_many_files_beside_one_that_git_has_are_there_too(project: Project) -> None:
    project.put("images/.keep", "")
    git(project.root, "add", "images")
    for number in range(MOST_MOUNTS + 50):
        project.put(f"images/{number}.bin", str(number))
    project.says(read=("images",))
    told = await project.told(
        TELL + 'tell(last=lambda: read("images/249.bin"), count=lambda: len(os.listdir("images")))'
    )
    assert told == {"last": "249", "count": "251"}
    project.put(".looptop/journal.db", MARKER)
    project.says(read=(".",))
    told = await project.told(
        TELL + 'tell(last=lambda: read("images/249.bin"), up=lambda: read("images/../.looptop/journal.db"),'
        'real=lambda: read(os.path.realpath("images/249.bin") + "/../../.looptop/journal.db"),'
        f"named=lambda: read({str(project.root / '.looptop' / 'journal.db')!r}),"
        'shown=lambda: read("/run/looptop/read/0/.looptop/journal.db"))'
    )
    assert told.pop("last") == "249"
    assert project.kind == "off" or all("Error" in answer for answer in told.values()), told


async def test_what_was_built_beside_the_sources_is_a_copy(project: Project) -> None:
    project.put("pkg/__init__.py", "from pkg._version import VERSION\n")
    git(project.root, "add", "pkg")
    project.put("pkg/_version.py", "VERSION = 3\n")
    project.put("pkg/_fast.so", "compiled")
    told = await project.told(
        TELL + 'import pkg; tell(version=lambda: pkg.VERSION, built=lambda: read("pkg/_fast.so"),'
        'anew=lambda: write("pkg/_fast.so"))'
    )
    assert told == {"version": "3", "built": "compiled", "anew": "written"}
    assert (project.root / "pkg" / "_fast.so").read_text() == "compiled"


async def test_what_a_run_writes_beside_itself_counts_and_is_gone(project: Project) -> None:
    project.says(limits={"run_disk": "10MB"})
    big = "import os; os.makedirs('out')\nopen('out/big', 'wb').write(bytes(20_000_000))\nimport time; time.sleep(30)"
    result = await project.run(big, finished=False)
    assert result.reason == "wrote more than its 0.01 GB into its folders, and was ended"
    assert git(project.root, "status", "--porcelain", "--ignored") == "!! .looptop/"
    assert not list((project.root / ".looptop" / "trees").iterdir())


async def test_what_git_has_does_not_count_as_written(project: Project) -> None:
    project.put("big.txt", "0" * 8_000_000)
    git(project.root, "add", "big.txt")
    project.says(limits={"run_disk": "4MB", "file": "4MB"})
    await project.run("import time; time.sleep(0.7)")  # the guard looks twice a second


async def test_a_run_that_changes_files_of_the_commit_is_told_of_and_changes_no_commit(project: Project) -> None:
    train = TELL + 'write("train.py"); write("score.py")'
    result = await project.run(train)
    assert result.touched == ("score.py",)
    assert git(project.root, "show", "HEAD:train.py") == train.rstrip("\n")
    assert (project.root / "score.py").read_text() == "RIGHT = True\n"


async def test_the_worktree_is_no_way_into_the_repository(project: Project) -> None:
    only(project, *KINDS)
    before = git(project.root, "for-each-ref")
    folder = str(project.root / ".git")
    told = await project.told(
        TELL + f"import subprocess; folder = {folder!r}\n"
        'git = lambda *words: subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x", *words],'
        "capture_output=True, text=True)\n"
        'tell(says=lambda: read(".git"), head=lambda: read(f"{folder}/HEAD"), hook=lambda: write(f"{folder}/hooks/x"),'
        'commits=lambda: git("commit", "--allow-empty", "-qm", "x").returncode,'
        'fakes=lambda: write(".git"), replaced=lambda: os.replace(".git", "git"))'
    )
    assert "Error" in told["head"] and "Error" in told["hook"] and told["commits"] != "0"
    assert told["replaced"] == "None"
    assert git(project.root, "log", "-1", "--format=%s") == "edit"
    assert len(git(project.root, "for-each-ref")) == len(before)
    assert not (project.root / ".git" / "hooks" / "x").exists()
    assert git(project.root, "worktree", "list").count("\n") == 0


async def test_links_that_lead_out_are_not_followed_by_what_comes_after(project: Project) -> None:
    """Neither by the comparison of tracked files nor by the removal of the worktree."""
    kept = project.home / "kept"
    kept.mkdir()
    (kept / "data.py").write_text("ROWS = 10\n")
    project.put("lib/data.py", "ROWS = 10\n")
    git(project.root, "add", "lib")
    result = await project.run(
        f"import os, shutil; shutil.rmtree('lib'); os.symlink({str(kept)!r}, 'lib'); os.symlink('/', 'all')\n"
        f"os.makedirs('a/b'); os.chmod('a', 0); os.symlink({str(project.root)!r}, 'score.txt')"
    )
    assert result.touched == ("lib/data.py",)
    assert (kept / "data.py").read_text() == "ROWS = 10\n" and (project.root / "score.py").exists()
    assert not list((project.root / ".looptop" / "trees").iterdir())


async def test_nothing_is_put_through_a_link_of_the_commit(project: Project) -> None:
    """A tracked link that leads out of the worktree is the program's to follow, and not a way for us to write there."""
    (project.home / "outside").mkdir()
    (project.root / "data").symlink_to(project.home / "outside")
    git(project.root, "add", "data")
    project.put("data/set.bin", "far away")
    project.says(read=("data/set.bin", "data/none"))
    assert await project.told(TELL + 'tell(set=lambda: read("data/set.bin"))') == {"set": "far away"}
    assert [path.name for path in (project.home / "outside").iterdir()] == ["set.bin"]


# --- imports -------------------------------------------------------------------------------------------------------

FINDER = """
import importlib.machinery, importlib.util, sys
MAPPING = {"mypkg": %r}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            place = MAPPING[name] + "/__init__.py"
            return importlib.util.spec_from_file_location(name, place, submodule_search_locations=[MAPPING[name]])
def install():
    sys.meta_path.append(Finder)
"""


def editable(venv: Path, how: str, source: Path) -> None:
    """An environment in which a package is installed as `pip install -e` leaves it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next(venv.glob("lib/python3*/site-packages"))
    if how == "a path":
        (packages / "mypkg.pth").write_text(f"{source.parent}\n")
    else:
        (packages / "_mypkg_finder.py").write_text(FINDER % str(source))
        (packages / "mypkg.pth").write_text("import _mypkg_finder; _mypkg_finder.install()\n")
    (packages / "sitecustomize.py").write_text("import builtins\nbuiltins.own = 'was imported too'\n")


@pytest.mark.parametrize("how", ["a path", "a finder"])
async def test_an_editable_install_leads_to_the_experiments_own_files(project: Project, how: str) -> None:
    """As pip, uv, hatch and setuptools make it: a `.pth` file with a path, or with a finder that maps packages."""
    await asyncio.to_thread(editable, project.root / ".venv", how, project.root / "src" / "mypkg")
    project.put("src/mypkg/__init__.py", "")
    project.put("src/mypkg/model.py", "WIDTH = 64\n")
    git(project.root, "add", "src")
    train = TELL + "from mypkg import model\nfrom multiprocessing import get_context\n"
    train += "import subprocess, sys\nsaid = [sys.executable, '-c', 'from mypkg import model; print(model.WIDTH)']\n"
    train += "import builtins\ntell(width=lambda: model.WIDTH, own=lambda: getattr(builtins, 'own', ''),"
    train += "child=lambda: subprocess.check_output(said, text=True, cwd='/'))"
    git(project.root, "commit", "-qm", "model")
    project.put("src/mypkg/model.py", "WIDTH = 'of the checkout'\n")
    told = await project.told(train)
    if importlib.util.find_spec("sitecustomize") is None:  # Debian's has its place before that of an environment
        assert told["own"] == "was imported too"
    assert (told["width"], told["child"]) == ("64", "64\n")


async def test_a_project_in_a_folder_has_the_packages_and_the_environment_of_the_whole(
    tmp_path: Path, project: Project
) -> None:
    mono = Project(tmp_path / "other home", project.sandbox, prefix="packages/model")
    source = mono.top / "packages" / "lib" / "src" / "mypkg"
    await asyncio.to_thread(editable, mono.top / ".venv", "a path", source)
    for name, text in (("__init__.py", ""), ("model.py", "WIDTH = 64\n")):
        mono.put(f"../lib/src/mypkg/{name}", text)
    git(mono.top, "add", "packages/lib")
    git(mono.top, "commit", "-qm", "lib")
    mono.put("../lib/src/mypkg/model.py", "WIDTH = 'of the checkout'\n")
    mono.put("../shared.bin", "for all")
    mono.says(read=("../shared.bin",), run="../../.venv/bin/python train.py")
    train = TELL + "from mypkg import model\nopen('left', 'w').close()\n"
    train += "tell(width=lambda: model.WIDTH, shared=lambda: read('../shared.bin'), train=lambda: read('train.py')[:5])"
    assert await mono.told(train) == {"width": "64", "shared": "for all", "train": "\nimpo"}
    assert not (mono.root / "left").exists()
