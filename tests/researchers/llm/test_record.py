"""What a model may look up of the experiments, while the study goes on."""

from dataclasses import replace

import pytest

from loop.researchers.llm.record import Record
from loop.researchers.llm.tool import ToolError
from tests.researchers.history import briefing, history
from tests.researchers.spoken import Shelf


async def test_what_has_come_since_the_briefing_is_told_beside_its_table() -> None:
    every = history(12)
    shelf = Shelf(diffs={11: "+WIDTH = 64"})
    record = Record(replace(briefing(every[:11]), archive=shelf))
    record.told = True
    assert (await record.list_experiments()).startswith("all of it is in the table")
    with pytest.raises(ToolError, match="they go from 0 to 10"):
        await record.show_experiment(11, "diff")
    shelf.since = every[11:]
    listed = await record.list_experiments()
    assert listed.startswith("the rest is in the table") and "#11 " in listed and "#10 " not in listed
    assert "+WIDTH = 64" in await record.show_experiment(11, "diff")
    assert record.titled(every[11].title, ()) is every[11]
