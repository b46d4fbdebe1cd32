"""The studies that are killed: small real scripts, a researcher that is a real command, and a person with requests.

Each comes to the same verdicts however often it is killed, because its numbers hang on edit and seed alone, and because
the researcher goes on only when the person lets it (a file in `gates/`).
"""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.study import events as e
from loop.study.state import Study

SCRIPT = "# one\nA=5\n# two\nB=5\n# three\nC=5\n# the end\necho loss: $((A + B + C)).$((LOOPTOP_SEED % 2))\n"

SMALL = "V=5\n# one\nW=5\n# two\nX=5\n# three\nY=5\n# the end\n"
SMALL += "echo loss: 10.$((500 + 70 * (V + W + X + Y - 20) + (LOOPTOP_SEED + 1) % 2 * 100))\n"
"""Each of its numbers that is one less gains one noise, which is kept only where they come together."""

CURVE = """\
# one
A=5
# two
B=5
# the end
for done in 10 45 70; do
    [ $done = 10 ] || sleep 0.52
    echo "step $done ($done.0%) | loss: $((A + B)).$((LOOPTOP_SEED % 2)) | speed: 1"
done
[ $A -lt 50 ] || sleep 20
echo loss: $((A + B)).$((LOOPTOP_SEED % 2))
"""

CHECK = 'grep -q A=2 run.sh && { echo "rejected: honest: it lies"; exit 3; }\n. ./run.sh\n'

PROPOSE = """\
# Proposes the first idea of the list beside it that is not in the briefing yet, once there is a gate for it.
briefing=$(cat)
here=$(dirname "$0")
while IFS='|' read -r title edit; do
    case $briefing in *"$title"*) continue ;; esac
    until [ -e "$here/gates/$title" ]; do sleep 0.02; done
    sed -i "$edit" run.sh
    printf 'title: %s\\nhypothesis: it should help\\n' "$title"
    exit 0
done < "$here/ideas"
"""

DICE = """\
# Proposes another number for the line $1 of train.py, never the same one.
new=$(od -An -N3 -tu4 /dev/urandom | awk '{ printf "%.6f", 0.001 + $1 / 200000000 }')
sed -i "s/^$1 = .*/$1 = $new/" train.py
printf 'title: %s to %s\\n' "$1" "$new"
"""

TRAIN = """\
import os

LEARNING_RATE = 0.02
DEPTH = 4

# What follows is used by nobody but those who cast dice.

DECAY = 0.5

print("step 00001 (50.0%) | loss: 2.000 | tok/sec: 1,000", flush=True)
noise = int(os.environ["LOOPTOP_SEED"]) % 3 / 1000
print(f"---\\nloss: {abs(LEARNING_RATE - 0.005) * 10 + abs(DEPTH - 8) / 50 + noise + 1:.6f}")
"""


@dataclass(frozen=True)
class Act:
    """One thing that the person does, as soon as what they wait for has come."""

    when: Callable[[Study], object]
    request: e.Body | None = None
    about: int | None = None
    """The experiment that the request is about."""
    titled: str = ""
    """The same, by its title."""
    gate: str = ""
    """The idea that the researcher may propose from now on."""


