"""What kept a program from its metric, by the end of its output, and what mends it. Pure.

A table of what programs say when something of their usual surroundings is missing inside a run: files, packages, the
network, variables, programs. Each row turns a line into a sentence with the key of program.md, or the command, that
mends it. A line that no row knows gives nothing: a wrong guess costs a person more than none.

It is asked about the untouched program only. What keeps an edited one from its number is its researcher's business.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from loop.study.contract import Contract

TAIL_LINES = 15
"""Lines at the end of an output without a traceback that are looked at."""


@dataclass(frozen=True)
class Place:
    """Where something that a run has named is on the person's machine."""

    name: str
    """As a person would write it in program.md: the file, or the folder around it that git does not have either."""
    found: Literal["checkout", "git", "machine", "nowhere"]
    """In the checkout and not in git; in git; elsewhere on the machine; or not at all."""
    folder: str = ""
    """Of what is nowhere: its folder, where that is in the checkout and not in git."""
    given: bool = False
    """Runs are given what is there, without being told so in program.md."""
    outside: str = ""
    """Of what is nowhere: its folder, where that is on the machine outside of the project and of the home."""


@dataclass(frozen=True)
class Facts:
    """What a diagnosis needs to know besides the output."""

    contract: Contract
    sandbox: str
    """`bubblewrap`, `landlock` or `off`."""
    place: Callable[[str], Place]
    """Looks for a path, as a run has named it."""
    python: str = "python"
    """The interpreter of the runs."""


class _Row(NamedTuple):
    pattern: re.Pattern[str]
    say: Callable[[re.Match[str], Facts], str]
    """The sentence; empty where it is something else after all."""


def diagnose(tail: str, facts: Facts) -> str:
    """What mends that a run ended as the end of its output says, in a sentence; empty where nobody can tell.

    Args:
        tail: the end of its output, as `RunResult.tail`.
    """
    for text in _looked_at(tail):
        for row in _ROWS:
            if (match := row.pattern.search(text)) and (said := row.say(match, facts)):
                return said
    return ""


def _looked_at(tail: str) -> Iterator[str]:
    """The line that the last traceback ends in, then all tracebacks; without one the last lines."""
    lines = [_RANK.sub("", line) for line in tail.splitlines() if line.strip()]
    begins = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if begins:
        yield next((line for line in lines[begins[-1] + 1 :] if not line.startswith((" ", "\t"))), "")
        yield _CALL.sub("", "\n".join(lines[begins[0] :]))
    yield "\n".join(lines[-TAIL_LINES:])


_RANK = re.compile(r"^\[(?:default|rank)?\d+\]:[ ]?")
"""What torchrun puts before each line of a process."""

_CALL = re.compile(r"^ +File \".*\n(?:    .*\n)*", re.MULTILINE)
"""A call in a traceback with the line of code that made it, whose words are no message."""


# --- files ------------------------------------------------------------------------------------------------------


def _missing(match: re.Match[str], facts: Facts) -> str:
    return _not_there(match["path"], facts)


def _not_there(path: str, facts: Facts) -> str:
    if len(path) > 300 or "\n" in path:
        return ""
    place = facts.place(path)
    if place.found == "checkout":
        return (
            f"{place.name} is in your checkout and not in git, so no run has it: add `read: [{place.name}]` to "
            "program.md, or commit it"
        )
    if place.found == "machine":
        return _out_of_reach(place)
    if place.found == "git":
        return ""
    if place.folder:
        return (
            f"the folder {place.folder} is in your checkout and not in git: have the program make it before it writes "
            f"there, or add `write: [{place.folder}]` to program.md"
        )
    first = f"{place.name} is nowhere on this machine: do what the project asks for first (download, prepare)"
    if place.given:
        return f"{first}; runs see it then"
    or_writes = f"; if it writes there, add `write: [{place.outside}]`" if place.outside else ""
    return f"{first}, then add `read: [{place.name}]` to program.md{or_writes}"


def _out_of_reach(place: Place) -> str:
    return f"{place.name} is on this machine and out of a run's reach: add `read: [{place.name}]` to program.md"


