"""The command `looptop`: its subcommands and its exit codes.

Every command reads the journal of its workspace or appends to it; only `looptop` and `looptop run` start anything.
Heavy imports (Textual, GitPython, optuna) happen inside the commands that need them, so that `looptop status` answers
in a quarter of a second.

Exit codes: 0 success, 1 failure, 2 wrong use.
"""

import os
import sys
from typing import Any, NoReturn

import typer

from loop.errors import UserError
from tui.cli import (
    adopt,
    bench,
    cluster,
    compare,
    config,
    control,
    digest,
    doctor,
    follow,
    inspect,
    ladder,
    mcp,
    milestone,
    notify,
    replay,
    report,
    service,
    start,
    studies,
    watch,
    web,
)

app = typer.Typer(
    name="looptop",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(start.start)
for command in (
    start.attach,
    start.run,
    start.init,
    start.help,
    adopt.adopt,
    watch.watch,
    inspect.status,
    digest.digest,
    replay.replay,
    studies.ls,
    web.web,
    inspect.slots,
    inspect.experiments,
    inspect.show,
    compare.compare,
    inspect.log,
    inspect.export,
    report.report,
    report.cost,
    report.finish,
    milestone.milestone,
    ladder.ladder,
    follow.follow,
    bench.bench,
):
    app.command()(command)
control.add_commands(app)
app.command()(doctor.doctor)
app.command()(mcp.mcp)
app.command()(config.config)
app.command()(notify.notify)
app.add_typer(service.app)
app.add_typer(cluster.app)


def main() -> None:
    """Run the command line. What a person can mend is reported in one sentence, never with a traceback."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - `>&-` closes them
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    output = sys.stdout
    try:
        code = app(prog_name="looptop", standalone_mode=False)
    except BrokenPipeError:
        _nobody_reads()
    except SystemExit:
        if sys.stdout is not output:  # typer has met a closed pipe, and has put something in its place
            _nobody_reads()
        raise
    except KeyboardInterrupt:
        sys.exit(130)
    except UserError as error:
        _fail(str(error), error.code)
    except typer.Abort:
        _fail("stopped at your word; nothing was done", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # the command line's own; typer has moved its class more than once
            _fail(_misuse(error), 2)
        if os.environ.get("LOOPTOP_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.strerror:  # such as a full disk, or a name that is too long
            if error.filename is None:
                _leave_output()
            where = str(error.filename or "the output").encode("utf-8", "replace").decode()[:200]
            _fail(f"{where} cannot be read or written: {error.strerror}", 1)
        _fail(f"a bug in looptop: {type(error).__name__}: {error} (LOOPTOP_TRACEBACK=1 shows where)", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _misuse(error: Any) -> str:
    """What is wrong with a command line, in one sentence with what to do instead."""
    said = " ".join(error.format_message().split()).rstrip(".")
    said = said.replace("Input should be", "it must be").partition(", unable to parse")[0]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "looptop"
    if " " in path and getattr(error, "option_name", None) in ("-C", "--workspace"):
        return f"-C goes in front of the command: `looptop -C FOLDER {path.partition(' ')[2]}`"
    return f"{said[:1].lower()}{said[1:]}{'' if said.endswith('?') else ';'} `{path} -h` shows what there is"


def _nobody_reads() -> NoReturn:
    """End well: whoever reads has had enough, as in `looptop experiments | head`."""
    _leave_output()
    sys.exit(0)


def _leave_output() -> None:
    """Redirect an output that is closed or full to nowhere, else flushing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"looptop: {sentence}", file=sys.stderr)
    sys.exit(code)
