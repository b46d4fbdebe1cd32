"""Commands that start something: the loop, a cockpit, a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Refused, find_root, open_journal, print_json

if TYPE_CHECKING:
    from loop.config.overrides import Overrides

Workspace = Annotated[
    Path, typer.Option("-C", "--workspace", help="A folder of the checkout to work on.", show_default="here")
]
Researcher = Annotated[
    list[str] | None,
    typer.Option(
        "--researcher",
        help="Who proposes: automl (needs no key), llm (a language model), hybrid (both), or the command line of a "
        "coding agent. Several times for several.",
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Name of the language model at its endpoint. See docs/models.md.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="An OpenAI-compatible endpoint: http://localhost:8000/v1. Key: OPENAI_API_KEY."),
]
Sandbox = Annotated[str | None, typer.Option("--sandbox", help="Sandbox of the runs: auto, bubblewrap, landlock, off.")]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Training time of one run, instead of the program's: 20s, 5m.")
]
Experiments = Annotated[int | None, typer.Option("--experiments", min=1, help="Stop after this many verdicts.")]
Hours = Annotated[float | None, typer.Option("--hours", help="Stop after this many hours of work.")]
Slots = Annotated[int | None, typer.Option("--slots", min=1, help="Runs at once on this machine; one a GPU without.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Runs on a Ray cluster instead of this machine: auto, HOST:PORT or ray://HOST:PORT; off ends that. "
        "See docs/scale.md.",
    ),
]
ClusterNodes = Annotated[
    str | None,
    typer.Option("--cluster-nodes", help="Which nodes of the cluster to use, such as gpu1,gpu2; all ends that."),
]
Tag = Annotated[str | None, typer.Option("--tag", help="Name of a new study; its branch is looptop/TAG.")]
Theme = Annotated[str | None, typer.Option("--theme", help="Colours: auto, dark, light, contrast, ansi, mono (none).")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII characters.")]


def start(
    context: typer.Context,
    workspace: Workspace = Path(),
    researcher: Researcher = None,
    model: Model = None,
    base_url: BaseUrl = None,
    sandbox: Sandbox = None,
    budget: Budget = None,
    experiments: Experiments = None,
    hours: Hours = None,
    slots: Slots = None,
    cluster: Cluster = None,
    cluster_nodes: ClusterNodes = None,
    tag: Tag = None,
    ascii: Ascii = False,
    theme: Theme = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A supervisor and terminal cockpit for the Karpathy loop.

    An AI researcher edits train.py; the loop runs it under a fixed budget, keeps or discards the change by a measured
    number, and goes on for days. Without a command: start the loop here unless it runs, and attach the cockpit. `q`
    detaches; the loop goes on.

    Example: looptop --researcher automl --budget 20s --experiments 30

    Example: looptop --model qwen3-coder --base-url http://localhost:8000/v1
    """
    if version:
        from loop import VERSION

        typer.echo(f"looptop {VERSION}")
        raise typer.Exit
    context.obj = workspace
    if context.invoked_subcommand is not None:
        _hand_on(context)
        return
    from loop.supervisor.service import start_in_background
    from loop.workspace import AlreadySupervised, supervisor_alive
    from tui.cockpit import launch

    flags = flags_of(context)
    root = find_root(workspace)
    launch.settings(theme)  # before a loop is started
    pid = supervisor_alive(root)
    there = pid is not None
    if not there:
        _say_where(flags)
        try:
            pid = start_in_background(root, flags)
        except AlreadySupervised as other:  # such as in two panes at once
            pid, there = other.pid, True
    if there and flags.model_dump(exclude_none=True):
        typer.echo(f"looptop: a loop runs here already (process {pid}); its own options stay in force", err=True)
    if (why := launch.refusal()) is not None:
        typer.echo(f"looptop: the loop runs in the background (process {pid}); {why}")
        raise typer.Exit
    raise typer.Exit(launch.run(root, ascii=ascii, theme=theme))


def _hand_on(context: typer.Context) -> None:
    """Give options in front of a command to the command, where it has them too; refuse those that it would not see."""
    assert context.invoked_subcommand is not None
    command = context.command.get_command(context, context.invoked_subcommand)  # type: ignore[attr-defined]
    own = {name: value for name, value in context.params.items() if value and name not in ("workspace", "version")}
    known = {option.name for option in command.params} if command is not None else own.keys()
    if unknown := own.keys() - known:
        option, name = f"--{min(unknown).replace('_', '-')}", context.invoked_subcommand
        raise Refused(f"{option} in front of `{name}` has no effect; `looptop {name} -h` shows its options", 2)
    context.default_map = {context.invoked_subcommand: own}


