"""Bits per byte against closed forms."""

import math

import pytest

np = pytest.importorskip("numpy")

from loop.harness import scoring  # noqa: E402


def test_a_model_that_knows_nothing_needs_eight_bits() -> None:
    bits = scoring.bits(np.zeros((3, 5, 256), np.float32), np.arange(15, dtype=np.uint8).reshape(3, 5))
    assert bits.shape == (3, 5)
    assert np.allclose(bits, 8.0, atol=1e-12)


def test_a_model_that_is_sure_and_right_needs_none() -> None:
    targets = np.arange(256, dtype=np.uint8)
    assert scoring.bits(1000 * np.eye(256, dtype=np.float32), targets).max() == 0.0


def test_a_model_that_is_sure_and_wrong_pays_its_confidence() -> None:
    logits = np.zeros((1, 256), np.float32)
    logits[0, 7] = 100.0
    assert scoring.bits(logits, np.array([8], np.uint8))[0] == pytest.approx(100 / math.log(2), abs=1e-6)


def test_the_mean_under_the_true_distribution_is_its_entropy() -> None:
    probabilities = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    logits = np.full((8, 256), -200.0, np.float32)
    logits[:, :4] = np.log(probabilities)
    text = np.array([0, 0, 0, 0, 1, 1, 2, 3], np.uint8)
    assert scoring.bits(logits, text).mean() == pytest.approx(1.75, abs=1e-6)


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_only_differences_of_logits_count(shift: float) -> None:
    logits = np.random.default_rng(1).normal(size=(64, 256)).astype(np.float32)
    targets = np.arange(64, dtype=np.uint8)
    byhand = [math.log2(sum(math.exp(v) for v in row)) - row[t] / math.log(2) for row, t in zip(logits, targets)]  # noqa: B905
    assert np.allclose(scoring.bits(logits + np.float32(shift), targets), byhand, atol=2e-3 if shift else 1e-6)


def test_logits_of_any_size_are_scored_without_overflow() -> None:
    logits = np.full((1, 256), -3e38, np.float32)
    logits[0, 0] = 1e38
    assert scoring.bits(logits, np.array([0], np.uint8))[0] == 0.0


def test_windows_reach_from_the_first_byte_to_the_last_and_are_always_the_same() -> None:
    text = np.random.default_rng(0).integers(0, 256, 1_500_000, dtype=np.uint8)
    windows = scoring.windows(text)
    assert windows.shape == (scoring.WINDOWS, scoring.WINDOW + 1)
    assert (windows[0] == text[: scoring.WINDOW + 1]).all()
    assert (windows[-1] == text[-scoring.WINDOW - 1 :]).all()
    assert (scoring.windows(text) == windows).all()


def test_windows_of_a_real_validation_text_do_not_overlap() -> None:
    text = np.arange(600_000, dtype=np.uint32)  # as small as the validation text gets; here each byte is its own place
    assert (np.diff(scoring.windows(text)[:, 0].astype(np.int64)) > scoring.WINDOW).all()


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="has 512 bytes; a window takes 513"):
        scoring.windows(np.zeros(512, np.uint8))
    assert scoring.windows(np.zeros(513, np.uint8)).shape == (scoring.WINDOWS, 513)


def test_the_sealed_windows_share_no_byte_with_those_that_are_scored() -> None:
    text = np.arange(600_000) % 2**32  # each place has its own number
    scored, sealed = scoring.windows(text), scoring.windows(text, sealed=True)
    assert sealed.shape == (scoring.WINDOWS - 1, scoring.WINDOW + 1)
    assert not np.intersect1d(scored, sealed).size and np.unique(sealed).size == sealed.size
    with pytest.raises(ValueError, match="too few for a sealed part"):
        scoring.windows(np.zeros(200_000, np.uint8), sealed=True)
