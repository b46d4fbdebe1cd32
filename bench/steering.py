"""How soon a person's words reach a language model: from the request in the journal to the socket.

    python -m bench.steering [--times 15]

A real supervisor in this process, a real endpoint on a loopback socket that streams an endless thought at 50 words a
second. Measured as for `looptop steer -i`: until the endpoint sees its stream cut, and until it has the next
request, which contains the words. The budget is 250 ms for the cut.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.config.settings import Settings
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.llm.researcher import LanguageModel
from loop.sandbox.backend import choose
from loop.study import events as e
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.endpoint import Answer, Endpoint
from tests.gauges import FakeGauges

BUDGET_MS = 250
ENDLESS = Answer(reasoning="on and on " * 100_000, rate=50, pieces=12)


async def steer(path: Path, endpoint: Endpoint, times: int) -> list[tuple[float, float]]:
    """Interrupt `times` times; milliseconds until the cut and until the words arrive, each time."""
    found = []
    with Journal(path) as journal:
        for number in range(times):
            while len(endpoint.requests) <= number:  # noqa: ASYNC110 - the endpoint is in other threads
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.3 + 0.037 * number)  # each time at another point between two polls of the supervisor
            began = time.monotonic()
            journal.append(e.Steered(who="bench", text=f"words number {number}", interrupt=True))
            while len(endpoint.requests) <= number + 1 or endpoint.requests[number].gone_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            cut, again = endpoint.requests[number], endpoint.requests[number + 1]
            assert f"words number {number}" in again.text
            found.append((1000 * ((cut.gone_at or 0) - began), 1000 * (again.at - began)))
        journal.append(e.Stopped(who="bench", now=True))
    return found


async def measure(root: Path, times: int) -> list[tuple[float, float]]:
    (root / "run.sh").write_text("echo loss: 1.$LOOPTOP_SEED\n")
    (root / "program.md").write_text(
        "---\nedit: run.sh\nrun: sh run.sh\nmetric: loss\nkeep: {baseline_runs: 2}\n---\nGo down.\n"
    )
    init_repository(root, [root / "run.sh", root / "program.md"])
    lineage = Lineage(root, "bench")
    lineage.prepare()
    gauges = FakeGauges(0)
    with Endpoint(ENDLESS) as endpoint, supervise(root), Journal(Workspace(root).journal, create=True) as journal:
        researcher = LanguageModel(Settings(model="test-model", base_url=endpoint.url))
        prepared = Prepared(Workspace(root), lineage, load(root, matching), Overrides(), (researcher,), choose("off"))
        supervisor = Supervisor(build(prepared, journal, gauges))
        steering = asyncio.create_task(steer(Workspace(root).journal, endpoint, times))
        await supervisor.run()
        return await steering


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=15)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), parser.parse_args().times))
    for what, values in (("stream cut", [cut for cut, _ in found]), ("asked again", [again for _, again in found])):
        budget = f", budget {BUDGET_MS} ms" if what == "stream cut" else ", with the words"
        print(f"{what} after: median {statistics.median(values):.0f} ms (worst {max(values):.0f}){budget}")


if __name__ == "__main__":
    main()
