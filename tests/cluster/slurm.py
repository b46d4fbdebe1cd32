"""A real Slurm of one machine, and a study on the node that `looptop cluster slurm` starts there. By hand, as root:

    apt-get install slurmctld slurmd slurm-client munge bubblewrap
    make slurm

Slurm's daemons, Ray and the loop live in namespaces of their own (processes, mounts, network, hostname), which end with
all that is in them, so nothing is left on the machine and a Slurm that it may have is not seen.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

HERE = "10.77.0.1"
NAME = "gpu1"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scancel", "munged", "unshare", "ip")
PATIENCE_S = 120.0

SLURM = """
ClusterName=looptop
SlurmctldHost={name}({here})
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MailProg=/bin/true
KillWait=5
GresTypes=gpu
NodeName={name} NodeAddr={here} CPUs={cpus} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def main() -> int:
    """Enter the namespaces, or do what is to be done there."""
    if os.environ.get("LOOPTOP_SLURM") == "inside":
        return inside()
    if lacking := [one for one in PROGRAMS if shutil.which(one) is None]:
        print(f"{', '.join(lacking)} is not installed: apt-get install slurmctld slurmd slurm-client munge iproute2")
        return 2
    if os.geteuid() != 0:
        print("this mounts and makes a network of its own, so it has to be root's")
        return 2
    if Path(sys.prefix).is_relative_to("/tmp") or Path.cwd().is_relative_to("/tmp"):
        print("it has a /tmp of its own, in which this checkout is not seen; check it out elsewhere")
        return 2
    spaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    command = ["unshare", *spaces, sys.executable, "-m", "tests.cluster.slurm"]
    return subprocess.run(command, env={**os.environ, "LOOPTOP_SLURM": "inside"}, stdin=subprocess.DEVNULL).returncode


def inside() -> int:
    """Bring Slurm up, and see a study through on it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    home = Path("/tmp/home")
    home.mkdir()
    os.environ |= {"HOME": str(home), "ANTHROPIC_API_KEY": "of the shell that submits"}
    os.environ.pop("XDG_CACHE_HOME", None)
    bring_up(Path("/tmp/slurm"))
    say("Slurm is up: " + output("sinfo", "-h", "-o", "%N %T, %c CPUs, %G"))

    from tests.cluster.raylets import Raylets
    from tests.cluster.test_ray import LOOPTOP, Project, daemons

    with Raylets(Path("/tmp/nodes")) as raylets:
        raylets.start("head", cpus=0)
        (home / ".ray").mkdir()
        (home / ".ray" / "auth_token").write_text(raylets.token)
        address = f"{HERE}:{raylets.port}"

        def submit() -> str:
            asked = [
                str(LOOPTOP),
                "cluster",
                "slurm",
                "--address",
                address,
                "--nodes",
                "1",
                "--cpus",
                "2",
                "--gpus",
                "2",
            ]
            said = subprocess.run([*asked, "--submit"], cwd=home, capture_output=True, text=True)
            assert said.returncode == 0, said
            job = said.stdout.split()[-1]
            until(lambda: "Ray runtime started" in text(home / f"looptop-nodes-{job}.out"), lambda: said.stdout)
            say(f"job {job} is a node")
            return job

        job = submit()
        of_job = environments(job)
        assert any(one.get("CUDA_VISIBLE_DEVICES") == "0,1" for one in of_job), "the GPUs of the job are not told"
        assert not any("ANTHROPIC_API_KEY" in one for one in of_job), "the keys of the shell went along"
        checked = [str(LOOPTOP), "cluster", "check", raylets.address]
        sandbox = [] if shutil.which("bwrap") else ["--sandbox", "off"]
        said = subprocess.run(
            [*checked, *sandbox], env={**os.environ, **raylets.environment}, cwd=home, capture_output=True, text=True
        )
        print(said.stdout, flush=True)
        assert said.returncode == 0 and f"✓ {NAME}" in said.stdout, said

        project = Project(home / "project", raylets)
        loop = project.start("--slots", "2", "--experiments", "3")
        words = loop.communicate()[0]
        assert loop.returncode == 0, words
        runs = [run for one in project.study().experiments.values() for run in one.runs.values()]
        assert runs and all(run.slot_name.startswith(NAME) for run in runs), words
        assert all(one.verdict is not None for one in project.study().experiments.values() if one.runs), words
        assert daemons() == []
        say(f"{len(runs)} runs of {len(project.study().experiments)} experiments on {NAME}, all judged")

        project = Project(home / "longer", raylets, budget="30s")
        loop = project.start("--slots", "2")
        project.until(lambda: bool(daemons()), loop)
        subprocess.run(["scancel", job], check=True)
        project.until(lambda: NAME in project.study().troubles, loop)
        say(f"cancelled, and the loop says: {project.study().troubles[NAME].message}")
        until(lambda: daemons() == [] and environments(job) == [], lambda: f"left: {environments(job)}")
        lost = [run for one in project.study().experiments.values() for run in one.runs.values() if run.outcome]
        assert {str(run.outcome) for run in lost} == {"lost"}, lost
        say(f"nothing of job {job} is left; runs that were lost and are run again: {len(lost)}")
        submit()
        project.until(lambda: bool(project.study().running()) and bool(daemons()), loop)
        say(f"{NAME} is used again")
        loop.send_signal(signal.SIGTERM)
        loop.communicate()
        assert loop.returncode == 0 and daemons() == []
    say("done")
    return 0


def bring_up(folder: Path) -> None:
    """Have one machine's Slurm: a controller, a node of two CPUs with two GPUs' device files, and munge."""
    for place in ("munge", "state", "spool"):
        (folder / place).mkdir(parents=True, mode=0o711)
    for command in (
        "ip link set lo up",
        "ip link add d0 type veth peer name d1",
        f"ip addr add {HERE}/24 dev d0",
        "ip link set d0 up",
        "ip link set d1 up",
        "ip route add default dev d0",
    ):
        subprocess.run(command.split(), check=True)
    socket.sethostname(NAME)
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{HERE} {NAME}\n")
    subprocess.run(["mount", "--bind", str(folder / "hosts"), "/etc/hosts"], check=True)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    subprocess.run(
        ["munged", "--force", *(f"--{option}={folder}/munge/{name}" for option, name in files.items())],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    for number in range(2):
        os.mknod(folder / f"nvidia{number}", 0o20666, os.makedev(195, number))
    (folder / "slurm.conf").write_text(SLURM.format(name=NAME, here=HERE, folder=folder, cpus=os.cpu_count()))
    (folder / "gres.conf").write_text(f"NodeName={NAME} Name=gpu File={folder}/nvidia[0-1]\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    for daemon in ("slurmctld", "slurmd"):
        with (folder / f"{daemon}.out").open("wb") as out:
            subprocess.Popen([daemon, "-D"], stdout=out, stderr=out, env={**os.environ, "ANTHROPIC_API_KEY": ""})
    until(
        lambda: output("sinfo", "-h", "-o", "%T") == "idle",
        lambda: text(folder / "slurmctld.out")[-2000:] + text(folder / "slurmd.out")[-2000:],
    )


def environments(job: str) -> list[dict[str, str]]:
    """Of the processes that the job has started, wherever they hang now."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
        except (psutil.Error, OSError):
            continue
        if environ.get("SLURM_JOB_ID") == job and process.status() != psutil.STATUS_ZOMBIE:
            found.append(environ)
    return found


def output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def until(there: Callable[[], bool], said: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < end, said()
        time.sleep(0.2)


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
