"""`looptop service`: have systemd continue the loop here after a reboot."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

import typer

from loop.machine.systemd import lingers, unit, unit_folder, unit_name
from tui.cli.open_study import Refused, find_root

app = typer.Typer(
    name="service",
    help="Let systemd continue the loop after a reboot.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command()
def install(context: typer.Context) -> None:
    """Write a systemd user unit that continues the loop here.

    After a reboot, and when the loop was killed. Only a loop that was interrupted at work goes on: one that you have
    stopped, or that has reached a limit, waits for you. Nothing is started or stopped now.

    Example: looptop service install
    """
    root = find_root(context.obj)
    if "\n" in str(root):
        raise Refused("a unit cannot name a folder with a line break in its name; move the checkout")
    path = unit_folder(os.environ) / unit_name(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit(root, sys.executable, os.environ.get("PATH", os.defpath)))
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror})") from None
    typer.echo(f"wrote {path}")
    steps = ["daemon-reload", f"enable {path.name}"]
    left = _left_to_do(steps)
    if not left:
        typer.echo("after a reboot, or when it was killed, the loop here goes on")
    if not lingers():
        left.append("loginctl enable-linger    # else it waits for your first login, and ends with your last logout")
    if left:
        typer.echo("\n".join(["still to do:", *(f"  {line}" for line in left)]))
    if unseen := _unseen(os.environ):
        typer.echo(unseen)


@app.command()
def remove(context: typer.Context) -> None:
    """Remove the unit of this workspace. A loop that is at work goes on.

    Example: looptop service remove
    """
    path = unit_folder(os.environ) / unit_name(find_root(context.obj))
    if not path.exists():
        raise Refused(f"there is no unit of this workspace ({path})")
    left = _left_to_do([f"disable {path.name}"])
    path.unlink()
    left += _left_to_do(["daemon-reload"])
    typer.echo(f"removed {path}")
    if left:
        typer.echo("\n".join(["still to do:", *(f"  {line}" for line in left)]))


def _left_to_do(steps: list[str]) -> list[str]:
    """Have the user's service manager take these steps; returns the commands for those that it did not take."""
    systemctl = shutil.which("systemctl")
    for at, step in enumerate(steps):
        done = systemctl and subprocess.run([systemctl, "--user", *step.split()], capture_output=True).returncode == 0
        if not done:
            return [f"systemctl --user {left}" for left in steps[at:]]
    return []


def _unseen(environ: Mapping[str, str]) -> str:
    """A sentence about settings in the environment of this shell, which a unit does not see; empty without any."""
    from loop.config.settings import Settings, config_file

    known = {"OPENAI_API_KEY", "OPENAI_BASE_URL", *(f"LOOPTOP_{name.upper()}" for name in Settings.model_fields)}
    found = ", ".join(sorted(name for name in known if environ.get(name)))
    return found and f"the unit does not see {found} from this shell; put what it needs into {config_file(environ)}"