def help(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(metavar="COMMAND", show_default=False)] = None,
) -> None:
    """Show this help, or that of a command.

    Example: looptop help steer
    """
    parent = context.parent
    assert parent is not None
    if command is None:
        typer.echo(parent.get_help())
        return
    found = parent.command.get_command(parent, command)  # type: ignore[attr-defined]
    if found is None:
        raise Refused(f"there is no command {command!r:.80}; `looptop help` lists them", 2)
    with type(context)(found, info_name=command, parent=parent) as of:
        typer.echo(found.get_help(of))


def attach(
    context: typer.Context,
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only: no key changes anything.")] = False,
    ascii: Ascii = False,
    theme: Theme = None,
) -> None:
    """Attach the cockpit to the study here.

    Works whether or not the loop runs; any number of cockpits may be attached.

    Example: looptop attach --read-only
    """
    from tui.cockpit import launch

    root = find_root(context.obj)
    open_journal(root).close()
    raise typer.Exit(launch.run(root, read_only=read_only, ascii=ascii, theme=theme))


def run(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="No screen: a plain line for each event.")] = False,
    researcher: Researcher = None,
    model: Model = None,
    base_url: BaseUrl = None,
    sandbox: Sandbox = None,
    budget: Budget = None,
    experiments: Experiments = None,
    hours: Hours = None,
    slots: Slots = None,
    cluster: Cluster = None,
    cluster_nodes: ClusterNodes = None,
    tag: Tag = None,
) -> None:
    """Run the loop in the foreground, without a screen.

    Prints a plain line for each event, until a limit is reached or ctrl+c. Needs no terminal, so it suits batch jobs
    and containers. Exit code 1 if the baseline fails.

    Example: looptop run --headless --experiments 30
    """
    if not headless:
        raise Refused("use `looptop run --headless` for the foreground, or just `looptop` for the cockpit", 2)
    from loop.supervisor.service import work
    from tui.cli.event_lines import print_events

    flags = flags_of(context)
    _say_where(flags)
    end = work(find_root(context.obj), flags, print_events)
    raise typer.Exit(1 if end.failed else 0)


def init(
    context: typer.Context,
    edit: Annotated[str | None, typer.Option("--edit", help="The file that researchers may edit.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="The number that a run prints at its end.")] = None,
    goal: Annotated[str | None, typer.Option("--goal", help="The better direction of the metric: min or max.")] = None,
    command: Annotated[str | None, typer.Option("--run", help="Command of one run.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Make a git repository without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make this folder a workspace.

    Writes a program.md with what it finds: the training script, how it is started, its metric, its data. Makes a git
    repository where there is none. Changes nothing that exists.

    Example: looptop init

    Example: looptop init --edit src/model.py --metric accuracy
    """
    from pydantic import ValidationError

    from loop.config.discovery import Said
    from tui.cli.init import initialise

    if goal not in (None, "min", "max"):
        raise Refused(f"--goal is min or max, not {goal!r}", 2)
    try:
        done = initialise(context.obj.resolve(), Said(edit, command, metric, goal), None if yes else typer.confirm)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{first['loc'][0]}: {_said(first['msg'])}", 2) from None
    if as_json:
        print_json(done.as_json())
    else:
        typer.echo("\n".join(done.lines))


def flags_of(context: typer.Context) -> "Overrides":
    """Those options of a command that are fields of `Overrides`, checked."""
    from pydantic import ValidationError

    from loop.config.overrides import Overrides
    from loop.researchers.agents.command_line import UnknownResearcher
    from loop.researchers.registry import check

    given = {name: context.params.get(name) for name in Overrides.model_fields}
    if given["tag"] is not None and not given["tag"].strip():
        raise Refused("--tag: a study needs a name; without the option it is today's date", 2)
    try:
        given["researcher"] = tuple(given["researcher"] or ()) or None
        for kind in given["researcher"] or ():
            check(kind)
        if given["researcher"] is None and (given["model"] or given["base_url"]):
            given["researcher"] = ("llm",)
        return Overrides.model_validate(given)
    except UnknownResearcher as error:
        raise Refused(f"{error}; a language model is named with --model", 2) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise Refused(f"--{name}: {_said(first['msg'])}", 2) from None


def _say_where(flags: "Overrides") -> None:
    """Say that a cluster is being reached: that takes a while."""
    if flags.cluster not in (None, "off"):
        typer.echo(f"looptop: looking at the nodes of {flags.cluster}", err=True)


def _said(message: str) -> str:
    """What pydantic found wrong with a value, without the words that only a programmer understands."""
    return message.removeprefix("Value error, ").replace("Input should be", "it must be").partition(", unable to")[0]
