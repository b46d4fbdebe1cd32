"""Constants that matter under a switch only: found where they are read, searched where they do something."""

import pytest

from loop.researchers.automl.automl import AutoML
from loop.researchers.automl.sites import idle, tunable
from loop.researchers.protocol import NothingLeft
from tests.researchers.automl.landscape import Desk, Landscape

SOURCE = """
USE_EMA = False
EMA_RATE = 0.01
OPTIMIZER = "adamw"  # adamw | sgd
ADAM_RATE = 0.02
SGD_RATE = 0.3
BOTH_RATE = 0.05
NESTED_RATE = 0.04

def step():
    if USE_EMA:
        average(EMA_RATE)
    if OPTIMIZER == "adamw":
        adam(ADAM_RATE, BOTH_RATE)
        if not USE_EMA:
            more(NESTED_RATE)
    else:
        sgd(SGD_RATE, BOTH_RATE)
    if UNKNOWN:
        other(NESTED_RATE if USE_EMA is None else 1)
"""


def asleep(source: str, **values: object) -> set[str]:
    sites = tunable({"train.py": source})
    return idle(sites, {site.name: site.constant.value for site in sites} | values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, {"EMA_RATE", "SGD_RATE"}),
        ({"USE_EMA": True}, {"SGD_RATE"}),
        ({"OPTIMIZER": "sgd"}, {"EMA_RATE", "ADAM_RATE"}),
        ({"OPTIMIZER": "sgd", "USE_EMA": True}, {"ADAM_RATE"}),
    ],
)
def test_what_is_read_below_a_switch_alone_does_nothing_where_it_is_set_otherwise(
    values: dict[str, object], names: set[str]
) -> None:
    assert asleep(SOURCE, **values) == names, "what is read in both branches, or under another condition too, stays"


def test_fields_of_settings_have_conditions_too_and_an_unknown_switch_has_none() -> None:
    config = """
from dataclasses import dataclass
@dataclass
class Config:
    use_ema: bool = False
    ema_rate: float = 0.01
    other_rate: float = 0.02

def train(config):
    if config.use_ema:
        average(config.ema_rate)
    if config.elsewhere:
        other(config.other_rate)
"""
    assert asleep(config) == {"Config.ema_rate"}
    assert asleep("RATE = 0.1\nif MODE:\n    go(RATE)\n") == set()
    deep = SOURCE + "TEXT = " + " + ".join(["'a'"] * 2000) + "\n"
    assert {site.name for site in tunable({"train.py": deep})} == {site.name for site in tunable({"train.py": SOURCE})}


async def test_a_constant_is_not_searched_while_it_does_nothing_and_is_once_it_does() -> None:
    source = "USE_EMA = {}\nEMA_RATE = 0.01\nif USE_EMA:\n    average(EMA_RATE)\n"
    for on, names in ((False, {"USE_EMA"}), (True, {"USE_EMA", "EMA_RATE"})):
        table = Desk(Landscape(3, 0.02), 3)
        table.files[0] = source.format(on)
        researcher, changed = AutoML(), set[str]()
        for _ in range(4):
            try:
                experiment = await table.ask(researcher)
            except NothingLeft:
                break
            changed |= set(experiment.notes["was"])  # type: ignore[call-overload]
        await researcher.close()
        assert changed == names
