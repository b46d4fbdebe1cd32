"""Money: known prices are counted, unknown ones are not zero."""

import pytest

from loop.config.settings import Prices
from loop.researchers.llm.conversation import Usage
from loop.researchers.llm.prices import cost

USAGE = Usage(read=1_000_000, written=100_000, cached=400_000)


def test_a_persons_own_price_goes_over_every_list() -> None:
    assert cost(USAGE, "gpt-5-mini", None, Prices(read=1, written=10)) == pytest.approx(1 + 1)
    assert cost(USAGE, "gpt-5-mini", None, Prices(read=1, written=10, cached=0.1)) == pytest.approx(0.6 + 0.04 + 1)
    assert cost(USAGE, "anything", "http://localhost:1/v1", Prices(read=0, written=0)) == 0


def test_the_list_knows_openai_and_tells_cached_tokens_apart() -> None:
    without = cost(Usage(1_000_000, 100_000), "gpt-5-mini", None, None)
    with_cache = cost(USAGE, "gpt-5-mini", None, None)
    assert without is not None and with_cache is not None and 0 < with_cache < without


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "http://10.1.2.3:8000/v1", "https://gpu.example.org/v1"])
def test_the_same_model_on_a_machine_of_ones_own_has_no_known_price(url: str) -> None:
    assert cost(USAGE, "deepseek-chat", url, None) is None


def test_an_unknown_model_has_no_known_price() -> None:
    assert cost(USAGE, "no-such-model", None, None) is None