def _refused(match: re.Match[str], facts: Facts) -> str:
    """A path that may not be opened, for reading or for writing."""
    if facts.sandbox == "off":
        return ""
    place = facts.place(match["path"])
    if place.found == "git":
        return f"a run may not write to {place.name}: write to LOOPTOP_RUN_DIR instead, or add `write: [{place.name}]`"
    return (
        f"{place.name} is out of a run's reach: add `read: [{place.name}]` to program.md if it only reads there, "
        f"`write: [{place.name}]` if it writes"
    )


def _read_only(match: re.Match[str], facts: Facts) -> str:
    if facts.sandbox == "off":
        return ""
    name = facts.place(match["path"]).name
    return f"a run may not write to {name}: add `write: [{name}]` to program.md, or write to LOOPTOP_RUN_DIR"


def _module(match: re.Match[str], facts: Facts) -> str:
    name = match["module"].split(".")[0]
    for path in (f"{name}.py", name, f"src/{name}"):
        place = facts.place(path)
        if place.found == "checkout":
            return f"{place.name} is in your checkout and not in git, so no run has it: `git add {place.name}`, commit"
    return (
        f"the runs' Python, {facts.python}, has no module {name}: install it there, or have `run:` start the Python "
        "that has it, such as `run: .venv/bin/python train.py`"
    )


def _library(match: re.Match[str], facts: Facts) -> str:
    return (
        f"the library {match['path']} is not found in a run: add its folder to `read:` in program.md, and set "
        "LD_LIBRARY_PATH under `env:`"
    )


def _program(match: re.Match[str], facts: Facts) -> str:
    name = match["program"]
    if "/" in name:
        return _not_there(name, facts)
    return f"a run finds no program {name}: write its path in `run:`, or set PATH under `env:` in program.md"


# --- the network ------------------------------------------------------------------------------------------------


def _network(match: re.Match[str], facts: Facts) -> str:
    if facts.sandbox == "off":
        return "runs are not confined here, so the network is open to them: see that the server is up"
    if facts.contract.network == "on":
        return ""
    if facts.contract.network == "off" and facts.sandbox == "landlock":
        return (
            "a run may not use the network under Landlock: set `network: loopback` in program.md if its processes talk "
            "to each other, `network: on` if it needs a server"
        )
    return (
        f"a run has no network (`network: {facts.contract.network}`): fetch what it needs once beforehand, or set "
        "`network: on` in program.md if it needs a server"
    )


_WORKERS = re.compile(
    r"\b(?:torchrun|torch\.distributed\.(?:run|launch)|accelerate launch|deepspeed|mpirun|mpiexec|horovodrun)\b"
)


def workers_refused(contract: Contract, sandbox: str) -> str:
    """What mends a `run:` whose processes would wait in silence for each other; empty where nothing has to."""
    if sandbox != "landlock" or contract.network != "off" or not _WORKERS.search(contract.run):
        return ""
    return (
        "the processes that `run:` starts talk to each other over TCP, which Landlock refuses a run: set "
        "`network: loopback` in program.md"
    )


def _port(match: re.Match[str], facts: Facts) -> str:
    return (
        "the port that it asks for is taken, by another program or by a run beside it: let `run:` use a free one "
        "(`torchrun --standalone`, port 0)"
    )


def _hugging_face(match: re.Match[str], facts: Facts) -> str:
    return (
        "what it loads from Hugging Face is not in the cache yet: run the program once yourself, which fetches it, and "
        "runs read your cache offline; or set `network: on` in program.md"
    )


def _weights_and_biases(match: re.Match[str], facts: Facts) -> str:
    if facts.sandbox == "off":
        return "Weights & Biases has no key in a run: set `env: {WANDB_MODE: offline}` or `env: [WANDB_API_KEY]`"
    return (
        "Weights & Biases has no key and no network in a run: set `env: {WANDB_MODE: offline}` in program.md, or "
        "`network: on` and `env: [WANDB_API_KEY]`"
    )


