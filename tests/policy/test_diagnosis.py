"""What mends a failure, told from the end of a program's output: as the programs themselves print it."""

# ruff: noqa: E501 - as they print it

import pytest

from loop.policy.diagnosis import Facts, Place, diagnose, workers_refused
from loop.study.contract import Contract

IN_CHECKOUT = {"data/train.bin": "data", "data": "data", "baseline.json": "baseline.json", "helper.py": "helper.py"}
ON_MACHINE = {"~/datasets/toy/x": "~/datasets/toy", "/mnt/corpus/a.txt": "/mnt/corpus"}
IN_GIT = {"train.py", "results.json"}


def place(path: str) -> Place:
    if path in IN_CHECKOUT:
        return Place(IN_CHECKOUT[path], "checkout")
    if path in ON_MACHINE:
        return Place(ON_MACHINE[path], "machine")
    if path in IN_GIT:
        return Place(path, "git")
    if path == "/var/tmp/state":
        return Place(path, "nowhere", outside="/var/tmp")
    return Place(path, "nowhere", "out" if path.startswith("out/") else "", path.startswith("~/.cache"))


def facts(sandbox: str = "bubblewrap", network: str = "off") -> Facts:
    return Facts(Contract(network=network), sandbox, place, "/project/.venv/bin/python")  # type: ignore[arg-type]


def traceback(last: str, *before: str) -> str:
    calls = before or ("main()",)
    lines = [
        f'  File "/w/.looptop/trees/0.1/train.py", line {n}, in <module>\n    {call}' for n, call in enumerate(calls)
    ]
    return "\n".join(["loading", "Traceback (most recent call last):", *lines, last])


