"""How nodes are started that join a Ray cluster: over SSH, and as a job of Slurm. Makes text; starts nothing."""

import shlex
from pathlib import Path

TOKEN_FILE = "~/.ray/auth_token"

ALONG = ("PATH", "HOME", "USER", "LANG", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "LOOPTOP_NODE_FOLDER")
"""What a job has of the environment that it is submitted from: Slurm would take all of it along, keys and all."""


def ssh_script(address: str, ray: str, token: str) -> str:
    """What a shell on another machine is given on its standard input, where no `ps` shows the token.

    Args:
        address: HOST:PORT of the cluster's head.
        ray: the program there.
        token: the cluster's; empty: the machine has it already.
    """
    lines = ["set -e", "umask 077"]
    if token:
        lines += ["mkdir -p ~/.ray", f"printf %s {shlex.quote(token)} > {TOKEN_FILE}"]
    lines += [
        "export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0",
        'command -v bwrap > /dev/null || echo "bubblewrap is not installed here, so no run is confined" >&2',
        f'exec {shlex.quote(ray)} start --address {shlex.quote(address)} --node-name "$(hostname -s)"',
    ]
    return "\n".join(lines) + "\n"


def slurm_script(address: str, ray: str, nodes: int, gpus: int, cpus: int, time: str, partition: str) -> str:
    """A job for `sbatch`: one node of Ray on each of its machines, until its time is over.

    Args:
        gpus: on each node.
        cpus: on each node; 0 leaves it to Slurm. Ray is told what Slurm gave; by itself it counts the whole machine.
        time: as Slurm has it, such as 12:00:00.
    """
    wanted = [
        "--job-name=looptop-nodes",
        f"--nodes={nodes}",
        "--ntasks-per-node=1",
        *([f"--gpus-per-node={gpus}"] if gpus else []),
        *([f"--cpus-per-task={cpus}"] if cpus else []),
        f"--time={time}",
        *([f"--partition={partition}"] if partition else []),
        f"--export={','.join(ALONG)}",
        "--output=looptop-nodes-%j.out",
    ]
    own = (
        f"exec {shlex.quote(ray)} start --block --address {shlex.quote(address)} "
        '--node-name "$SLURMD_NODENAME" --num-cpus "${SLURM_CPUS_ON_NODE:-1}"'
    )
    return "\n".join(
        (
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in wanted),
            "",
            f"# Each machine joins the Ray cluster at {address}. The token is read from {TOKEN_FILE}, which has to be",
            "# there on every machine, as in a home folder that all of them share.",
            "export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0",
            f"srun --export=ALL --kill-on-bad-exit=0 bash -c {shlex.quote(own)}",
            "",
        )
    )


def ray_beside(python: str) -> str:
    """Ray's program of that Python."""
    return str(Path(python).parent / "ray")
