"""`looptop init`: makes a folder a workspace. Writes a `program.md` if there is none; changes nothing that exists."""

from collections.abc import Callable
from pathlib import Path

import yaml

from loop.lineage import LineageError, find_root, init_repository
from loop.study.contract import Contract

TEMPLATE = """\
---
{front}---
# What to improve

Make `{metric}` as {direction} as you can by changing `{edit}`, and nothing else.

- Each run gets LOOPTOP_BUDGET_S seconds of training and LOOPTOP_SEED as its seed; it writes to LOOPTOP_RUN_DIR only.
- At its end it prints a line `{metric}: NUMBER`. While it trains it may print lines like
  `step 00500 (52.4%) | loss: 2.31`, which the cockpit draws.
- One idea at a time, with a reason why it should help. A small gain that adds a lot of code is not worth it; the same
  number with less code is.

Write here what a new colleague would need to know: what the model is for, what has been tried, what must not change.
"""


def initialise(
    folder: Path, edit: str, metric: str, goal: str, command: str | None, ask: Callable[[str], bool] | None
) -> list[str]:
    """Make `folder` a workspace; returns what was done, a line each.

    Args:
        ask: asks the person before a git repository is made; None does not ask.

    Raises:
        LineageError: git failed, or the person said no.
    """
    done: list[str] = []
    try:
        root = find_root(folder)
        fresh = False
    except LineageError:
        root, fresh = folder, True
        if ask is not None and not ask(f"{folder} is not a git repository with a commit; make it one?"):
            raise LineageError(
                "looptop keeps every experiment in git, so it needs a repository; nothing was changed"
            ) from None
    program = root / "program.md"
    if program.exists():
        done.append(f"{program} exists already and stays as it is")
    else:
        run = f"python {edit}" if command is None else command
        Contract(edit=(edit,), run=run, metric=metric, goal="max" if goal == "max" else "min")
        values = {"edit": edit, "run": run, "metric": metric, "goal": goal, "budget": "5m"}
        front = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)  # quoted where it must be
        text = TEMPLATE.format(front=front, edit=edit, metric=metric, direction="high" if goal == "max" else "low")
        program.write_text(text, encoding="utf-8")
        done.append(f"wrote {program}: read it, and write into it what you want")
    if fresh:
        files = [path for path in (root / edit, program) if path.is_file()]
        init_repository(root, files)
        done.append(f"made a git repository with a first commit of {', '.join(path.name for path in files)}")
    if not (root / edit).is_file():
        done.append(f"{edit} does not exist yet: it is the file that researchers will edit")
    done.append("next: `looptop doctor`, then `looptop`")
    return done