SAID = [
    # Files
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: 'data/train.bin'"), "`read: [data]`"),
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: '~/datasets/toy/x'"), "`read: [~/datasets/toy]`"),
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: '/mnt/corpus/a.txt'"), "`read: [/mnt/corpus]`"),
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: 'data/none'"), "then add `read: [data/none]`"),
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: '~/.cache/x'"), "prepare); runs see it then"),
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: 'out/model.pt'"), "`write: [out]`"),
    (traceback("FileNotFoundError: data/train.bin not found"), "`read: [data]`"),
    (traceback("FileNotFoundError: Couldn't find any data file at /mnt/corpus/a.txt."), "`read: [/mnt/corpus]`"),
    (traceback("FileNotFoundError: [Errno 2] Unable to synchronously open file (unable to open file: name = "
               "'data/train.bin', errno = 2, error message = 'No such file or directory', flags = 0)"), "`read: [data]`"),
    (traceback("OSError: data/train.bin not found."), "`read: [data]`"),
    ("cat: data/train.bin: No such file or directory", "`read: [data]`"),
    ("sh: 1: cannot open data/train.bin: No such file", "`read: [data]`"),
    ("bash: line 1: baseline.json: No such file or directory", "`read: [baseline.json]`"),
    ("make: *** No rule to make target 'data/train.bin', needed by 'all'.  Stop.", "`read: [data]`"),
    ("main.c:1:10: fatal error: data/train.bin: No such file or directory\n compilation terminated.", "`read: [data]`"),
    ("Error in file(file, \"rt\") : cannot open the connection\nIn addition: Warning message:\nIn file(file, \"rt\") :\n"
     "  cannot open file 'data/train.bin': No such file or directory\nExecution halted", "`read: [data]`"),
    ('ERROR: LoadError: SystemError: opening file "data/train.bin": No such file or directory', "`read: [data]`"),
    ("python: can't open file 'data/train.bin': [Errno 2] No such file or directory", "`read: [data]`"),
    # Writes
    (traceback("FileNotFoundError: [Errno 2] No such file or directory: '/var/tmp/state'"), "; if it writes there, add `write: [/var/tmp]`"),
    (traceback("PermissionError: [Errno 13] Permission denied: 'results.json'"), "`write: [results.json]`"),
    (traceback("PermissionError: [Errno 13] Permission denied: '/mnt/corpus/a.txt'"), "`read: [/mnt/corpus]` to program.md"),
    (traceback("OSError: [Errno 30] Read-only file system: 'out'"), "`write: [out]`"),
    ("mkdir: cannot create directory ‘runs’: Read-only file system", "`write: [runs]`"),
    ("error: failed to create directory `runs`: Read-only file system (os error 30)", "`write: [runs]`"),
    ("/usr/bin/ld: cannot open output file main: Read-only file system\ncollect2: error: ld returned 1 exit status\n"
     "make: *** [Makefile:4: main] Error 1", "`write: [main]`"),
    # Packages and programs
    (traceback("ModuleNotFoundError: No module named 'helper'"), "`git add helper.py`"),
    (traceback("ModuleNotFoundError: No module named 'torch.nn'"), "/project/.venv/bin/python, has no module torch:"),
    ("/usr/bin/python3: No module named mypkg.train", "has no module mypkg"),
    (traceback("ImportError: libcudart.so.12: cannot open shared object file: No such file or directory"),
     "the library libcudart.so.12"),
    ("sh: 1: torchrun: not found", "finds no program torchrun"),
    ("bash: line 1: accelerate: command not found", "finds no program accelerate"),
    ("autoresearch.sh: line 4: jq: command not found", "finds no program jq"),
    ("make: nvcc: No such file or directory\nmake: *** [Makefile:3: k] Error 127", "finds no program nvcc"),
    ("env: ‘python3.9’: No such file or directory", "finds no program python3.9"),
    # The network
    (traceback("urllib.error.URLError: <urlopen error [Errno 111] Connection refused>"), "`network: on`"),
    (traceback("requests.exceptions.ConnectionError: HTTPSConnectionPool(host='example.org', port=443): Max retries "
               "exceeded with url: / (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object>: Failed "
               "to establish a new connection: [Errno 101] Network is unreachable'))"), "`network: on`"),
    (traceback("socket.gaierror: [Errno -3] Temporary failure in name resolution"), "`network: on`"),
    ("curl: (6) Could not resolve host: example.org", "`network: on`"),
    (traceback("httpx.ConnectError: [Errno -3] Temporary failure in name resolution"), "`network: on`"),
    (traceback("huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the "
               "Hub and we cannot find the requested files in the local cache."), "run the program once yourself"),
    (traceback("OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in "
               "the cached files."), "run the program once yourself"),
    (traceback("huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/gpt2: "
               "offline mode is enabled."), "run the program once yourself"),
    (traceback("wandb.errors.errors.UsageError: api_key not configured (no-tty). call wandb.login(key=[your_api_key])"),
     "WANDB_MODE: offline"),
    (traceback("wandb.errors.errors.UsageError: No API key configured. Use `wandb login` to log in."), "WANDB_MODE: off"),
    (traceback("OSError: [Errno 98] Address already in use"), "the port that it asks for is taken"),
    (traceback("torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. "
               "port: 29500, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use"), "the port"),
    ("error: Failed to fetch: `https://pypi.org/simple/torch/`\n  Caused by: dns error", "`uv sync` once"),
    ("  × No solution found when resolving dependencies:\n  ╰─▶ Because numpy was not found in the cache and your "
     "project depends on numpy, we can conclude\n      hint: Packages were unavailable because the network was disabled.",
     "`uv sync` once"),
    ("ERROR: Could not find a version that satisfies the requirement numpy\nERROR: No matching distribution found for "
     "numpy", "nothing can be installed in a run"),
    (traceback("LookupError: \n**********************************************************************\n  Resource "
               "\x1b[93mpunkt\x1b[0m not found.\n  Please use the NLTK Downloader to obtain the resource:"),
     "nltk.downloader punkt"),
    # The machine
    ("RuntimeError: DataLoader worker (pid 411) is killed by signal: Bus error. It is possible that dataloader's workers "
     "are out of shared memory. Please try to raise your shared memory limit.", "--shm-size"),
    (traceback("RuntimeError: No CUDA GPUs are available"), "it finds no GPU"),
    (traceback("RuntimeError: Found no NVIDIA driver on your system."), "it finds no GPU"),
    (traceback("AssertionError: Torch not compiled with CUDA enabled"), "it finds no GPU"),
    (traceback("OSError: AF_UNIX path too long"), "a shorter path"),
    (traceback("_pickle.UnpicklingError: invalid load key, 'v'."), "`git lfs pull`"),
    (traceback("safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"), "`git lfs pull`"),
    (traceback("_tkinter.TclError: no display name and no $DISPLAY environment variable"), "MPLBACKEND"),
    (traceback("EOFError: EOF when reading a line"), "nobody is at a run's keyboard"),
    ("usage: train.py [-h] --data DATA\ntrain.py: error: the following arguments are required: --data", "lacks what"),
    ("fatal: not a git repository (or any of the parent directories): .git", "git does not work in a run"),
    (traceback("RuntimeError: can't start new thread"), "`limits: {processes: N}`"),
    ("CondaError: Run 'conda init' before 'conda activate'", "conda run"),
    # Variables
    (traceback("KeyError: 'DATA_ROOT'", "root = os.environ['DATA_ROOT']"), "`env: [DATA_ROOT]`"),
    ("train.sh: line 2: DATA_ROOT: unbound variable", "`env: [DATA_ROOT]`"),
    ("train.sh: 2: DATA_ROOT: parameter not set", "`env: [DATA_ROOT]`"),
    (traceback("ValueError: environment variable DATA_ROOT must be set"), "`env: [DATA_ROOT]`"),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "says"), SAID, ids=[tail.strip().splitlines()[-1][:60] for tail, _ in SAID])
