"""The command line: any words end in exit code 0, 1 or 2 and sentences, and lose nothing of the workspace or of git.

Commands that start something or go on for ever (`looptop` itself, `doctor`, `--follow`, `--watch`) are left to
`tests/e2e`; all others are tried in this process, through the same `main` that the console script calls.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from loop.config.program import load
from loop.journal import Journal
from loop.lineage import matching
from loop.study.contract import Contract
from loop.workspace import Workspace
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_json
from tests.recorded import record
from tui.cli.main import main

COMMANDS = (
    *(
        "status",
        "experiments",
        "show",
        "log",
        "export",
        "pause",
        "resume",
        "steer",
        "kill",
        "approve",
        "reject",
        "keep",
    ),
    *(
        "discard",
        "requeue",
        "branch",
        "submit",
        "pin",
        "unpin",
        "stop",
        "attach",
        "init",
        "run",
        "fly",
        "--version",
        "--help",
    ),
)
OPTIONS = (
    *(
        "--json",
        "--diff",
        "--log",
        "-o",
        "--output",
        "-i",
        "--interrupt",
        "--why",
        "-m",
        "--title",
        "--now",
        "--no-wait",
    ),
    *(
        "--help",
        "--researcher",
        "--model",
        "--base-url",
        "--budget",
        "--experiments",
        "--hours",
        "--tag",
        "--theme",
        "--ascii",
    ),
    *(
        "--edit",
        "--metric",
        "--goal",
        "--run",
        "--yes",
        "--read-only",
        "--sandbox",
        "-C",
        "--workspace",
        "--",
        "-x",
        "--jsn",
    ),
)
WORDS = st.sampled_from(
    (
        *(
            "0",
            "1",
            "7",
            "99",
            "-1",
            "1.5",
            "²",
            "٣",
            "9" * 20,
            "9" * 5000,
            "0x1",
            "nan",
            "inf",
            "1e999",
            "tsv",
            "csv",
            "json",
        ),
        *(
            "20s",
            "soon",
            "min",
            "max",
            "train.py",
            "automl",
            "oracle",
            "'",
            "http://[",
            "http://u:p@h",
            "dark",
            "nowhere",
            ".",
        ),
        *(
            "out.tsv",
            "/",
            "no/such/folder",
            "a\x1b[2Jb",
            "val_bpb",
            "a: b",
            "# x",
            "[x",
            "{",
            "python train.py # --fast: x",
        ),
    )
) | TEXTS.filter(lambda text: "\0" not in text)
LINES = st.builds(
    lambda before, command, after: as_json([*before, command, *after]).encode(),
    st.lists(st.sampled_from(("--theme", "-C", "--ascii", ".", "--version")), max_size=2) | st.just([]),
    st.sampled_from(COMMANDS),
    st.lists(st.sampled_from(OPTIONS) | WORDS, max_size=5),
)


class Place:
    """A workspace with a recorded study and no loop, in a real repository; no program, so that nothing starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        (root / "train.py").write_text("RATE = 0.1\n")
        (root / ".gitignore").write_text(".looptop/\n")
        self.git("add", "train.py", ".gitignore")
        self.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "start")
        record(Workspace(root).journal, experiments=12)
        self.head = self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def files(self) -> dict[str, bytes]:
        """The person's own files and git's branches."""
        found = {path.name: path.read_bytes() for path in self.root.iterdir() if path.is_file()}
        refs = {str(path): path.read_bytes() for path in (self.root / ".git" / "refs").rglob("*") if path.is_file()}
        return found | refs | {"HEAD": (self.root / ".git" / "HEAD").read_bytes()}

    def events(self) -> list[tuple[int, str]]:
        with Journal(Workspace(self.root).journal) as journal:
            return [(event.seq, event.kind) for event in journal.read()]


