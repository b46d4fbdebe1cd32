"""Memory that runs out, in main memory and on a GPU: known as such, and told with what was used."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.runs.local.exit_reason import Ending
from loop.runs.local.out_of_memory import kernel_kills, ran_out, said
from tests.runs.conftest import Place

TODAY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.33 GiB of which 1.19 GiB is "
    "free. Process 4711 has 30.50 GiB memory in use. Including non-PyTorch memory, this process has 47.64 GiB memory "
    "in use. Of the allocated memory 46.10 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but "
    "unallocated."
)
USED = "ran out of GPU memory: 78.1 of 79.3 GiB were in use"

WORDINGS = {
    f"torch.OutOfMemoryError: {TODAY}": f"{USED}, 30.5 GiB of it by process 4711 when it asked for 2.0 GiB more",
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 1 has a total capacty of 23.69 "
    "GiB of which 5.12 MiB is free. Including non-PyTorch memory, this process has 23.68 GiB memory in use.": (
        "ran out of GPU memory: 23.7 of 23.7 GiB were in use when it asked for 0.02 GiB more"
    ),
    "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 79.33 GiB total capacity; 76.50 GiB already "
    "allocated; 1.19 GiB free; 77.00 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory": (
        f"{USED} when it asked for 2.0 GiB more"
    ),
    "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 3.00 GiB. GPU 0 has a total capacity of 191.98 GiB "
    "of which 2.00 GiB is free.": (
        "ran out of GPU memory: 190.0 of 192.0 GiB were in use when it asked for 3.0 GiB more"
    ),
    "RuntimeError: MPS backend out of memory (MPS allocated: 17.32 GB, other allocations: 512.00 MB, max allowed: "
    "18.13 GB). Tried to allocate 1.00 GB on private pool.": (
        "ran out of GPU memory: 17.8 of 18.1 GiB were in use when it asked for 1.0 GiB more"
    ),
    "torch.AcceleratorError: CUDA error: out of memory": (
        "ran out of GPU memory: torch.AcceleratorError: CUDA error: out of memory"
    ),
    "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": (
        "ran out of GPU memory: RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling "
        "`cublasCreate(handle)`"
    ),
    "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2147483648 "
    "bytes.": "ran out of GPU memory when it asked for 2.0 GiB more",
    "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,)": (
        "ran out of memory: it used 5 GB when it got no more (numpy._core._exceptions._ArrayMemoryError: Unable to "
        "allocate 7.45 GiB for an array with shape (1000000000,))"
    ),
    "RuntimeError: [enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
    "to allocate 4000000000 bytes. Error code 12 (Cannot allocate memory)": (
        "ran out of memory: it used 5 GB when it got no more (RuntimeError: [enforce fail at alloc_cpu.cpp:121] err == "
        "0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000 bytes. Error code 12 (Cannot "
        "allocate memory))"
    ),
    "OSError: [Errno 12] Cannot allocate memory": (
        "ran out of memory: it used 5 GB when it got no more (OSError: [Errno 12] Cannot allocate memory)"
    ),
}
"""The last line of a traceback, and what is told of it."""


@pytest.mark.parametrize("line", WORDINGS)
def test_what_libraries_say_when_memory_runs_out_is_told_with_its_figures(line: str) -> None:
    tail = f'step 3 | loss: 2\nTraceback (most recent call last):\n  File "train.py", line 9, in <module>\n{line}'
    assert ran_out(Ending("exited", 1, peak=5 * 10**9), tail, rose=False) == WORDINGS[line]


@pytest.mark.parametrize(
    "line",
    [
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 262144, Limit: 232448",
        "ValueError: the cache is out of range",
        "OSError: [Errno 28] No space left on device",
    ],
)
def test_what_only_sounds_like_it_is_a_crash(line: str) -> None:
    assert said(f"Traceback (most recent call last):\n{line}", 1) is None


def test_a_worker_that_ran_out_is_found_behind_its_launcher() -> None:
    tail = (
        f"[rank3]: Traceback (most recent call last):\n[rank3]: torch.OutOfMemoryError: {TODAY}\n"
        "Traceback (most recent call last):\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \ntrain.py FAILED"
    )
    assert ran_out(Ending("exited", 1), tail, rose=False).startswith(USED)
    aborted = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nAborted"
    found = said(aborted, -6)
    assert found is not None and found.memory == "main"


def test_a_kill_is_the_kernel_s_where_its_count_rose_and_nobody_s_else() -> None:
    killed = Ending("exited", -9, peak=20 * 10**9)
    total = 24 * 10**9
    assert ran_out(killed, "", True, total) == (
        "ran out of memory: it used 20 GB, and the kernel ended it (the machine has 24 GB)"
    )
    assert ran_out(Ending("exited", 137, peak=10**9), "Killed", True, total).startswith(
        "ran out of memory: it used 1 GB"
    )
    assert "something ended it by SIGKILL" in ran_out(killed, "", False, total), "earlyoom and its kin do not count"
    assert ran_out(Ending("exited", -9, peak=10**9), "", False, total) == "", "somebody else has ended it"
    assert ran_out(killed, "", None, total) == "", "nobody counts here"
    assert ran_out(Ending("exited", 1, peak=10**9), "ValueError: no", True, total) == "", "another process was ended"


async def test_a_run_that_raises_it_has_run_out_and_one_that_goes_on_has_not(place: Place) -> None:
    result = await place.run("exhausts.py", "GPU", TODAY)
    assert (result.outcome, result.exit_code) == ("out_of_memory", 1)
    assert result.reason == WORDINGS[f"torch.OutOfMemoryError: {TODAY}"]
    went_on = await place.run("exhausts.py", "GPU, and goes on", TODAY)
    assert (went_on.outcome, went_on.reason) == ("crashed", "exit code 1: ValueError: and this is why it failed")


async def test_a_program_that_gets_no_more_memory_says_what_it_held(place: Place) -> None:
    result = await place.run("exhausts.py", "address space")
    assert result.outcome == "out_of_memory"
    assert (
        result.reason
        == f"ran out of memory: it used {result.peak_memory / 1e9:.3g} GB when it got no more (MemoryError)"
    )
    assert 100 << 20 < result.peak_memory < 300 << 20


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A memory cgroup that takes 64 MB."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    folder = Path("/sys/fs/cgroup" if second else "/sys/fs/cgroup/memory", f"looptop-test-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(64 << 20))
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"no memory cgroup can be made here ({error.strerror})")
    yield folder
    until = time.monotonic() + 10
    while folder.exists() and time.monotonic() < until:
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.05)


@pytest.mark.parametrize("mode", ["cgroup", "worker in a cgroup"])
async def test_a_run_that_the_kernel_ends_for_memory_says_so(place: Place, cgroup: Path, mode: str) -> None:
    before = kernel_kills()
    result = await place.run("exhausts.py", mode, str(cgroup))
    assert any(now > then for now, then in zip(kernel_kills(), before, strict=True))
    assert result.outcome == "out_of_memory"
    assert result.reason.startswith("ran out of memory: it used 0.0")
    assert ", and the kernel ended it (the machine has " in result.reason


@pytest.mark.soak
async def test_pytorch_s_own_exception_is_known(place: Place, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    script = tmp_path / "raises.py"
    script.write_text(f"import torch\nraise torch.OutOfMemoryError({TODAY!r})\n")
    tail = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False).stderr  # noqa: ASYNC221
    assert ran_out(Ending("exited", 1), tail, rose=False).startswith(USED), torch.__version__
