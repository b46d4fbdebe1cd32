"""The process in which an experiment's model is examined: it imports the experiment's file and answers with logits.

`verify` starts it, asks, and does all measuring itself on the other side of two pipes, so that nothing the file does at
import or later (patched functions, printed numbers, an early exit) can touch the measurement. This process decides
nothing. It is run by its path, under `python -P`, with the requests on the file descriptor 0 and the answers on the one
named in its arguments; what the file or the model prints goes nowhere.

A request is two 32-bit integers, rows and length, and that many bytes of text. An answer is one line of JSON and what
it announces: {"shape": [...]} and as many 32-bit floats, or {"raised": "one sentence", "traceback": "..."} and nothing.
The first answer, before any request, says that the model is loaded: {"shape": []} with one float, a zero.
"""

import importlib.util
import json
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

REQUEST = struct.Struct("<ii")
TRACEBACK_FRAMES = 12
TRACEBACK_CHARACTERS = 4000
"""Enough to see where in the experiment's file it broke; a recursion error has thousands of frames."""


def main(file: str, checkpoint: str, answers_fd: str) -> None:
    """Load the model, then answer until the requests end."""
    requests, answers = sys.stdin.buffer, open(int(answers_fd), "wb")  # noqa: SIM115, PTH123
    sys.stdin = None  # the requests are for this loop, not for the file's own input()
    with answers:
        try:
            model = load(Path(file), checkpoint)
            answer(answers, [], struct.pack("<f", 0.0))
            for rows, length, text in read(requests):
                shape, payload = ask(model, rows, length, text)
                answer(answers, shape, payload)
        except BrokenPipeError:
            pass  # the examiner has heard enough
        except BaseException as error:  # SystemExit too: a file that ends the process has not given a model
            said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
            frames = "".join(traceback.format_exception(error, limit=-TRACEBACK_FRAMES))
            told = {"raised": said[:300], "traceback": frames[-TRACEBACK_CHARACTERS:]}
            answers.write(json.dumps(told).encode() + b"\n")


def load(file: Path, checkpoint: str) -> Callable[[Any], Any]:
    """Import the file, not as `__main__`, and let it rebuild its model."""
    # The harness that the file imports is ours, whatever lies in its own folder: it is loaded before that is in reach.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from loop.harness import corpus, scoring  # noqa: F401

    del sys.path[0]
    sys.path.append(str(file.parent))  # at the end: its siblings can be imported, and shadow nothing
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python file")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses and pickles look their module up
    spec.loader.exec_module(module)
    model: Callable[[Any], Any] = module.load_model(checkpoint)
    if hasattr(model, "eval"):
        model.eval()  # a forgotten dropout is no reason to reject
    return model


def ask(model: Callable[[Any], Any], rows: int, length: int, text: bytes) -> tuple[list[int], bytes]:
    """Logits of some rows: their shape, and their numbers as 32-bit floats."""
    import torch

    weight = next(model.parameters(), None) if isinstance(model, torch.nn.Module) else None
    idx = torch.frombuffer(bytearray(text), dtype=torch.uint8).view(rows, length).long()
    with torch.inference_mode():
        logits = model(idx if weight is None else idx.to(weight.device)).detach().float().cpu().contiguous()
    return list(logits.shape), logits.numpy().tobytes()


def read(requests: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        rows, length = REQUEST.unpack(head)
        yield rows, length, requests.read(rows * length)


def answer(answers: BinaryIO, shape: list[int], payload: bytes) -> None:
    answers.write(json.dumps({"shape": shape}).encode() + b"\n" + payload)
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
