"""Re-measure a checkpoint's bits per byte, trusting nothing that the experiment's own file says or prints.

`python -m loop.harness verify` is started in the root of an experiment's worktree once its run has ended. The file is
imported and its model called in a process of its own (`subject`); this process never imports the file and never loads
torch: it sends text, gets logits, and does the arithmetic. A second such process, which never sees the texts of the
first, scores some of them again in other company and cut short, and must agree: a model that reads ahead, learns from
the texts it is scored on, or rolls dice does not.

The checks, in the order in which they can fail:

    loads    there is a checkpoint, and `load_model(path)` makes a model of it
    runs     the model takes any number of texts, of any length from 1 byte to `scoring.WINDOW`
    shape    logits are (rows, length, 256)
    finite   no logit is NaN or infinite
    rows     a text's score does not depend on the texts beside or before it, nor on chance
    causal   the logits before a cut are the same when the text after the cut is not there

What this does not do: hide the validation text or the disk from the subject. That is its sandbox's part.
"""

import json
import math
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from loop.harness import CHECKPOINT, corpus, run_folder, scoring, subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 16
"""Texts per request: an answer is 8 MB, small enough for the caches and large enough to keep a GPU from idling."""

CUTS = 32
"""Places at which texts are cut, fresh ones in each verification: one in each 32nd of a window. Many, since a model may
read ahead at some positions only: one that does at every eighth is caught 98 times in 100, and is verified again in
every run of its experiment."""

ROWS_PER_CUT = 2
"""Texts cut at each: 32 times 2 texts of half a window make a verification an eighth longer."""

AT_MOST_HERE = 0.5
"""Bits by which a byte's score may change, in the mean of one cut's texts. The default model in bfloat16, where the
length of a text changes the order of its sums, moves by 0.03 at most; reading one byte ahead gains several bits."""

AT_MOST_OVERALL = 0.002
"""Bits per byte by which the mean score of all compared bytes may change: bfloat16 moves it by 0.00001."""

LONGEST_HEAD = 50_000
"""Bytes of an answer's first line, twice what `subject` needs for the longest traceback."""


class Rejected(Exception):
    """A check failed: its name, one sentence for the verdict, and the traceback where there is one."""

    def __init__(self, check: str, sentence: str, traceback: str = "") -> None:
        super().__init__(f"{check}: {sentence}")
        self.traceback = traceback


@dataclass(frozen=True)
class Verified:
    """What a verification found, in the units of the names."""

    bits_per_byte: float
    scored_bytes: int
    compared_bytes: int
    seconds: float