@dataclass(frozen=True)
class Life:
    """A study and what happens in it.

    Attributes:
        ideas: what the researcher proposes, in this order: a title, and a command for `sed` that makes the edit.
        acts: what the person does, in this order.
        front: lines of the program's front matter besides the usual.
        automl: the researcher is AutoML on `train.py`, so nothing is known of the verdicts beforehand.
        any_order: several slots, in which what ends first hangs on the clock, so neither are they known here.
        sandbox: as in a person's settings.
        script: what runs.
    """

    name: str
    ideas: Mapping[str, str]
    experiments: int
    acts: Sequence[Act] = ()
    front: str = "deadline: 60s\n"
    automl: bool = False
    any_order: bool = False
    sandbox: str = "off"
    script: str = SCRIPT
    gpus: int = 0
    """How many the machine is made up to have; 0: it is as it is."""
    model: bool = False
    """A language model and AutoML propose, as one hybrid."""
    team: bool = False
    """AutoML and two commands that cast dice propose, ahead of free slots."""

    def lay_out(self, home: Path) -> Path:
        """Make the workspace in `home`, with what stands beside it; returns the workspace's root."""
        root = home / "a project"
        root.mkdir(parents=True)
        (home / "gates").mkdir()
        (home / "tmp").mkdir()
        (home / "propose.sh").write_text(PROPOSE)
        (home / "dice.sh").write_text(DICE)
        (home / "ideas").write_text("".join(f"{title}|{edit}\n" for title, edit in self.ideas.items()))
        acted = {act.gate for act in self.acts}
        for title in self.ideas.keys() - acted:
            (home / "gates" / title).touch()
        edit, run = ("train.py", "python train.py") if self.automl else ("run.sh", "sh run.sh")
        front = f"edit: {edit}\nrun: {run}\nmetric: loss\nbudget: 1s\n{self.front}"
        if not self.team:
            front += "ahead: false\n"  # the ideas come one after another, each when the one before it is judged
        front += "keep: {baseline_runs: 2, max_runs: 3, confidence: 0.9}\n"
        front += f"limits: {{experiments: {self.experiments}}}\n"
        (root / "program.md").write_text(f"---\n{front}---\nGo down.\n")
        (root / "run.sh").write_text(self.script)
        (root / "check.sh").write_text(CHECK)
        (root / "train.py").write_text(TRAIN)
        (root / "notes.txt").write_text("one\n")
        git(root, "init", "-q", "-b", "main")
        git(root, "add", ".")
        git(root, "commit", "-qm", "start")
        (root / "notes.txt").write_text("two\n")
        git(root, "stash", "-q")
        (root / "notes.txt").write_text("three\n")
        git(root, "add", "notes.txt")
        (root / "notes.txt").write_text("four\n")
        (root / "untracked.txt").write_text("mine\n")
        return root

    def researcher(self, home: Path) -> str | list[str]:
        if self.team:
            dice = f"sh {shlex.quote(str(home / 'dice.sh'))}"
            return ["automl", f"{dice} LEARNING_RATE", f"{dice} DECAY"]
        if self.model:
            return "hybrid"
        return "automl" if self.automl else f"sh {shlex.quote(str(home / 'propose.sh'))}"


