"""The order for one run, and the process that becomes its command: within its limits, in its sandbox.

`process` writes the order into a pipe, the warden reads it and forks; what follows here happens between that fork and
exec. What cannot be limited or confined as ordered is not started. It imports only what costs next to nothing.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it in enums, which take 5 ms to import
import marshal  # json takes 8 ms to import; both ends are the same interpreter
import os
import resource


class Order:
    """One run: what to start, where, and within which limits, each as in `RunSpec`. 0 is no limit."""

    def __init__(
        self,
        argv: list[str],
        cwd: str,
        deadline_s: float,
        end_s: float = 0,
        end_clock: str = "wall",
        nice: int = 0,
        memory: int = 0,
        processes: int = 0,
        file: int = 0,
        disk: int = 0,
        folders: tuple[str, ...] = (),
        rules: tuple[tuple[str, str], ...] = (),
        inner: int = 0,
        given: tuple[str, str] = ("", ""),
        cores: tuple[int, ...] = (),
    ) -> None:
        self.argv, self.cwd, self.given = argv, cwd, given
        self.deadline_s, self.end_s, self.end_clock = deadline_s, end_s, end_clock
        self.nice = nice
        self.memory, self.processes = memory, processes
        self.file, self.disk, self.folders = file, disk, folders
        self.rules = rules
        """Landlock's, see `landlock.confine`; none: it is not applied."""
        self.inner = inner
        """How many processes of the sandbox's own stand between the warden and the command."""
        self.cores = cores

    def encode(self) -> bytes:
        """It travels over the pipe, not in the warden's own command line, where a `pkill -f train.py` would find it."""
        body = marshal.dumps(self.__dict__)
        return b"%08d" % len(body) + body

    @classmethod
    def read(cls, descriptor: int) -> Order:
        """The inverse of `encode`, read from a pipe. EOFError when the pipe ends first."""
        return cls(**marshal.loads(_read_exactly(descriptor, int(_read_exactly(descriptor, 8)))))


def _read_exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(descriptor, size - len(data))
        if not part:
            raise EOFError("the order ended early")
        data += part
    return data


def become_command(order: Order, answer: int) -> None:
    """In the child: be the command of `order`, within its sandbox and limits; or say why not, and end."""
    what = "enter"
    try:
        _signal.set_wakeup_fd(-1)
        # Ignored signals stay ignored across exec: these are the ones that we and Python ignore.
        for number in (_signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.chdir(order.cwd)
        what = "start"
        program = find_program(order.argv[0])  # from outside: in its sandbox a folder of PATH may not be readable
        variable, path = order.given
        if variable:
            what = "give"
            descriptor = os.open(path, os.O_RDONLY)
            os.set_inheritable(descriptor, True)
            os.environ[variable] = str(descriptor)
        what = "limit"
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if order.cores:
            os.sched_setaffinity(0, order.cores)
        if order.file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order.file, order.file))
        _prefer_to_end_this()
        if order.nice:
            os.nice(order.nice)
        if order.rules:
            what = "confine"
            from loop.sandbox import landlock

            landlock.confine(order.rules)
        what = "start"
        os.execv(program, order.argv)
    except BaseException as error:  # whatever it was: nothing starts without its sandbox
        os.write(answer, f"{what} {getattr(error, 'errno', None) or 0}".encode())
    finally:
        os._exit(127)


def find_program(name: str) -> str:
    """What a shell would start by that name. FileNotFoundError where there is nothing of it on PATH."""
    if "/" in name:
        return name
    paths = [f"{folder or '.'}/{name}" for folder in os.environ.get("PATH", os.defpath).split(":")]
    there = [path for path in paths if os.access(path, os.F_OK)]
    if not there:
        raise FileNotFoundError(2, "no such program")
    return next((path for path in there if os.access(path, os.X_OK)), there[0])


def _prefer_to_end_this() -> None:
    """When memory runs out the kernel picks by this score: the run goes, the supervisor stays."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - pathlib takes 8 ms to import
            score.write("500")
    except OSError:
        pass  # not Linux