class Subject:
    """One process with the experiment's model in it; ends with the `with` block, whatever it is doing."""

    def __init__(self, file: Path, checkpoint: Path) -> None:
        answers, theirs = os.pipe()
        command = [sys.executable, "-P", subject.__file__, str(file), str(checkpoint), str(theirs)]
        # Nothing that the file prints is passed on: it might look like a measurement.
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, pass_fds=[theirs]
        )
        os.close(theirs)
        self.answers = open(answers, "rb")  # noqa: SIM115, PTH123 - a descriptor, open as long as the process

    def __enter__(self) -> "Subject":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.answers.close()
        assert self.process.stdin
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # a last request that nobody read

    def loaded(self) -> None:
        """Wait until the model is there. Raises Rejected (`loads`)."""
        self._receive("loads", [])

    def ask(self, requests: Iterable["NDArray[np.uint8]"]) -> Iterator["NDArray[np.float32]"]:
        """Logits for each batch of texts (rows, length): (rows, length, 256), finite. Raises Rejected.

        One request is always under way while the last answer is worked on.
        """
        waiting: list[NDArray[np.uint8]] = []
        for texts in requests:
            self._send(texts)
            waiting.append(texts)
            if len(waiting) > 1:
                yield self._logits(waiting.pop(0))
        for texts in waiting:
            yield self._logits(texts)

    def _send(self, texts: "NDArray[np.uint8]") -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(subject.REQUEST.pack(*texts.shape) + texts.tobytes())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died; what it said last is read next

    def _logits(self, texts: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        import numpy as np

        logits = self._receive("runs", [*texts.shape, scoring.VOCABULARY])
        if wrong := logits.size - np.count_nonzero(np.isfinite(logits)):
            raise Rejected("finite", f"{wrong:,} of {logits.size:,} logits are NaN or infinite")
        return logits

    def _receive(self, check: str, shape: list[int]) -> "NDArray[np.float32]":
        """The next answer, of this shape; Rejected under the name of the check where there is none."""
        import numpy as np

        try:
            answer = json.loads(self.answers.readline(LONGEST_HEAD))
            said, given, frames = answer.get("raised"), answer.get("shape"), answer.get("traceback", "")
        except (ValueError, AttributeError):  # nothing, or nothing that `subject` writes
            said, given, frames = f"its process {self._ending()}", None, ""
        if said is not None:
            raise Rejected(check, printable(str(said)), str(frames))
        if given != shape:
            raise Rejected("shape", f"the logits of {shape[:-1]} bytes have the shape {given}, not {shape}")
        payload = self.answers.read(4 * math.prod(shape))
        if len(payload) < 4 * math.prod(shape):
            raise Rejected(check, f"its process {self._ending()}")
        return np.frombuffer(payload, dtype=np.float32).reshape(shape)

    def _ending(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        return f"was ended by signal {-code}" if code < 0 else f"ended by itself with exit code {code}"


def verify(file: Path, checkpoint: Path, sealed: bool = False) -> Verified:
    """Measure the model that `file` makes of `checkpoint`.

    Args:
        sealed: on the sealed part of the text, see `scoring.windows`.

    Raises:
        Rejected: a check failed.
        OSError: there is no validation text, or no process could be started.
    """
    import numpy as np

    began = time.monotonic()
    if not checkpoint.is_file():
        raise Rejected("loads", f"the run left no {checkpoint.name} in {checkpoint.parent}")
    windows = scoring.windows(corpus.load("validation"), sealed)
    texts, targets = windows[:, :-1], windows[:, 1:]
    with Subject(file, checkpoint) as scored, Subject(file, checkpoint) as compared:  # they load side by side
        scored.loaded()
        batches = [slice(at, at + BATCH) for at in range(0, len(windows), BATCH)]
        answers = scored.ask(texts[batch] for batch in batches)
        bits = np.concatenate([scoring.bits(next(answers), targets[batch]) for batch in batches])
        compared.loaded()
        compared_bytes = compare(compared, windows, bits, np.random.default_rng(secrets.randbits(64)))
    return Verified(float(bits.mean()), bits.size, compared_bytes, time.monotonic() - began)


def compare(
    subject: Subject, windows: "NDArray[np.uint8]", bits: "NDArray[np.float64]", random: "np.random.Generator"
) -> int:
    """Score some windows again, first whole beside other windows, then cut short, and compare with `bits`.

    Args:
        subject: a process that has seen none of the windows.
        windows: as in `scoring.windows`.
        bits: the bits of each of their bytes as first measured, (windows, WINDOW).
        random: chooses windows and cuts.

    Returns:
        The number of bytes compared.

    Raises:
        Rejected: `rows` or `causal`, or what a model that takes no short texts raises.
    """
    import numpy as np

    edges = np.linspace(1, scoring.WINDOW, CUTS + 1).astype(int)
    cut = [
        (random.choice(len(windows), ROWS_PER_CUT, replace=False), int(random.integers(first, last)))
        for first, last in pairwise(edges)
    ]
    whole = [(random.choice(len(windows), BATCH, replace=False), scoring.WINDOW)]
    changes: list[NDArray[np.float64]] = []  # by which each compared byte costs more now, (rows, length) per request
    answers = subject.ask(windows[rows, :length] for rows, length in cut + whole)
    for (rows, length), logits in zip(cut + whole, answers, strict=True):
        changes.append(scoring.bits(logits, windows[rows, 1 : length + 1]) - bits[rows, :length])
    if said := disagreement(changes[len(cut) :]):
        raise Rejected("rows", f"{said} beside other texts: they depend on those, on texts before, or on chance")
    if said := disagreement(changes[: len(cut)]):
        raise Rejected("causal", f"{said} without the text that follows: the model reads ahead")
    return sum(change.size for change in changes)


def disagreement(changes: list["NDArray[np.float64]"]) -> str | None:
    """Half a sentence on how far two scores of the same bytes lie apart, if that is more than rounding explains.

    Args:
        changes: the differences in bits, (rows, length) each.
    """
    import numpy as np

    here = max(float(np.abs(change).mean(axis=0).max()) for change in changes)
    overall = float(np.concatenate([change.ravel() for change in changes]).mean())
    if here <= AT_MOST_HERE and abs(overall) <= AT_MOST_OVERALL:
        return None
    return f"scores change by {overall:+.3f} bits per byte, by up to {here:.2f} bits at one position,"


def printable(text: str) -> str:
    """The text as one line without control characters: it comes from a stranger and goes to a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def main(file: str, sealed: bool = False) -> int:
    """Verify the run of the environment, print its summary or its rejection, and return the exit code.

    Returns:
        0 measured, 1 it could not be measured for a reason that is not the model's, 2 used wrongly, 3 rejected.
    """
    if not Path(file).is_file():
        print(f"verify: there is no {file} in {Path.cwd()}; start it from the root of the checkout", file=sys.stderr)
        return 2
    try:
        found = verify(Path(file).absolute(), run_folder() / CHECKPOINT, sealed)
    except Rejected as rejection:
        for line in rejection.traceback.splitlines():
            print(f"| {printable(line)}", file=sys.stderr)  # the bar: no line of it can pass for one of ours
        print(f"rejected: {rejection}")
        return 3
    except (OSError, ImportError, ValueError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1
    print("---")
    print(f"val_bpb: {found.bits_per_byte:.6f}")
    print(f"scored_bytes: {found.scored_bytes}")
    print(f"compared_bytes: {found.compared_bytes}")
    print(f"verify_seconds: {found.seconds:.1f}")
    return 0