def test_what_mends_it(tail: str, says: str) -> None:
    said = diagnose(tail, facts())
    assert says in said
    assert "\n" not in said and not said.endswith(".") and len(said) < 300


@pytest.mark.parametrize(
    "tail",
    [
        "",
        traceback("ValueError: loss is NaN"),
        traceback("KeyError: 'lr'"),
        traceback("ZeroDivisionError: division by zero"),
        traceback("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."),
        traceback("AssertionError"),
        traceback("FileNotFoundError: [Errno 2] No such file or directory: 'train.py'"),
        "step 12 | loss: 2.5 | lr: 0.1",
        "Segmentation fault (core dumped)",
    ],
)
def test_what_nobody_can_tell_is_left_alone(tail: str) -> None:
    assert diagnose(tail, facts()) == ""


def test_the_last_traceback_counts_before_what_was_caught_earlier() -> None:
    caught = traceback("ConnectionRefusedError: [Errno 111] Connection refused")
    assert "`read: [data]`" in diagnose(f"{caught}\nwent on without\n{traceback(SAID[0][0].splitlines()[-1])}", facts())


def test_a_cause_that_was_wrapped_in_another_error_is_found() -> None:
    inner = traceback("FileNotFoundError: [Errno 2] No such file or directory: 'data/train.bin'")
    outer = traceback("RuntimeError: the data set could not be opened")
    tail = f"{inner}\n\nThe above exception was the direct cause of the following exception:\n\n{outer}"
    assert "`read: [data]`" in diagnose(tail, facts())


def test_a_process_of_torchrun_says_so_with_its_rank_before_it() -> None:
    inner = traceback("FileNotFoundError: [Errno 2] No such file or directory: 'data/train.bin'")
    ranked = "\n".join(f"[rank0]: {line}" for line in inner.splitlines())
    outer = traceback("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ")
    assert "`read: [data]`" in diagnose(f"{ranked}\n{outer}", facts())


def test_landlock_refuses_sockets_where_others_find_no_server() -> None:
    tail = traceback("PermissionError: [Errno 13] Permission denied", "sock.connect(('127.0.0.1', 5000))")
    assert "`network: loopback`" in diagnose(tail, facts("landlock"))
    assert "`network: on`" in diagnose(tail, facts("landlock", "loopback"))
    assert diagnose(tail, facts("landlock", "on")) == ""


def test_without_a_sandbox_nothing_is_refused_by_it() -> None:
    refused = traceback("urllib.error.URLError: <urlopen error [Errno 111] Connection refused>")
    assert "that the server is up" in diagnose(refused, facts("off"))
    tail = traceback("PermissionError: [Errno 13] Permission denied: '/mnt/corpus/a.txt'")
    assert diagnose(tail, facts("off")) == ""


def test_processes_that_wait_for_each_other_in_silence_are_told_of_beforehand() -> None:
    line = "torchrun --nproc_per_node=2 train.py"
    assert "`network: loopback`" in workers_refused(Contract(run=line), "landlock")
    assert workers_refused(Contract(run=line, network="loopback"), "landlock") == ""
    assert workers_refused(Contract(run=line), "bubblewrap") == workers_refused(Contract(), "landlock") == ""