def git(root: Path, *arguments: str) -> str:
    """Run git as the person would, and return what it says."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *who, *arguments], cwd=root, env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


def judged(number: int) -> Callable[[Study], object]:
    return lambda study: number in study.experiments and study.experiments[number].verdict is not None


def waiting(title: str) -> Callable[[Study], object]:
    return lambda study: any(x.title == title and x.phase == "waiting" for x in study.experiments.values())


def running(title: str) -> Callable[[Study], object]:
    return lambda study: any(x.title == title and x.running() for x in study.experiments.values())


def fulfilled(study: Study) -> object:
    return not [request for request in study.open_requests() if request.kind != "steered"]


def all_judged(study: Study) -> object:
    return fulfilled(study) and not study.open


def submitted(study: Study) -> object:
    return fulfilled(study) and any(x.submitted for x in study.experiments.values())


def submitted_and_judged(study: Study) -> object:
    return submitted(study) and not any(x.submitted and x.verdict is None for x in study.experiments.values())


GOOD, BAD, MORE = "s/A=5/A=1/", "s/B=5/B=9/", "s/C=5/C=4/"

_ALL = (
    Life(
        "search",
        {
            "a smaller A": GOOD,
            "a larger B": BAD,
            "broken": "s/# the end/exit 3/",
            "the same again": BAD,
            "a smaller C": MORE,
        },
        experiments=5,
    ),
    Life(
        "steered",
        {"a smaller A": GOOD, "a larger B": BAD, "it hangs": "s/# two/sleep 300/", "a smaller B": "s/B=5/B=4/"},
        experiments=5,
        front="deadline: 20s\n",
        acts=(
            Act(judged(2), e.Paused(who="ada")),
            Act(fulfilled, e.Overruled(who="ada", verdict="kept", why="I know better"), 2),
            Act(fulfilled, e.Branched(who="ada"), 1),
            Act(fulfilled, e.Branched(who="ada"), 2),
            Act(fulfilled, e.Overruled(who="ada", verdict="discarded"), 2),
            Act(fulfilled, e.Requeued(who="ada"), 2),
            Act(fulfilled, e.Pinned(who="ada", text="think big")),
            Act(fulfilled, e.Noted(who="ada", text="look at it again"), 2),
            Act(
                fulfilled,
                e.Submitted(
                    who="ada",
                    title="my own",
                    parent=1,
                    edits={"run.sh": SCRIPT.replace("A=5", "A=1").replace("C=5", "C=4")},
                ),
            ),
            Act(submitted, e.Resumed(who="ada")),
            Act(all_judged, e.Steered(who="ada", text="now let it hang")),
            Act(lambda study: True, gate="it hangs"),
            Act(running("it hangs"), e.Killed(who="ada"), titled="it hangs"),
            Act(all_judged, gate="a smaller B"),
        ),
    ),
    Life(
        "reviewed",
        {"a smaller A": GOOD, "a larger B": BAD, "it lies": "s/A=1/A=2/", "it is slow": "s/# the end/sleep 100/"},
        experiments=4,
        sandbox="auto",
        front="review: all\nverify: sh check.sh\ndeadline: 3s\n",
        acts=(
            Act(waiting("a smaller A"), e.Approved(who="ada"), titled="a smaller A"),
            Act(waiting("a larger B"), e.Rejected(who="ada", why="too large"), titled="a larger B"),
            Act(waiting("it lies"), e.Approved(who="ada"), titled="it lies"),
            Act(waiting("it is slow"), e.Approved(who="ada"), titled="it is slow"),
        ),
    ),
    Life(
        "flagged",
        {"a tenth": "s/A=5/A=-9/", "another seed": "s/# the end/LOOPTOP_SEED=8/", "a larger B": BAD},
        experiments=3,
        front="review: flagged\nverify: sh check.sh\ndeadline: 60s\n",
        acts=(
            Act(waiting("a tenth"), e.Approved(who="ada"), titled="a tenth"),
            Act(waiting("another seed"), e.Rejected(who="ada", why="a seed is no idea"), titled="another seed"),
        ),
    ),
    Life(
        "validated",
        {"a smaller A": GOOD, "a larger B": BAD, "a smaller C": MORE},
        experiments=3,
        front="deadline: 60s\nvalidation: 3\n",
    ),
    Life(
        "climbed",
        {"a smaller A": GOOD},
        experiments=1,
        front="deadline: 60s\nscales: {small: {}, large: {budget: 2s, runs: 2}, huge: {env: {SIZE: 9}, runs: 2}}\n",
    ),
    Life(
        "climbed-on-two",
        {"a smaller A": GOOD},
        experiments=1,
        front="deadline: 60s\nscales: {small: {}, large: {budget: 2s, runs: 2, gpus_per_run: 2}}\nclimb: 90%\n",
        gpus=2,
    ),
    Life(
        "ablated",
        {"a smaller A": GOOD, "a smaller C": MORE, "a larger B": BAD},
        experiments=4,
        acts=(
            Act(judged(2), e.Ablated(who="ada", runs=4)),
            Act(fulfilled, e.Without(who="ada"), titled="a smaller A"),
            Act(submitted_and_judged, gate="a larger B"),
        ),
    ),
    Life(
        "bundled",
        {f"a smaller {name}": f"s/{name}=5/{name}=4/" for name in "VWXY"},
        experiments=5,
        any_order=True,
        script=SMALL,
    ),
    Life(
        "many",
        {
            "a smaller A": GOOD,
            "a larger B": BAD,
            "broken": "s/# the end/exit 3/",
            "a smaller C": MORE,
            "a comment": "s/# two/# 2/",
            "a larger C": "s/# three/C=9/",
            "sleep first of all": "s/# one/sleep 0.4/",
        },
        experiments=7,
        front="slots: 4\ndeadline: 60s\n",
        any_order=True,
    ),
    Life(
        "hopeless",
        {f"a comment {n}": f"s/# one/# {n}/" for n in range(4)}
        | {f"B is {n}": f"s/B=5/B={n}/" for n in range(6, 10)}
        | {f"far off {n}": f"s/A=5/A={n}/" for n in (50, 60, 70)},
        experiments=11,
        front="deadline: 60s\nstop: {hopeless: on, after: 8}\n",
        any_order=True,  # on a busy machine two samples may be read as one, and then a curve says less
        script=CURVE,
    ),
    Life("team", {}, experiments=12, front="slots: 4\ndeadline: 60s\n", automl=True, team=True),
    Life("hybrid", {}, experiments=8, automl=True, model=True, front="deadline: 60s\nshares: fixed\n"),
    Life("sealed", {}, experiments=5, automl=True, front="deadline: 60s\nplacebos: 40%\n"),
    Life("tuned", {}, experiments=4, automl=True, sandbox="auto"),
)

LIVES = {life.name: life for life in _ALL}
