"""Projects whose runs do not use the file that may be edited: said before anything is measured, in any language."""

import sys
import sysconfig

import pytest

from loop.study import events as e
from tests.e2e.conftest import Bench

PLAIN = 'import random\nprint(f"loss: {1 + random.random() / 100:.4f}")\n'


def commit(bench: Bench) -> None:
    bench.git("add", "-A")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "mine")


def rehearsed(bench: Bench) -> list[e.Rehearsed]:
    return [event.body for event in bench.events("rehearsed") if isinstance(event.body, e.Rehearsed)]


def project(bench: Bench, files: dict[str, str], **front: object) -> None:
    bench.plain_python()
    for name, text in files.items():
        (bench.root / name).parent.mkdir(parents=True, exist_ok=True)
        bench.write(name, text)
    bench.write(".gitignore", ".venv\n")
    bench.program(**({"metric": "loss", "keep": {"baseline_runs": 2}, "limits": {"experiments": 1}} | front))
    commit(bench)


def refused(bench: Bench, sandbox: str = "off") -> str:
    """Run a study that is refused, and return the sentence."""
    done = bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", sandbox, code=1)
    (told,) = rehearsed(bench)
    assert told.proof == "unused" and f"FAILED: {told.said}" in done.stdout
    assert not bench.events("run_started"), "nothing was measured"
    bench.consistent()
    return told.said


def proven(bench: Bench, sandbox: str = "off") -> str:
    """Run a study that works, and return what was proven."""
    bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", sandbox, code=None)
    (told,) = rehearsed(bench)
    assert told.proof == "proven", told.said
    assert bench.study().best is not None, "the baseline ran"
    bench.consistent()
    return told.said


def test_a_configuration_that_nobody_reads(bench: Bench, sandbox: str) -> None:
    project(bench, {"train.py": PLAIN, "config.yaml": "lr: 0.1\n"}, edit="config.yaml", run="python train.py")
    assert refused(bench, sandbox).startswith("config.yaml is not what a run uses: with it broken on purpose, `python")


def test_a_makefile_that_compiles_another_file_than_the_one_named(bench: Bench) -> None:
    source = '#include <stdio.h>\nint main(void) { printf("loss: %d\\n", 3); return 0; }\n'
    makefile = 'bench: old.c new.c\n\tcc -o "$$TMPDIR/bench" old.c && "$$TMPDIR/bench"\n'
    project(bench, {"old.c": source, "new.c": source, "Makefile": makefile}, edit="new.c", run="make -s bench")
    assert "still came to loss 3" in refused(bench)
    bench.program(
        metric="loss", keep={"baseline_runs": 2}, limits={"experiments": 1}, edit="old.c", run="make -s bench"
    )
    bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", "off", code=None)
    assert [told.proof for told in rehearsed(bench)] == ["unused", "proven"], "what was mended is tried again"
    assert bench.study().best is not None


def test_a_program_that_was_built_before_and_committed(bench: Bench) -> None:
    """`make` goes by dates: the files of a commit all have the same, so nothing is built anew."""
    built = '#!/bin/sh\necho "loss: 7"\n'
    makefile = "all:\n\t./program\n"
    project(bench, {"main.c": "int main(void) { return 0; }\n", "program": built, "Makefile": makefile}, edit="main.c",
            run="make -s")  # fmt: skip
    (bench.root / "program").chmod(0o755)
    commit(bench)
    assert "still came to loss 7" in refused(bench)


def test_an_installed_copy_of_the_package(bench: Bench, sandbox: str) -> None:
    """What is installed for good, and not as an editable installation, is found before the folder `src`."""
    site = bench.root / ".venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    project(bench, {"src/tiny/model.py": "WIDTH = 64\n", "src/tiny/train.py": "from tiny import model\n" + PLAIN},
            edit="src/tiny/model.py", run="python -m tiny.train")  # fmt: skip
    (bench.root / ".venv" / "pyvenv.cfg").write_text(f"home = {sysconfig.get_path('scripts')}\n")
    (site / "tiny").mkdir(parents=True)
    for name in ("model.py", "train.py"):
        (site / "tiny" / name).write_text((bench.root / "src" / "tiny" / name).read_text())
    assert refused(bench, sandbox).startswith("src/tiny/model.py is not what a run uses")


