"""Which files measure a project, by what its commands start."""

import pytest

from loop.policy.measuring import imported, started
from loop.study.contract import Contract

FILES = {
    "parse.py": "x = 1\n",
    "time_it.py": "from parse import x\n",
    "train.py": "from prepare import evaluate\nimport torch\nfrom lib.data import load\n",
    "prepare.py": "def evaluate(): ...\n",
    "lib/data.py": "def load(): ...\n",
    "evaluate.py": "print('val_loss: 1')\n",
    "bench.sh": "#!/bin/sh\n# time_it.py is old\ncd lib && python check.py\n",
    "lib/check.py": "print(1)\n",
    "Makefile": "bench:\n\tsh bench.sh\n",
    "pkg/__main__.py": "print(1)\n",
    "pkg/score.py": "print(2)\n",
}


@pytest.mark.parametrize(
    ("edit", "run", "verify", "found"),
    [
        ("parse.py", "python time_it.py", None, ["time_it.py"]),
        ("parse.py", "FOO=1 python ./time_it.py > log 2>&1", None, ["time_it.py"]),
        ("train.py", "python train.py", "python evaluate.py --fast", ["evaluate.py"]),
        ("train.py", "python train.py", None, []),
        ("parse.py", "make -s bench", None, ["Makefile", "bench.sh", "lib/check.py"]),
        ("parse.py", "python -m pkg", "python -m pkg.score", ["pkg/__main__.py", "pkg/score.py"]),
        ("parse.py", "sh -c 'cd lib && python3 check.py'", None, ["lib/check.py"]),
        ("parse.py", "python3 /etc/passwd ../x.py nowhere.py", None, []),
    ],
)
def test_what_the_commands_start_and_nobody_may_edit_measures(
    edit: str, run: str, verify: str | None, found: list[str]
) -> None:
    contract = Contract(edit=(edit,), run=run, verify=verify)
    assert list(started(contract, FILES, FILES.get)) == found


def test_a_file_without_text_is_left_out_and_scripts_may_start_each_other() -> None:
    contract = Contract(edit=("parse.py",), run="sh a.sh")
    assert started(contract, ["a.sh"], lambda _: None) == {}
    circle = {"a.sh": "sh b.sh", "b.sh": "sh a.sh"}
    assert list(started(contract, circle, circle.get)) == ["a.sh", "b.sh"]


def test_what_the_edited_files_import_is_named() -> None:
    contract = Contract(edit=("train.py",), run="python train.py")
    assert imported([FILES["train.py"]], contract, FILES) == ["prepare.py", "lib/data.py"]
    assert imported(["def broken("], contract, FILES) == []