def called(words: list[str]) -> tuple[int, str, str]:
    """What the command line does with `words`: exit code, standard output, standard error."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors, write_through=True) for errors in ("strict", "backslashreplace")
    )
    before = sys.argv
    sys.argv = ["looptop", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    assert code is None or isinstance(code, int)
    return code or 0, *(stream.buffer.getvalue().decode("utf-8", "backslashreplace") for stream in (out, err))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("command line")
    home = {"HOME": str(root.parent), "XDG_CONFIG_HOME": str(root.parent / "config"), "COLUMNS": "100"}
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("LOOPTOP", "OPENAI", "GIT_"))}
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(theirs):
            patch.delenv(name)
        for name, value in home.items():
            patch.setenv(name, value)
        made = Place(root)
        patch.chdir(root)
        yield made


def words_of(data: bytes) -> list[str] | None:
    """A JSON list of words that an operating system could pass on, and that starts no loop."""
    try:
        words = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(words, list) and all(isinstance(word, str) and "\0" not in word for word in words)):
        return None
    if not any(word in COMMANDS and word not in ("--version", "--help") for word in words) or "doctor" in words:
        return None
    if any(word.startswith(("-f", "--fol", "-w", "--watch")) for word in words):
        return None
    if any(command in words for command in ("export", "init")) and any(_leads_out(word) for word in words):
        return None
    try:
        b"\0".join(os.fsencode(word) for word in words)
    except UnicodeEncodeError:
        return None
    return words


def _leads_out(word: str) -> bool:
    """Whether a command that writes where it is told to might write outside of the workspace."""
    return (word != "no/such/folder" and "/" in word) or ".." in word


def reader(place: Place) -> object:
    def read(data: bytes) -> None:
        words = words_of(data)
        if words is None:
            return
        before, told = place.files(), place.events()
        code, out, err = called(words)
        assert code in (0, 1, 2), (code, err)
        assert "Traceback" not in err and "a bug in looptop" not in err, err
        assert code == 0 or (err if code else out).strip(), "a refusal says why"
        if err.startswith("looptop: "):
            assert err.count("\n") == 1, err
        if code == 0 and words[-1:] == ["--json"] and words[:-1] in (["status"], ["experiments"]):
            json.loads(out, parse_constant=pytest.fail)
        after = place.files()
        new = set(after) - set(before)
        for name in new:  # `export -o NAME` and `init` make a file where they are told to, and nothing else does
            assert "export" in words or "init" in words, name
            (place.root / name).unlink()
        assert {name: after[name] for name in before if name in after} == before or "export" in words
        if before.items() - after.items():
            for name, content in before.items():
                (place.root / name).write_bytes(content) if (place.root / name).exists() else None
        assert place.events()[: len(told)] == told, "nothing that was told is lost"

    return read


def test_any_words_end_in_a_code_and_a_sentence(budget: Budget, place: Place) -> None:
    budget.spend("commands", LINES, reader(place), dear=3)  # type: ignore[arg-type]
    assert place.git("rev-parse", "HEAD") == place.head and place.git("status", "--porcelain") == ""


@pytest.mark.parametrize("data", corpus.cases("commands"))
def test_every_command_of_the_corpus_ends_in_a_code_and_a_sentence(data: bytes, place: Place) -> None:
    reader(place)(data)  # type: ignore[operator]


# --- init -----------------------------------------------------------------------------------------------------------

NAMES = (
    st.sampled_from(("train.py", "a b.py", "src/train.py", "a: b.py", "#x.py", "[x.py", "-x.py", "'q'.py", "é.py"))
    | TEXTS
)
RUNS = (
    st.sampled_from(("python train.py", "uv run x --a: b # c", "[x", "'", '"', "a\nb", "- x", "{x}", "!x", "*x", "yes"))
    | TEXTS
)
INITS = st.fixed_dictionaries(
    {},
    optional={
        "--edit": NAMES,
        "--run": RUNS,
        "--metric": st.sampled_from(("val_bpb", "a/b", "a b", "")) | TEXTS,
        "--goal": WORDS,
    },
).map(lambda options: as_json([word for option in options.items() for word in option]).encode())


def initialised(place: Place) -> object:
    folder = place.root / "new"

    def read(data: bytes) -> None:
        words = words_of(data.strip().replace(b"[", b'["init", ', 1).replace(b", ]", b"]"))
        if not words:
            return
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text("x = 1\n")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        ours = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *ours, "commit", "-q", "--allow-empty", "-m", "start"], cwd=folder, check=True)
        try:
            code, _, err = called(["-C", str(folder), *words])
            assert code in (0, 1, 2) and "Traceback" not in err and "a bug in looptop" not in err, err
            if code == 0 and "--help" not in words:
                given = dict(zip(words[1::2], words[2::2], strict=False))
                edit = given.get("--edit", "train.py")
                (folder / edit).parent.mkdir(parents=True, exist_ok=True)
                (folder / edit).write_text("x = 1\n")
                contract = load(folder, matching).contract
                assert contract.edit == (edit,)
                assert contract.run == given.get("--run", f"python {edit}") or "--run" not in given
                assert contract.metric == given.get("--metric", Contract().metric)
        finally:
            subprocess.run(["rm", "-rf", str(folder)], check=True)

    return read


def test_what_init_writes_says_what_it_was_told(budget: Budget, place: Place) -> None:
    budget.spend("inits", INITS, initialised(place), dear=10)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", corpus.cases("inits"))
def test_every_init_of_the_corpus_says_what_it_was_told(data: bytes, place: Place) -> None:
    initialised(place)(data)  # type: ignore[operator]


# --- as a process ---------------------------------------------------------------------------------------------------

LOOPTOP = str(Path(sys.executable).with_name("looptop"))


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("PYTHONIOENCODING=ascii {} experiments", 0, ""),
        ("{} status > /dev/full", 1, "the output cannot be read or written: No space left on device"),
        ("{} experiments --json >&-", 0, ""),
        ("{} steer \"$(printf 'a\\377b')\"", 0, ""),
    ],
    ids=["a terminal of ASCII", "a full disk behind the output", "no output at all", "words that are no UTF-8"],
)
def test_a_process_of_it_ends_in_a_code_and_a_sentence(place: Place, command: str, code: int, said: str) -> None:
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    line = command.format(f"'{LOOPTOP}'")
    done = subprocess.run(["sh", "-c", line], cwd=place.root, capture_output=True)
    err = done.stderr.decode("utf-8", "backslashreplace")
    assert (done.returncode, "Traceback" in err, "Exception ignored" in err) == (code, False, False), err
    assert said in err and "defect" not in err
