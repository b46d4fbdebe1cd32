"""A self-reported study on a task that trains nothing: the example, as a person would copy it."""

import shutil
from pathlib import Path

from loop.study import events as e
from tests.e2e.conftest import Bench

EXAMPLES = Path(__file__).parents[2] / "examples"

FASTER = '''\
"""Reads lines of `key = value` and adds the values up by key."""


def totals(stream):
    found = {}
    for line in stream.read().decode().split("\\n"):
        key, equals, value = line.partition(" = ")
        if equals and not line.startswith("#"):
            found[key.strip()] = found.get(key.strip(), 0) + int(value)
    return found
'''


def test_the_running_time_of_a_parser_is_improved_and_the_number_is_called_self_reported(
    bench: Bench, tmp_path: Path
) -> None:
    study = Bench(tmp_path / "parser", bench.environment)
    shutil.copytree(EXAMPLES / "parser", study.root, ignore=shutil.ignore_patterns("__pycache__"))
    program = (study.root / "program.md").read_text()
    assert "review: flagged" in program and "verify:" not in program.split("---")[1]
    study.write("program.md", program.replace("confidence: 0.99", "confidence: 0.9"))
    study.git("init", "-q", "-b", "main")
    study.git("add", ".")
    study.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "start")
    study.looptop("--researcher", "automl", "--budget", "0.3s", "--experiments", "3")
    study.until(lambda: study.events("run_started"))
    wrong = FASTER.replace("+ int(value)", "+ 1")
    study.request(e.Submitted(who="ada", title="count instead of adding", parent=0, edits={"parse.py": wrong}))
    study.request(e.Submitted(who="ada", title="read it whole", parent=0, edits={"parse.py": FASTER}))

    try:
        study.until(lambda: study.pid is None, 90)
    finally:
        study.looptop("stop", "--now")
    found = {experiment.title: experiment for experiment in study.study().experiments.values()}
    assert found["read it whole"].verdict == "kept", "three times as fast, and nobody has to approve it"
    assert found["read it whole"].reason.endswith("(self-reported)")
    assert found["count instead of adding"].verdict in ("crashed", "rejected"), "a wrong sum is no number"
    assert found["baseline"].reason.endswith("(self-reported)")
    told = study.json("status")
    assert told["study"] == told["study"] | {"metric": "ms_per_mb", "goal": "min", "verified": False}
    assert told["champion"]["metric"] < told["baseline"]["metric"]
    said = study.looptop("status").stdout
    assert "the metric is self-reported: program.md names no `verify:`" in said
    assert " are expected to be false, by their confidences and by how many were tried." in said
    assert "ms_per_mb is self-reported" in study.looptop("experiments").stdout
    number = str(found["read it whole"].id)
    assert " (self-reported)" in study.looptop("show", number).stdout
    assert "+++ b/parse.py" in study.looptop("show", number, "--diff").stdout
