"""The command `looptop`.

Every command reads or appends to the journal of the workspace it is called in; only `looptop` and `looptop run` start
anything. Heavy imports (Textual, GitPython, optuna) happen inside the commands that need them, so that `looptop status`
answers in a tenth of a second.

Exit codes: 0; 1 it failed; 2 used wrongly.
"""

import getpass
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from loop import events as e
    from loop.journal import Journal
    from loop.options import Options
    from loop.study import Experiment, Study

app = typer.Typer(
    name="looptop",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Refused(Exception):
    """Said to the person as one sentence.

    Args:
        code: exit code; 1 where something is not as it must be, 2 where the command was used wrongly.
    """

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


# --- options that several commands share ---------------------------------------------------------------------------

Workspace = Annotated[
    Path, typer.Option("-C", "--workspace", help="A folder of the checkout to work in.", show_default="here")
]
Researcher = Annotated[
    str | None, typer.Option("--researcher", help="Who proposes: automl (Optuna's TPE over the constants; no key).")
]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Training time of one run instead of the program's: 20s, 5m.")
]
Experiments = Annotated[int | None, typer.Option("--experiments", min=1, help="Stop after so many verdicts.")]
Hours = Annotated[float | None, typer.Option("--hours", help="Stop after so many hours at work.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Name of a study that begins; its branch is looptop/TAG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Number = Annotated[int, typer.Argument(metavar="N", help="Number of the experiment.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII characters.")]


# --- starting and looking --------------------------------------------------------------------------------------------


@app.callback()
def start(
    context: typer.Context,
    workspace: Workspace = Path(),
    researcher: Researcher = None,
    budget: Budget = None,
    experiments: Experiments = None,
    hours: Hours = None,
    tag: Tag = None,
    ascii: Ascii = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A supervisor and terminal cockpit for the Karpathy loop.

    An AI researcher edits train.py, runs it under a fixed budget, keeps or discards the change by a measured number,
    and goes on for days. Without a command: start the loop here if none runs, and attach the cockpit to it. `q`
    detaches; the loop goes on.

    Example: looptop --researcher automl --budget 20s --experiments 30
    """
    if version:
        from loop.version import VERSION

        typer.echo(f"looptop {VERSION}")
        raise typer.Exit
    context.obj = workspace
    if context.invoked_subcommand is not None:
        return
    from loop.service import start_in_background
    from loop.workspace import supervisor_alive
    from tui import cockpit

    flags = _flags(researcher, budget, experiments, hours, tag)
    root = _root(workspace)
    if (pid := supervisor_alive(root)) is not None:
        if flags.model_dump(exclude_none=True):
            typer.echo(f"looptop: a loop runs here already (process {pid}); its own flags stay in force", err=True)
    else:
        pid = start_in_background(root, flags)
    if (why := cockpit.refusal()) is not None:
        typer.echo(f"looptop: the loop runs in the background (process {pid}); {why}")
        raise typer.Exit
    raise typer.Exit(cockpit.run(root, ascii=ascii))


@app.command()
def attach(
    context: typer.Context,
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only: no key changes anything.")] = False,
    ascii: Ascii = False,
) -> None:
    """Attach the cockpit to the study here.

    Whether its loop runs or not; any number of cockpits may be attached.

    Example: looptop attach --read-only
    """
    from tui import cockpit

    root = _root(context.obj)
    _open(root).close()
    raise typer.Exit(cockpit.run(root, read_only=read_only, ascii=ascii))


@app.command()
def run(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="No screen: one plain line for each event.")] = False,
    researcher: Researcher = None,
    budget: Budget = None,
    experiments: Experiments = None,
    hours: Hours = None,
    tag: Tag = None,
) -> None:
    """Run the loop in the foreground, without a screen.

    Prints a plain line for each event, until a limit is reached or ctrl+c.

    Needs no terminal, so it suits a batch job or a container. Exit code 1 if the baseline does not work.

    Example: looptop run --headless --experiments 30
    """
    if not headless:
        raise Refused("say `looptop run --headless` for the foreground, or just `looptop` for the cockpit", 2)
    from loop.service import work
    from tui.headless import print_events

    end = work(_root(context.obj), _flags(researcher, budget, experiments, hours, tag), print_events)
    raise typer.Exit(1 if end.failed else 0)


@app.command()
def init(
    context: typer.Context,
    edit: Annotated[str, typer.Option("--edit", help="The file that researchers may edit.")] = "train.py",
    metric: Annotated[str, typer.Option("--metric", help="The number that its output ends with.")] = "val_bpb",
    goal: Annotated[str, typer.Option("--goal", help="min or max.")] = "min",
    command: Annotated[
        str | None, typer.Option("--run", help="The command of one run.", show_default="python EDIT")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before making a git repository.")] = False,
) -> None:
    """Make this folder a workspace.

    A git repository if it is none, and a program.md if there is none; what is there stays as it is.

    Example: looptop init --edit train.py --metric val_loss
    """
    from pydantic import ValidationError

    from tui.init import initialise

    if goal not in ("min", "max"):
        raise Refused(f"--goal is min or max, not {goal!r}", 2)
    try:
        lines = initialise(context.obj.resolve(), edit, metric, goal, command, None if yes else typer.confirm)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}", 2) from None
    typer.echo("\n".join(lines))


@app.command()
def status(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Say whether the loop is alive and what it has found.

    Example: looptop status --json | jq .champion
    """
    from loop.workspace import supervisor_alive
    from tui import reports

    root = _root(context.obj)
    with _open(root) as journal:
        study = _fold(journal)
    pid = supervisor_alive(root)
    if as_json:
        _print_json(reports.status(study, pid, time.time()))
    else:
        typer.echo("\n".join([*reports.status_lines(study, pid, time.time()), *reports.summary(study)]))


@app.command()
def experiments(context: typer.Context, as_json: AsJson = False) -> None:
    """List all experiments.

    With verdict, metric, effect in units of the noise (σ, positive is better), and title.

    Example: looptop experiments --json
    """
    from tui import reports

    with _open(_root(context.obj)) as journal:
        study = _fold(journal)
    if as_json:
        _print_json([reports.experiment(study, found) for found in study.experiments.values()])
    else:
        typer.echo("\n".join(reports.table(study)))


@app.command()
def show(
    context: typer.Context,
    number: Number,
    diff: Annotated[bool, typer.Option("--diff", help="Its change, as a unified diff.")] = False,
    log: Annotated[bool, typer.Option("--log", help="The output of its newest run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one experiment, its diff or its log.

    Hypothesis, runs, verdict and why.

    Example: looptop show 12 --diff
    """
    from tui import reports

    root = _root(context.obj)
    with _open(root) as journal:
        study = _fold(journal)
    found = _experiment(study, number)
    if diff:
        typer.echo(_diff(root, study, found), nl=False)
    elif log:
        if not found.runs:
            raise Refused(f"experiment {number} has not run yet")
        _print_log(root, number, max(found.runs), follow=False)
    elif as_json:
        _print_json(reports.experiment(study, found))
    else:
        typer.echo("\n".join(reports.details(study, found)))


@app.command()
def log(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as it grows, run after run.")] = False,
) -> None:
    """Print the output of the newest run.

    Example: looptop log -f
    """
    from tui import reports

    root = _root(context.obj)
    shown: tuple[int, int] | None = None
    while True:
        with _open(root) as journal:
            newest = reports.newest(_fold(journal).experiments.values())
        if newest is None and not follow:
            raise Refused("nothing has run here yet")
        if newest is not None and (newest.id, max(newest.runs)) != shown:
            shown = newest.id, max(newest.runs)
            _print_log(root, *shown, follow=follow)
        if not follow:
            return
        time.sleep(0.5)


# --- steering --------------------------------------------------------------------------------------------------------


@app.command()
def pause(context: typer.Context) -> None:
    """Start no run after the one in flight.

    Until `looptop resume`. The supervisor stays at work, and costs next to nothing.
    """
    from loop import events as e

    _wish(context, e.Paused(who=_who()))


@app.command()
def resume(context: typer.Context) -> None:
    """Go on after `looptop pause`."""
    from loop import events as e

    _wish(context, e.Resumed(who=_who()))


@app.command()
def steer(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words for the researcher.")],
    interrupt: Annotated[bool, typer.Option("-i", "--interrupt", help="Cut its present thought short.")] = False,
) -> None:
    """Say something to the researcher.

    It hears it before its next proposal; with -i at once.

    Example: looptop steer "focus on the learning rates"
    """
    from loop import events as e

    if not text.strip():
        raise Refused("there are no words to pass on", 2)
    _wish(context, e.Steered(who=_who(), text=text.strip(), interrupt=interrupt))


@app.command()
def kill(context: typer.Context, number: Number) -> None:
    """End the run of experiment N.

    Or take it out of the queue; its verdict is "killed" and everything of it is kept.
    """
    from loop import events as e

    _wish(context, e.Killed(who=_who()), number)


@app.command()
def approve(context: typer.Context, number: Number) -> None:
    """Let a waiting proposal run.

    Proposals wait where program.md says `review: all`.
    """
    from loop import events as e

    _wish(context, e.Approved(who=_who()), number)


@app.command()
def reject(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Turn down a waiting proposal."""
    from loop import events as e

    _wish(context, e.Rejected(who=_who(), why=why), number)


@app.command()
def keep(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Overrule: make experiment N the champion."""
    from loop import events as e

    _wish(context, e.Overruled(who=_who(), verdict="kept", why=why), number)


@app.command()
def discard(
    context: typer.Context,
    number: Number,
    why: Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")] = "",
) -> None:
    """Overrule: discard the champion N.

    The one before it is champion again.
    """
    from loop import events as e

    _wish(context, e.Overruled(who=_who(), verdict="discarded", why=why), number)


@app.command()
def requeue(context: typer.Context, number: Number) -> None:
    """Run experiment N again, on today's champion."""
    from loop import events as e

    _wish(context, e.Requeued(who=_who()), number)


@app.command()
def stop(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="End the run in flight; it is run again after a start.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has stopped.")] = True,
) -> None:
    """Stop the loop after the run in flight.

    Waits for that. Everything is kept, and `looptop` goes on from there.

    Example: looptop stop --now
    """
    from loop.workspace import supervisor_alive
    from tui.stopping import stop_loop

    root = _root(context.obj)
    if supervisor_alive(root) is None:
        typer.echo("no loop runs here")
        return
    with _open(root) as journal:
        for line in stop_loop(root, journal, _who(), now=now, wait=wait):
            typer.echo(line)


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what is here, what is missing and how to get it.

    Exit code 1 if something that the loop needs is missing.
    """
    from tui.doctor import examine

    findings = examine(context.obj.resolve())
    if as_json:
        _print_json([finding.as_dict() for finding in findings])
    else:
        typer.echo("\n".join(finding.line() for finding in findings))
    raise typer.Exit(1 if any(finding.needed and not finding.good for finding in findings) else 0)


# --- what the commands share -----------------------------------------------------------------------------------------


def _root(start: Path) -> Path:
    """Top of the checkout around `start`; found without git where a study is there already."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ".looptop" / "journal.db").exists():
            return folder
    from loop.lineage import find_root

    return find_root(start)


def _open(root: Path) -> "Journal":
    from loop.journal import Journal
    from loop.workspace import Workspace

    return Journal(Workspace(root).journal)


def _fold(journal: "Journal") -> "Study":
    from loop.study import FOLDED, fold

    study = fold(journal.read(kinds=FOLDED))
    newest = journal.read(limit=1, newest=True)
    study.at = max([study.at, *(event.at for event in newest)])
    return study


def _experiment(study: "Study", number: int) -> "Experiment":
    found = study.experiments.get(number)
    if found is None:
        most = max(study.experiments, default=None)
        known = "there is none yet" if most is None else f"they go from 0 to {most}"
        raise Refused(f"there is no experiment {number}; {known}", 2)
    return found


def _flags(
    researcher: str | None, budget: str | None, experiments: int | None, hours: float | None, tag: str | None
) -> "Options":
    from pydantic import ValidationError

    from loop.options import Options
    from loop.researchers import KNOWN

    if researcher is not None and researcher not in KNOWN:
        raise Refused(f"there is no researcher called {researcher!r}; known: {', '.join(KNOWN)}", 2)
    try:
        return Options.model_validate(
            {"researcher": researcher, "budget": budget, "experiments": experiments, "hours": hours, "tag": tag}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}", 2) from None


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "you"


def _wish(context: typer.Context, body: "e.Body", number: int | None = None) -> None:
    """Append a wish, wait a moment for what comes of it, and say so."""
    from loop import events as e
    from loop.workspace import supervisor_alive

    root = _root(context.obj)
    with _open(root) as journal:
        if number is not None:
            _experiment(_fold(journal), number)
        seq = journal.append(body, number)
        if supervisor_alive(root) is None:
            typer.echo("noted; no loop runs here now, so it takes effect when `looptop` starts one")
            return
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for event in journal.read(seq, kinds={"wish_granted"}):
                if isinstance(event.body, e.WishGranted) and event.body.wish == seq:
                    typer.echo(event.body.outcome)
                    return
            time.sleep(0.05)
    later = {"paused": "after the run in flight", "steered": "before its next proposal"}
    typer.echo(f"noted; it takes effect {later.get(body.kind, 'as soon as it can')}")


def _diff(root: Path, study: "Study", found: "Experiment") -> str:
    from loop.lineage import Lineage

    if found.commit is None or found.parent_commit is None:
        raise Refused(f"experiment {found.id} has no commit to compare")
    return Lineage(root, study.tag).diff(found.parent_commit, found.commit)


def _print_log(root: Path, experiment: int, number: int, *, follow: bool) -> None:
    """Print a run's log; with `follow`, until the run has ended and a newer one may have begun."""
    from loop.runs.log import read_log
    from loop.workspace import Workspace

    folder = Workspace(root).run_folder(experiment, number)
    offset = 0
    while True:
        piece = read_log(folder, offset)
        if piece.text:
            sys.stdout.write(piece.text)
            offset = piece.end
            continue
        sys.stdout.flush()
        if not follow or _ended(root, experiment, number):
            return
        time.sleep(0.3)


def _ended(root: Path, experiment: int, number: int) -> bool:
    with _open(root) as journal:
        return bool(journal.read(kinds={"run_finished"}, experiment=experiment, run=number, limit=1))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def main() -> None:
    """Run the command line; whatever goes wrong that a person can mend is one sentence, never a traceback."""
    try:
        app()
    except Refused as refused:
        _fail(str(refused), refused.code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `looptop experiments | head`
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from loop.service import SENTENCES

        if isinstance(error, SENTENCES):
            _fail(str(error), 1)
        if os.environ.get("LOOPTOP_TRACEBACK"):
            raise
        _fail(f"a defect of looptop: {type(error).__name__}: {error} (LOOPTOP_TRACEBACK=1 shows where)", 1)


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"looptop: {sentence}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
