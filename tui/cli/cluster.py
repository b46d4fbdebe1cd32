"""`looptop cluster`: look at the nodes of a Ray cluster, and start nodes that join it."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.node_starters import ray_beside, slurm_script, ssh_script
from tui.cli.open_study import AsJson, Refused, print_json
from tui.cli.start import Sandbox

if TYPE_CHECKING:
    from loop.config.program import Program
    from loop.supervisor.cluster_check import NodeCheck

app = typer.Typer(
    name="cluster",
    help="Other machines: check the nodes of a Ray cluster, and start some.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Address = Annotated[str, typer.Option("--address", help="HOST:PORT of the cluster's head, as the nodes reach it.")]
Python = Annotated[
    str, typer.Option("--python", help="The Python there that has looptop and Ray.", show_default="as here")
]


@app.command()
def check(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(help="auto, or where it is.", show_default=False)] = None,
    sandbox: Sandbox = None,
    as_json: AsJson = False,
) -> None:
    """Look at every node of a cluster, as a loop that is started now would.

    Says of each whether runs can go there, and if not, what to do: looptop, Python, Ray and torch, GPUs, sandbox, disk,
    clock, and the program's data, environment and modules. Starts nothing that stays. An address is HOST:PORT, or
    ray://HOST:PORT from a machine that is not in the cluster. Without one: that of the settings, or the cluster that
    this machine is in.

    Exit code 1 if no node is ready.

    Example: looptop cluster check auto

    Example: looptop cluster check 10.0.0.1:6379 --json
    """
    from pydantic import ValidationError

    from loop.config import settings as personal
    from loop.config.overrides import Overrides
    from loop.supervisor import cluster_check

    try:
        flags = Overrides.model_validate({"cluster": address, "sandbox": sandbox})
    except ValidationError as error:
        raise Refused(f"{error.errors()[0]['msg'].removeprefix('Value error, ')}", 2) from None
    settings = flags.over_settings(personal.read())
    wanted = settings.cluster if settings.cluster not in (None, "off") else "auto"
    root, program = _program(context.obj)
    if not as_json:
        typer.echo(f"looking at the nodes of {wanted}; this takes some seconds", err=True)
    found = asyncio.run(cluster_check.check(wanted, settings.sandbox, root, program))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        typer.echo("\n".join(line for one in found for line in lines_of(one)) or "the cluster has no node")
    raise typer.Exit(0 if any(one.ready for one in found) else 1)


@app.command()
def ssh(
    hosts: Annotated[list[str], typer.Argument(help="Machines, as `ssh` knows them.")],
    address: Address,
    python: Python = sys.executable,
) -> None:
    """Start Ray on other machines over SSH, so that they join the cluster.

    For who has machines and nobody who hands them out. Each needs the same looptop, Python and Ray as this one. The
    token of this machine goes along, on the standard input of a shell there.

    Example: looptop cluster ssh gpu1 gpu2 --address 10.0.0.1:6379
    """
    _checked(address)
    if bad := next((host for host in hosts if host.startswith("-") or not host.isprintable()), None):
        raise Refused(f"{bad!r:.80} is no name of a machine", 2)
    program = shutil.which("ssh")
    if program is None:
        raise Refused("ssh is not installed here")
    script, failed = ssh_script(address, ray_beside(python), _token()), 0
    for host in hosts:
        said = subprocess.run([program, host, "sh", "-s"], input=script, capture_output=True, text=True)
        failed += said.returncode != 0
        last = (said.stderr.strip() or said.stdout.strip()).splitlines()[-1:] or [""]
        typer.echo(f"✓ {host} joined" if said.returncode == 0 else f"✗ {host}: {last[0]} (exit code {said.returncode})")
    if failed:
        raise typer.Exit(1)
    typer.echo(f"`looptop cluster check {address}` looks at them")


@app.command()
def slurm(
    address: Address,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Machines.")] = 1,
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="GPUs on each.")] = 0,
    cpus: Annotated[int, typer.Option("--cpus", min=0, help="Processors on each.", show_default="as Slurm gives")] = 0,
    time: Annotated[str, typer.Option("--time", help="For how long, as Slurm has it.")] = "12:00:00",
    partition: Annotated[str, typer.Option("--partition", help="Of Slurm.", show_default="Slurm's own")] = "",
    python: Python = sys.executable,
    submit: Annotated[bool, typer.Option("--submit", help="Hand the job to sbatch, instead of printing it.")] = False,
) -> None:
    """A job for Slurm whose machines join the cluster.

    Prints the script for `sbatch`, or submits it. The machines are nodes until the job's time is over; what runs on
    them then is run again elsewhere.

    Example: looptop cluster slurm --address login1:6379 --nodes 2 --gpus 8 --time 12:00:00

    Example: looptop cluster slurm --address login1:6379 --nodes 2 --gpus 8 --submit
    """
    _checked(address)
    if not re.fullmatch(r"[0-9:-]{1,20}", time):
        raise Refused("--time is as Slurm has it, such as 12:00:00 or 2-00:00:00", 2)
    if partition and not re.fullmatch(r"[\w.,-]{1,80}", partition):
        raise Refused(f"--partition: {partition!r:.80} is no name of Slurm's", 2)
    script = slurm_script(address, ray_beside(python), nodes, gpus, cpus, time, partition)
    if not submit:
        typer.echo(script, nl=False)
        return
    program = shutil.which("sbatch")
    if program is None:
        raise Refused("sbatch is not installed here; without --submit the script is printed")
    said = subprocess.run([program], input=script, capture_output=True, text=True)
    if said.returncode:
        raise Refused(f"sbatch: {(said.stderr.strip().splitlines() or ['it failed'])[-1]}")
    typer.echo(said.stdout.strip())


def lines_of(one: "NodeCheck") -> list[str]:
    """A node as a person reads it."""
    head = f"{'✓' if one.ready else '✗'} {one.name:<16} {'ready' if one.ready else f'unfit: {one.why}'}"
    return [head, *([f"    {one.about}"] if one.about else []), *(f"  – {said}" for said in one.remarks)]


def _checked(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:]+\]", host) or not port.isdecimal():
        raise Refused(f"--address must be HOST:PORT, such as 10.0.0.1:6379, not {address!r:.80}", 2)


def _token() -> str:
    """The token of this machine's Ray."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    try:
        return path.read_text().strip()
    except OSError:
        raise Refused(f"there is no token at {path}; `ray get-auth-token --generate` makes one") from None


def _program(folder: Path) -> "tuple[Path | None, Program | None]":
    """The project around `folder` and its program; none where there is none."""
    from loop.config import program as programs
    from loop.errors import UserError
    from loop.lineage import find_root, matching

    try:
        root = find_root(folder)
        return root, programs.load(root, matching)
    except UserError:
        return None, None
