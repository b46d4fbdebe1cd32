"""The built-in problems, and the script that plays a model on them."""

import json
import random
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from loop.config.program import load
from loop.errors import UserError
from loop.lineage import init_repository, matching
from loop.yardsticks import catalog
from loop.yardsticks.methods import method
from loop.yardsticks.scripted import ScriptedModel, answer

SURFACE = catalog.KNOWN["surface"]


def test_the_surface_knows_its_truth_and_its_best() -> None:
    text = (SURFACE.folder / "train.py").read_text()
    level = SURFACE.truth(text)
    assert level == pytest.approx(json.loads((SURFACE.folder / "surface.json").read_text())["level"])
    better = SURFACE.truth(text.replace('    "last norm",\n', ""))
    assert SURFACE.best is not None and SURFACE.best < better < level - 0.1
    rng = random.Random(1)
    for _ in range(50):
        changed = text.replace("HEAD_RATE = 0.004", f"HEAD_RATE = {rng.uniform(0.0004, 0.04):.4f}")
        assert SURFACE.truth(changed) >= SURFACE.best


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"squared relu",', "", "exactly one activation"),
        ('"last norm",', '"mixture of experts",', "there is no part"),
        ('"last norm",', '("logit cap", CAP),', "CAP"),
        ("DEPTH = 4", "DEEP = 4", "DEPTH"),
    ],
)
def test_a_file_that_is_not_as_it_may_be_is_a_crash_with_a_sentence(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    for name in ("measure.py", "surface.json"):
        (tmp_path / name).write_text((SURFACE.folder / name).read_text())
    (tmp_path / "train.py").write_text((SURFACE.folder / "train.py").read_text().replace(old, new))
    ended = subprocess.run([sys.executable, str(tmp_path / "measure.py")], capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and why in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", catalog.KNOWN)
def test_every_idea_fits_the_file_as_it_is(name: str) -> None:
    problem = catalog.KNOWN[name]
    text = (problem.folder / problem.edited).read_text()
    ideas = problem.ideas()
    assert all(text.count(idea["find"]) == 1 and idea["path"] == problem.edited for idea in ideas)
    titles = [idea["title"] for idea in ideas]
    assert len(set(titles)) == len(ideas) >= 10
    assert not any(one != other and one in other for one in titles for other in titles)  # told apart in any text


def test_a_made_project_is_a_repository_with_the_program_of_its_study(tmp_path: Path) -> None:
    SURFACE.make(tmp_path / "p", 3, method("automl+llm").researchers(3), 40)
    front = yaml.safe_load((tmp_path / "p" / "program.md").read_text().split("---\n")[1])
    assert front["researchers"] == [{"kind": "automl", "name": "automl-3"}, {"kind": "llm"}]
    assert front["limits"]["experiments"] == 40 and front["env"] == {"YARDSTICK": "3"}
    assert (tmp_path / "p" / ".git").is_dir() and not (tmp_path / "p" / "ideas.json").exists()


def test_a_project_of_somebody_is_a_problem_with_what_it_reads_beside_it(tmp_path: Path) -> None:
    project = tmp_path / "mine"
    (project / "src").mkdir(parents=True)
    (project / "data").mkdir()
    (project / "src" / "train.py").write_text("RATE = 0.1\nprint(f'acc: {RATE}')\n")
    front = (
        "edit: src/train.py\nrun: python src/train.py\nmetric: acc\ngoal: max\nbudget: 30s\nread: data\nresearcher: llm"
    )
    (project / "program.md").write_text(f"---\n{front}\n---\nRaise acc.\n")
    init_repository(project, [project / "src" / "train.py", project / "program.md"])
    (project / "left.txt").write_text("not in git")
    (problem,) = catalog.find([str(project)])
    assert (problem.name, problem.budget, problem.goal, problem.metric, problem.best) == (
        "mine",
        30,
        "max",
        "acc",
        None,
    )
    problem.make(tmp_path / "copy", 1, [{"kind": "automl"}], 9)
    assert (tmp_path / "copy" / "src" / "train.py").exists() and not (tmp_path / "copy" / "left.txt").exists()
    assert (tmp_path / "copy" / "data").resolve() == project / "data"
    contract = load(tmp_path / "copy", matching).contract
    assert contract.run == "python src/train.py" and contract.limits.experiments == 9 and contract.goal == "max"


def test_names_that_nobody_has_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="there is no problem 'moon'; there are surface"):
        catalog.find(["surface", "moon"])
    with pytest.raises(UserError, match="called 'nobody-at-all'"):
        method("nobody-at-all")
    assert method("automl + llm").kinds == ("automl", "llm")
    assert method("sh agent.sh").folder != method("sh agent.sh -x").folder


LISTED = {"role": "tool", "content": "there is none"}


def test_the_script_looks_at_what_was_tried_first_and_to_the_end() -> None:
    asked = {"role": "user", "content": "go on"}
    assert answer((), 1, {"messages": [asked]})[1] == [("list_experiments", {})]
    page = {"role": "tool", "content": "60 ...\n(12 older ones: call again with before=13)"}
    assert answer((), 1, {"messages": [asked, page]})[1] == [("list_experiments", {"before": 13})]
    assert answer((), 1, {"messages": [asked, page, LISTED]}) == ("I have no further idea.", [])


def test_the_script_passes_over_what_was_tried_and_what_does_not_fit() -> None:
    ideas = SURFACE.ideas()
    text = (SURFACE.folder / "train.py").read_text()
    seen: list[str] = []
    for _ in ideas:
        _, calls = answer(ideas, 5, {"messages": [{"role": "user", "content": "\n".join((text, *seen))}, LISTED]})
        (edit, given), *_, (_, told) = calls
        assert edit == "edit_file" and given["search"] in text and told["title"] not in seen
        seen.append(told["title"])
    assert sorted(seen) == sorted(idea["title"] for idea in ideas)
    again = answer(ideas, 5, {"messages": [{"role": "user", "content": "\n".join((text, *seen))}, LISTED]})[1]
    assert again[-1][1]["title"] == f"Again: {seen[0]}"
    without = [{"role": "user", "content": text.replace('    "last norm",\n', "")}, LISTED]
    titles = {answer(ideas, seed, {"messages": without})[1][-1][1]["title"] for seed in range(60)}
    assert "No last norm" not in titles and len(titles) > 10


def test_the_endpoint_speaks_whole_and_streamed() -> None:
    with ScriptedModel({"surface": SURFACE.ideas()}) as model:
        at = model.address("surface", 2)
        text = (SURFACE.folder / "train.py").read_text()
        body = {"messages": [{"role": "user", "content": text}, LISTED]}
        whole = json.loads(_post(f"{at}/chat/completions", body))
        calls = whole["choices"][0]["message"]["tool_calls"]
        assert [call["function"]["name"] for call in calls] == ["edit_file", "propose"]
        streamed = _post(f"{at}/chat/completions", {**body, "stream": True}).decode()
        pieces = [json.loads(line[6:]) for line in streamed.split("\n\n") if line.startswith("data: {")]
        assert pieces[1]["choices"][0]["delta"]["tool_calls"][0]["function"] == calls[0]["function"]
        assert streamed.rstrip().endswith("data: [DONE]")


def _post(url: str, body: object) -> bytes:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answered:
        found: bytes = answered.read()
        return found
