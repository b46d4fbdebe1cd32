"""What a call costs: by the prices in the settings, else by the price list of genai-prices, else unknown.

Pure. Unknown is not zero: such calls are counted in tokens, and the screen says that the sum is a lower bound.
"""

from loop.config.settings import Prices
from loop.researchers.llm.conversation import Usage

MILLION = 1_000_000


def cost(usage: Usage, model: str, base_url: str | None, prices: Prices | None) -> float | None:
    """US dollars of one call; None where the price is unknown.

    Args:
        base_url: the endpoint; None is OpenAI's. A price list holds for its provider only: the same model on a machine
            of your own costs something else.
        prices: those of the settings.
    """
    return _by(prices, usage) if prices is not None else _listed(usage, model, base_url or "https://api.openai.com/v1")


def of_model(usage: Usage, model: str, prices: Prices | None) -> float | None:
    """US dollars of a call that somebody else made, such as a coding agent; None where the price is unknown.

    By the model's name alone, at the list price of whoever made the model: an agent says nothing of its endpoint, and
    a subscription costs the same whatever is called.
    """
    if prices is not None:
        return _by(prices, usage)
    return _listed(usage, model.rpartition("/")[2], None) if model else None


def _by(prices: Prices, usage: Usage) -> float:
    cached = prices.read if prices.cached is None else prices.cached
    fresh = max(0, usage.read - usage.cached)
    return (fresh * prices.read + usage.cached * cached + usage.written * prices.written) / MILLION


def _listed(usage: Usage, model: str, url: str | None) -> float | None:
    import genai_prices  # 0.16 s

    counted = genai_prices.Usage(input_tokens=usage.read, cache_read_tokens=usage.cached, output_tokens=usage.written)
    try:
        return float(genai_prices.calc_price(counted, model, provider_api_url=url).total_price)
    except (LookupError, ValueError):
        return None
