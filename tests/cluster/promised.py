"""A study of small programs that try what a node promises, for `test_promises`; they run on the nodes of a real Ray."""

import json
import shutil
from collections.abc import Collection
from pathlib import Path

import psutil

from loop.config.program import load
from loop.lineage import Lineage, init_repository, matching
from loop.lineage.packs import pack
from loop.runs.cluster import probe
from loop.runs.cluster.executor import ClusterExecutor, Home
from loop.runs.cluster.ray_link import RayLink
from loop.runs.cluster.run import ClusterRun
from loop.runs.cluster.wire import Opening
from loop.runs.executor import Job
from loop.runs.spec import RunResult
from loop.study.slot_plan import SlotPlan
from loop.supervisor.cluster import AGENT
from loop.workspace import Workspace
from tests.cluster.raylets import Raylets, ray_folder
from tests.cluster.test_cluster import Listener

SECRETS = {"ANTHROPIC_API_KEY": "of-the-shell-that-ran-ray-start", "NODE_ONLY": "of-that-shell-too"}
HEAD = {"OPENAI_API_KEY": "of-the-head", "HF_TOKEN": "that-the-program-passes-on", "HEAD_ONLY": "of-the-head-too"}

NODE = "LOOPTOP_NODE_FOLDER"

SCRIPTS = {
    "greedy.py": """
import time
print("loss: 1", flush=True)
held = bytearray(600 << 20)
for at in range(0, len(held), 4096):
    held[at] = 1
time.sleep(60)
""",
    # Ends itself twice over, so that its parent is nobody of ours, and hears no word.
    "daemon.py": """
import os, signal, sys, time
for _ in range(2):
    if os.fork():
        break
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)  # promised to end"])
print("step 1/1 loss=1", flush=True)
time.sleep(600)
""",
    "look.py": """
import hashlib, json, os, socket, sys
asked = json.load(open("asked.json"))
found = {"environ": {name: hashlib.sha256(value.encode()).hexdigest() for name, value in os.environ.items()}}
for place in asked["places"]:
    try:
        with open(place, "w") as file:
            file.write("was here")
        found[place] = "written"
    except OSError as error:
        found[place] = type(error).__name__
for place in asked["sockets"]:
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(place)
        found[place] = "connected"
    except OSError as error:
        found[place] = type(error).__name__
try:
    socket.create_connection(("127.0.0.1", asked["port"]), timeout=2).close()
    found["port"] = "connected"
except OSError as error:
    found["port"] = type(error).__name__
found["environs"] = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            found["environs"].append(hashlib.sha256(file.read()).hexdigest())
    except OSError:
        pass
json.dump(found, open(os.environ["LOOPTOP_RUN_DIR"] + "/found.json", "w"))
print("loss: 1")
""",
    "babble.py": """
import os, random, time
draw = random.Random(7)
for number in range(40):
    os.write(1, draw.randbytes(9_000) + b"\\r\\n" + "\u00e4".encode()[: number % 2 + 1])
    time.sleep(0.005)
os.write(1, b"\\nloss: 1\\n")
""",
    "heavy.py": """
import os, random
out = os.environ["LOOPTOP_RUN_DIR"]
os.mkdir(out + "/deep")
with open(out + "/deep/model.bin", "wb") as file:
    file.write(random.Random(3).randbytes(22_000_000))
print("loss: 1")
""",
    "slow.py": """
import time
for step in range(600):
    print(f"step {step + 1}/600 loss=1", flush=True)
    time.sleep(0.1)
""",
}

PROGRAM = """---
edit: look.py
run: python look.py
metric: loss
budget: 60s
deadline: 120s
env: {HF_TOKEN: null}
---
Go down.
"""


class Study:
    """A project whose runs go to the nodes. What `RunFolders` and journals are at home is left to other tests."""

    def __init__(self, root: Path, raylets: Raylets, tag: str = "promises", lease: float = 60.0) -> None:
        root.mkdir()
        self.root, self.raylets, self.tag = root, raylets, tag
        sockets = [str(path) for node in raylets.nodes for path in ray_folder(raylets, node).rglob("sockets/*")]
        places = [str(root / "run.log"), str(raylets.folder / "written"), "/tmp/looptop-promises", "/etc/looptop"]
        asked = {"places": places, "sockets": sockets, "port": raylets.port}
        files = {**SCRIPTS, "program.md": PROGRAM, "asked.json": json.dumps(asked)}
        for name, text in files.items():
            (root / name).write_text(text)
        self.asked = asked
        init_repository(root, [root / name for name in files])
        self.lineage = Lineage(root, tag)
        self.lineage.prepare()
        self.base = self.lineage.checkout.head()
        self.contract = load(root, matching).contract
        self.sandbox = "bubblewrap" if shutil.which("bwrap") else "off"
        plan = SlotPlan(cpu_slots=2)
        self.opening = Opening(f"{tag}-0123", self.base, "", root, sandbox=self.sandbox, plan=plan, lease=lease)
        self.executor = self.another()

    def another(self) -> ClusterExecutor:
        """Another supervisor's of the same study."""

        def packed(commit: str, known: Collection[str]) -> bytes:
            return pack(self.lineage.git, commit, self.base, known)

        self.link = RayLink(self.raylets.address, AGENT, self.opening.study)
        home = Home(Workspace(self.root), packed, HEAD, probe.code())
        executor = ClusterExecutor(home, self.link, self.opening)
        self.remarks: list[str] = []
        executor.remark = lambda where, what: self.remarks.append(what)
        return executor

    def job(self, script: str, run: int = 1, deadline: float = 120.0, **limits: int) -> Job:
        of = self.contract
        of = of.model_copy(update={"run": f"python {script}", "limits": of.limits.model_copy(update=limits)})
        return Job(1, run, "run", self.base, self.base, of, 1337, deadline)

    async def start(self, job: Job, slot: int = 0, listener: Listener | None = None) -> ClusterRun:
        return await self.executor.start(job, self.executor.slots()[slot], listener or Listener())

    async def see(self, job: Job, slot: int = 0) -> RunResult:
        """A run from its start to its end."""
        run = await self.start(job, slot)
        result = await run.wait()
        await run.close()
        return result

    def out(self, run: int = 1) -> Path:
        return Workspace(self.root).run_folder(1, run) / "out"


def marked(words: str, raylets: Raylets) -> list[psutil.Process]:
    """Processes on these nodes that go on, with these words in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if words in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                named = process.environ()
                if any(named.get(name, "").startswith(f"{raylets.folder}/") for name in ("LOOPTOP_RUN_DIR", NODE)):
                    found.append(process)
        except psutil.Error:
            pass
    return found