def _uv(match: re.Match[str], facts: Facts) -> str:
    return "nothing can be installed in a run: `uv sync` once in your checkout, and runs use that environment"


def _pip(match: re.Match[str], facts: Facts) -> str:
    return (
        "nothing can be installed in a run: install it once in the environment that `run:` uses, and take the "
        "installation out of `run:`"
    )


def _nltk(match: re.Match[str], facts: Facts) -> str:
    return (
        f"NLTK's {match['name']} is not there yet: `python -m nltk.downloader {match['name']}` once, and runs read it "
        "from your nltk_data"
    )


# --- everything else --------------------------------------------------------------------------------------------


def _variable(match: re.Match[str], facts: Facts) -> str:
    return f"a run does not get the variable {match['name']}: add `env: [{match['name']}]` to program.md, or a value"


def _sentence(said: str) -> Callable[[re.Match[str], Facts], str]:
    return lambda match, facts: said


_QUOTED = r"['\"‘“](?P<path>[^'\"’”\n]+)['\"’”]"
_BARE = r"(?P<path>[\w./~+@-][^\s:'\"’”`]*)['\"’”`]?"


def _rows(*rows: tuple[str, Callable[[re.Match[str], Facts], str]]) -> tuple[_Row, ...]:
    return tuple(_Row(re.compile(pattern, re.MULTILINE), say) for pattern, say in rows)


