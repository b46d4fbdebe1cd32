"""Optuna in a process of its own.

A supervisor runs for days and must not grow, but Optuna's storage grows by about 20 kB per experiment; and while Optuna
computes, its interpreter does nothing else. The process starts at the first question and is replaced now and then,
without loss: it gets the whole history before each proposal. It ends with its standard input, so it never outlives the
supervisor, however that one dies.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from loop.researchers.automl.ranges import Range
from loop.researchers.automl.tpe import Tpe
from loop.researchers.automl.trials import Trial
from loop.researchers.protocol import ProposalFailed

_RENEWED = 100
"""Proposals after which the process is replaced by a new one."""

_History = tuple[Literal["min", "max"], str, Mapping[str, Range], Sequence[Trial]]
"""Goal, protocol id, ranges and trials."""


class EstimatorEnded(ProposalFailed):
    """The process ended before it answered."""


class Estimator:
    """Tree-structured Parzen estimator behind a pipe. For one thread at a time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._history: _History | None = None
        self._told = False
        """Whether the process knows the history."""
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] | None = None
        self._proposals = 0

    def tell(
        self, goal: Literal["min", "max"], protocol_id: str, ranges: Mapping[str, Range], trials: Sequence[Trial]
    ) -> None:
        """Set the whole history. It is sent to the process with the next question, if there is one."""
        self._history, self._told = (goal, protocol_id, dict(ranges), list(trials)), False

    def forget(self) -> None:
        """Drop the history here, until the next proposal sets it again: it may be hundreds of trials, and the process
        has its own copy."""
        self._history = None

    def ask(self, names: Sequence[str], number: int) -> Mapping[str, float]:
        """See `Tpe.ask`. Blocks for milliseconds, or for a second while the process starts.

        Raises:
            EstimatorEnded: it did not answer.
        """
        if not self._told:
            self._proposals += 1
            if self._proposals > _RENEWED:
                self.close()
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((self._seed, None if self._told else self._history, list(names), number), process.stdin)
            process.stdin.flush()
            places: Mapping[str, float] = pickle.load(process.stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            status = process.poll()
            self.close()
            raise EstimatorEnded(
                f"the process that Optuna computes in ended before it answered (status {status}); it is started again"
            ) from None
        self._told = True
        return places

    def close(self) -> None:
        """End the process, even while it computes for another thread."""
        if self._end is not None:
            self._end()
        self._process, self._end, self._proposals, self._told = None, None, 0, False

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "loop.researchers.automl.estimator"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Its arrays are small: more threads would only take memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # ctrl+c at the supervisor's terminal is not meant for it
            )
            self._end = weakref.finalize(self, _end, self._process)
        return self._process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # unsent input may be left
                pipe.close()


def main() -> None:
    """The process itself: answer questions until the input ends."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may mix with the answers
    tpe: Tpe | None = None
    asked_of: object = None
    while True:
        try:
            seed, history, names, number = pickle.load(questions)
        except EOFError:
            return
        if history is not None:
            goal, protocol_id, ranges, trials = history
            if tpe is None or asked_of != (goal, protocol_id, ranges):
                tpe, asked_of = Tpe(goal, ranges, seed), (goal, protocol_id, ranges)
            tpe.tell(trials)
        assert tpe is not None
        pickle.dump(tpe.ask(names, number), answers)
        answers.flush()


if __name__ == "__main__":
    main()
