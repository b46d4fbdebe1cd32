"""A real sshd on a port of the loopback, and a node that `looptop cluster ssh` starts through it. By hand:

    apt-get install openssh-server
    .venv/bin/python -m tests.cluster.sshd

Keys, configuration and home are its own, and nobody's ~/.ssh is touched. Needs no rights.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

SSHD = "/usr/sbin/sshd"
PATIENCE_S = 120.0

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={folder}/there LOOPTOP_NODE_FOLDER={folder}/there/looptop RAY_TMPDIR={folder}/r
"""

CLIENT = """#!/bin/sh
exec {ssh} -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={folder}/known \\
  -o HostName=127.0.0.1 -o Port={port} -i {folder}/user "$@"
"""


def main() -> int:
    """Bring a server up, and have a node join through it."""
    ssh = shutil.which("ssh")
    if ssh is None or not Path(SSHD).exists():
        print("sshd is not installed: apt-get install openssh-server")
        return 2
    from tests.cluster.raylets import Raylets, end
    from tests.cluster.test_ray import LOOPTOP, Project, daemons

    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd locks itself in
    folder = Path(tempfile.mkdtemp(prefix="sshd", dir="/tmp"))
    (folder / "there").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "config").write_text(SERVER.format(port=port, folder=folder))
    (folder / "bin").mkdir()
    client = folder / "bin" / "ssh"
    client.write_text(CLIENT.format(ssh=ssh, folder=folder, port=port))
    client.chmod(0o755)
    server = subprocess.Popen([SSHD, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")])
    try:
        with Raylets(folder / "nodes") as raylets:
            raylets.start("head", cpus=0)
            environ = {**os.environ, **raylets.environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
            joined = [str(LOOPTOP), "cluster", "ssh", "gpu1", "--address", raylets.address]
            said = subprocess.run(joined, env=environ, capture_output=True, text=True)
            print(said.stdout, said.stderr, flush=True)
            assert said.returncode == 0 and "✓ gpu1 joined" in said.stdout, (folder / "log").read_text()
            token = folder / "there" / ".ray" / "auth_token"
            assert token.read_text() == raylets.token and token.stat().st_mode & 0o077 == 0
            project = Project(folder / "project", raylets)
            loop = project.start("--slots", "1", "--experiments", "1")
            words = loop.communicate()[0]
            assert loop.returncode == 0, words
            runs = [run for one in project.study().experiments.values() for run in one.runs.values()]
            assert runs and all(run.slot_name.startswith(socket.gethostname().partition(".")[0]) for run in runs), words
            assert daemons() == []
            print(f"{len(runs)} runs on {runs[0].slot_name}, which joined over SSH", flush=True)
    finally:
        server.kill()
        server.wait()
        until = time.monotonic() + PATIENCE_S
        while (left := started(folder)) and time.monotonic() < until:
            for pid in left:
                end(pid)
        shutil.rmtree(folder, ignore_errors=True)
    print("done")
    return 0


def started(folder: Path) -> list[int]:
    """Processes of the node that was started over SSH."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOOPTOP_NODE_FOLDER") == f"{folder}/there/looptop":
                found.append(process.pid)
        except (psutil.Error, OSError):
            pass  # gone, or somebody else's
    return found


if __name__ == "__main__":
    sys.exit(main())