_ROWS = _rows(
    # What names its own cause comes before what it is made of: most of these end in a missing file or a connection.
    (r"git-lfs\.github\.com/spec|invalid load key, 'v'|HeaderTooLarge", _sentence(
        "it reads a pointer of git-lfs in the place of the file: `git lfs pull` in your checkout")),
    (r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to ['\"]?https://huggingface\.co|"
     r"Cannot find the requested files in the (?:disk cache|cached path)|OFFLINE mode is enabled|HF_HUB_OFFLINE|"
     r"Couldn't reach .* on the Hub|host=['\"]huggingface\.co", _hugging_face),
    (r"wandb.*(?:api_key not configured|No API key|not logged in|wandb login)|wandb\.errors|"
     r"api\.wandb\.ai", _weights_and_biases),
    (r"Resource (?:\x1b\[\d+m)?(?P<name>[\w-]+)(?:\x1b\[0m)? not found", _nltk),
    (r"network was disabled|^error: Failed to (?:fetch|download)|not found in the cache|"
     r"^\s*×.*(?:resolve|download|fetch)", _uv),
    (r"No matching distribution found|Could not find a version that satisfies|\.pip\._vendor\.", _pip),
    (r"AF_UNIX path too long", _sentence(
        "the temporary folder has too long a path for a socket: move the checkout to a shorter path")),
    (r"Address already in use|EADDRINUSE", _port),
    (r"Bus error|insufficient shared memory|unable to mmap \d+ bytes|\(shm\)", _sentence(
        "/dev/shm is too small for its data loaders: give them fewer workers, or the container more of it "
        "(docker: --shm-size)")),
    (r"No CUDA GPUs are available|Found no NVIDIA driver|no CUDA-capable device|CUDA driver (?:initialization failed|"
     r"version is insufficient)|Torch not compiled with CUDA|not available: CUDA|No visible GPU|hipErrorNoDevice",
     _sentence("it finds no GPU: `looptop doctor` says what is here and what runs see; else have it use the CPU")),
    (r"no display name and no \$DISPLAY|could not connect to display|cannot open display", _sentence(
        "a run has no screen: set `env: {MPLBACKEND: Agg}` in program.md")),
    (r"EOFError: EOF when reading a line", _sentence(
        "it asks for an answer, and nobody is at a run's keyboard: give `run:` what it asks for")),
    (r"(?:error: )?the following arguments are required: (?P<what>.+)", lambda match, facts: (
        f"`run:` lacks what the program asks for: {match['what'].strip():.80}")),
    (r"not a git repository|detected dubious ownership", _sentence(
        "git does not work in a run, whose repository is yours: have the program do without it, or take what it asks "
        "git for from a variable under `env:`")),
    (r"conda init|CondaError", _sentence(
        "`conda activate` needs a shell of yours: write `run: conda run --no-capture-output -n ENVIRONMENT python "
        "train.py`")),
    (r"can't start new thread|fork: retry: Resource temporarily unavailable|BlockingIOError: \[Errno 11\]", _sentence(
        "it may not start so many processes: raise `limits: {processes: N}` in program.md")),
    (r"sudo: |no new privileges", _sentence("sudo does not work in a run: do that step once yourself")),
    # Packages and programs.
    (r"(?:ModuleNotFoundError|ImportError): No module named ['\"]?(?P<module>[\w.]+)", _module),
    (r"No module named (?P<module>[\w.]+)$", _module),
    (r"(?P<path>[\w.+/-]+\.so[\w.]*): cannot open shared object file", _library),
    (r"^(?:\S+: )?(?:line \d+: |\d+: )?(?P<program>[\w./+-]+): (?:command )?not found$", _program),
    (r"^make(?:\[\d+\])?: (?P<program>[\w.+-]+): No such file or directory", _program),
    (r"(?:env|timeout|nice|nohup|xargs|time|stdbuf): [‘'\"]?(?P<program>[\w.+/-]+)[’'\"]?: No such file or directory",
     _program),
    (r"cannot start '(?P<program>[^']+)': no such program", _program),
    # Files.
    (r"Read-only file system(?:: |.*? )" + _QUOTED, _read_only),
    (r"(?:cannot open output file )?" + _BARE + r": Read-only file system", _read_only),
    (r"PermissionError: \[Errno 13\] Permission denied: " + _QUOTED, _refused),
    (r"(?:No such file or directory|cannot find the path).*?[:(] ?" + _QUOTED, _missing),
    (r"(?:can't open file|cannot open file|cannot open|opening file|unable to open file: name =|"
     r"No rule to make target) *" + _QUOTED, _missing),
    (r"Couldn't find any data file at (?P<path>\S+?)\.?$", _missing),
    (r"cannot (?:open|access|stat) " + _QUOTED + r".*No such file", _missing),
    (r"cannot open (?P<path>[^\s:]+): No such file", _missing),
    (r"fatal error: (?P<path>[\w./+-]+): No such file or directory", _missing),
    (r"FileNotFoundError: (?:\[Errno 2\] )?(?:File |Directory |Path |Dataset |Could not find )?[`'\"]?"
     r"(?P<path>[~./\w-]*[/.][\w./-]*\w)[`'\"]?", _missing),
    (r"(?:^|: )(?:line \d+: |\d+: )?(?P<path>[\w./~+@-]+): No such file or directory", _missing),
    (r"(?P<path>[\w./~+@-]+/[\w./+@-]+|[\w-]+\.\w{1,6}) (?:not found|does not exist)", _missing),
    # The network.
    (r"(?:urlopen error|socket|connect|bind|Connect\w*Error).*\[Errno 13\] Permission denied|"
     r"PermissionError: \[Errno 13\] Permission denied$", _network),
    (r"Connection ?refused|Network is unreachable|Temporary failure in name resolution|Name or service not known|"
     r"getaddrinfo|gaierror|Max retries exceeded|NewConnectionError|Could not resolve host|ConnectError|ConnectTimeout|"
     r"ConnectionError|URLError|NameResolutionError|Cannot connect to host|No route to host|\[Errno 10[1-4]\]",
     _network),
    # Variables.
    (r"^KeyError: '(?P<name>[A-Z][A-Z0-9_]{2,})'$", _variable),
    (r"(?:^|: )(?P<name>[A-Z][A-Z0-9_]{2,}): (?:unbound variable|parameter not set)", _variable),
    (r"(?:environment variable|env(?:ironment)? var)s? [`'\"]?(?P<name>[A-Z][A-Z0-9_]{2,})[`'\"]?", _variable),
    (r"(?P<name>[A-Z][A-Z0-9_]{2,}) (?:environment variable|env var)", _variable),
)  # fmt: skip
"""Searched in this order; the first that has something to say."""
