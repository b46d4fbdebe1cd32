"""Bits per byte: what the number means, and on which bytes it is measured.

    bpb = mean over the scored bytes b_t of  -log2 softmax(logits_{t-1})[b_t]

in bits per byte of text: the size, in bits, that the text's average byte has when an arithmetic coder is driven by the
model (Shannon 1948). 8.0 is a model that knows nothing, 0.0 one that is always sure and right. As the vocabulary is the
256 bytes themselves, no tokeniser enters and the number compares across models, machines and devices.

The windows below are the same for every model on every device: part of the metric's definition, so changing one makes
all earlier numbers incomparable. Pure numpy, no torch, no clock, no randomness.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VOCABULARY = 256
"""Symbols that a model tells apart: the values of a byte."""

WINDOW = 512
"""Bytes that a model reads at once, and the predictions that each window is scored on: the first has one byte before
it, the last 512. About 15 lines of code; longer windows would cost a CPU more than the length gains."""

WINDOWS = 256
"""Windows scored: 131,072 bytes, which the default CPU model reads in about 1.5 s on two cores. The choice of bytes is
no part of the noise between two runs, as every model is scored on the same ones."""


def windows(text: "NDArray[np.uint8]", sealed: bool = False) -> "NDArray[np.uint8]":
    """The windows that are scored, spread evenly over a text from its first byte to its last.

    Args:
        text: the validation text, shape (bytes,), uint8.
        sealed: those of the sealed part instead: each halfway between two of the others. No training reads them, since
            they are held out too, and no verification scores them.

    Returns:
        Shape (WINDOWS, WINDOW + 1), uint8: in each row the first WINDOW bytes are what a model reads, and the last
        WINDOW are what it is to predict.

    Raises:
        ValueError: the text is shorter than one window; or, for the sealed part, too short for it to have bytes of its
            own.
    """
    import numpy as np

    last = len(text) - (WINDOW + 1)
    if last < 0:
        raise ValueError(f"the validation text has {len(text)} bytes; a window takes {WINDOW + 1}")
    starts = np.linspace(0, last, WINDOWS).astype(np.int64)
    if sealed:
        if np.diff(starts).min() < 2 * (WINDOW + 1):
            raise ValueError(
                f"the validation text has {len(text)} bytes, too few for a sealed part between its windows"
            )
        starts = (starts[:-1] + starts[1:]) // 2
    return np.asarray(text[starts[:, None] + np.arange(WINDOW + 1)])


def bits(logits: "NDArray[np.float32]", targets: "NDArray[np.uint8]") -> "NDArray[np.float64]":
    """The bits that each byte costs under a model's logits; their mean is the bits per byte.

    Args:
        logits: unnormalised natural-log probabilities, shape (..., VOCABULARY), finite.
        targets: the bytes that really followed, shape (...), uint8.

    Returns:
        -log2 softmax(logits)[target], shape (...), at least 0, computed in float64.
    """
    import numpy as np

    # Nothing is above 0, so exp cannot overflow; in float32 the difference of two large logits already could.
    shifted = np.subtract(logits, logits.max(axis=-1, keepdims=True), dtype=np.float64)
    log_total = np.log(np.exp(shifted).sum(axis=-1))
    chosen = np.take_along_axis(shifted, targets[..., None].astype(np.int64), axis=-1)[..., 0]
    return np.asarray((log_total - chosen) / np.log(2.0))