@pytest.mark.parametrize(
    ("files", "edit", "run"),
    [
        ({"train.sh": 'echo "loss: 1.$LOOPTOP_SEED"\n'}, "train.sh", "sh train.sh"),
        ({"conf.json": '{"a": 1}', "train.py": "import json\njson.load(open('conf.json'))\n" + PLAIN}, "conf.json",
         "python train.py"),
        ({"prompt.txt": "Be kind.\n", "train.py": "open('prompt.txt').read()\n" + PLAIN}, "prompt.txt",
         "python train.py"),
        ({"a.py": "A = 1\n", "b.py": "B = 2\n", "train.py": "import a, b\n" + PLAIN}, ["a.py", "b.py"],
         "python train.py"),
    ],
)  # fmt: skip
def test_what_is_used_is_proven(bench: Bench, files: dict[str, str], edit: object, run: str) -> None:
    project(bench, files, edit=edit, run=run)
    assert proven(bench).startswith("a run uses the experiment's own ")


def test_a_run_whose_verification_measures_need_print_nothing(bench: Bench) -> None:
    files = {"model.py": "A = 1\n", "train.py": "print('trained')\n", "check.sh": 'echo "loss: 1.$LOOPTOP_SEED"\n'}
    project(bench, files, edit="model.py", run="python train.py", verify="sh check.sh")
    assert "`python train.py` still came to its end" in refused(bench)


def test_a_file_that_is_only_copied_into_the_log(bench: Bench) -> None:
    """As programs do that keep the code of every run beside its numbers."""
    files = {"model.py": "A = 1\n", "train.py": "open('model.py', 'rb').read()\n" + PLAIN}
    project(bench, files, edit="model.py", run="python train.py")
    assert refused(bench).startswith("model.py is not what a run uses")


def test_one_of_several_files_that_nobody_imports(bench: Bench) -> None:
    project(bench, {"a.py": "A = 1\n", "b.py": "B = 2\n", "train.py": "import a\n" + PLAIN}, edit=["a.py", "b.py"],
            run="python train.py")  # fmt: skip
    assert refused(bench).startswith("b.py is not what a run uses")


def test_a_start_that_takes_too_long_is_settled_by_what_the_baseline_opens(bench: Bench) -> None:
    """Its deadline stands in for the thirty seconds that a start may take: the program goes by no budget."""
    slow = "import os, time\ntime.sleep(3 if os.environ['LOOPTOP_SEED'] == '0' else 0)\n" + PLAIN
    project(bench, {"train.py": slow, "model.py": "A = 1\n"}, edit="model.py", run="python train.py", budget="0.1s",
            deadline="1s")  # fmt: skip
    done = bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", "off", code=1)
    first, second = rehearsed(bench)
    assert first.proof == "unproven" and "had not ended after" in first.said and first.said.endswith("nor opened it")
    assert second.proof == "unused" and second.said.startswith("`python train.py` came to its loss without opening")
    assert f"FAILED: {second.said}" in done.stdout and len(bench.events("run_started")) == 1
    bench.consistent()


def test_a_number_that_is_printed_whatever_happens_is_told_and_the_loop_goes_on(bench: Bench) -> None:
    script = 'value=$(sh inner.sh 2>/dev/null)\necho "loss: ${value:-0}"\n'
    project(bench, {"outer.sh": script, "inner.sh": 'echo "1.$LOOPTOP_SEED"\n'}, edit="inner.sh", run="sh outer.sh")
    bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", "off", code=None)
    (told,) = rehearsed(bench)
    assert told.proof == "unproven" and "still comes to loss 0, although it opens it" in told.said
    assert bench.study().best is not None


def test_it_is_rehearsed_once_and_again_when_the_command_changes(bench: Bench) -> None:
    front = {"edit": "train.sh", "metric": "loss", "keep": {"baseline_runs": 2}}
    project(bench, {"train.sh": 'A=1\necho "loss: 1.$LOOPTOP_SEED"\n'}, **front, run="sh train.sh")
    for run in ("sh train.sh", "sh train.sh", "sh -e train.sh"):
        bench.program(**front, run=run)
        bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", "off", code=None)
    assert len(rehearsed(bench)) == 2
    bench.consistent()
