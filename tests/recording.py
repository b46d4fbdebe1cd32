"""`make recording`: two minutes of the cockpit as a GIF for README, of a study of your own or else of a recorded one.

The study is replayed from its first event to its last by the cockpit's own replay, while keys are pressed as a person
would; each picture is drawn as those of `make pictures` are. What does not change between two pictures is not stored,
so two minutes take about a megabyte.

    python -m tests.recording docs/cockpit.gif [STUDY] --size 112x32 --seconds 120
"""

import argparse
import asyncio
import io
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageChops

from tests.pictures import recorded, screen_svg
from tests.tui.cockpit.cockpits import Cockpit

A_SECOND = 1
"""Pictures in one second."""

SHADES = (0.5, 1.0)
"""How much of a colour there may be over its ground: two shades of the edge of a letter, and no more."""

KEYS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.16, ("3", "z")),
    (0.24, ("j", "j")),
    (0.28, ("enter",)),
    (0.31, ("space",)),
    (0.36, ("escape", "z", "1")),
    (0.50, ("4", "z")),
    (0.60, ("z", "1")),
    (0.70, ("6", "z")),
    (0.78, ("z", "1")),
    (0.90, ("d",)),
    (0.97, ("escape",)),
)
"""What is pressed when, as a share of the whole: the experiments, one of them, progress, the mind, the digest."""

STUDY_ENDS = 0.88
"""Share of the recording at which the study has come to its end."""


async def frames(workspace: Path, size: tuple[int, int], seconds: float) -> AsyncIterator[str]:
    """The pictures, as SVG documents."""
    app = Cockpit(workspace, view="runs")
    app.opens_in = ("begin", 60)
    count = int(seconds * A_SECOND)
    keys = [(int(share * count), pressed) for share, pressed in KEYS]
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.2)
        replay = app.replay
        assert replay is not None
        app._ticking.pause()  # this clock is ours
        length = replay.end.at - replay.begin.at
        replay.speed = max(1, round(length / (seconds * STUDY_ENDS)))
        for number in range(count):
            for when, pressed in keys:
                if when == number:
                    await pilot.press(*pressed)
            share = min(1.0, number / (count * STUDY_ENDS))
            replay.playing = share < 1.0
            app._aim(replay.at(replay.begin.at + share * length))
            for _ in range(400):
                await pilot.pause(0.005)
                if app._shown == replay.place:
                    break
            app.flush()
            app.tick()
            app.draw_charts()
            await pilot.pause(0.01)
            yield screen_svg(app)


def image(svg: str, scale: float) -> Image.Image:
    """A picture as pixels."""
    import cairosvg  # type: ignore[import-untyped]  # wants libcairo, which no test does

    return Image.open(io.BytesIO(cairosvg.svg2png(bytestring=svg.encode(), scale=scale))).convert("RGB")


def palette(documents: Sequence[str]) -> list[int]:
    """The colours of the pictures and their shades, as red, green and blue one after another."""
    used = Counter(colour for text in documents for colour in re.findall(r'"#([0-9a-f]{6})"', text))
    found = [tuple(bytes.fromhex(colour)) for colour, _ in used.most_common(60)]
    ground = tuple(bytes.fromhex(re.findall(r'"#([0-9a-f]{6})"', documents[0])[0]))  # that of the whole picture
    shades = {
        tuple(round(low + (high - low) * share) for low, high in zip(ground, colour, strict=True))
        for colour in found
        for share in SHADES
    }
    return [value for colour in (ground, *sorted(shades - {ground})[:254]) for value in colour]


def animation(pictures: list[Image.Image], colours: list[int], path: Path) -> None:
    """Write them as one GIF that repeats, each picture with only what it changes."""
    count = len(colours) // 3
    reference = Image.new("P", (1, 1))
    reference.putpalette(colours)
    drawn = [picture.quantize(palette=reference, dither=Image.Dither.NONE) for picture in pictures]
    out, lasts = [drawn[0]], [1]
    for before, now in pairwise(drawn):
        differs = ImageChops.difference(before.convert("RGB"), now.convert("RGB")).convert("L")
        same = differs.point(lambda value: 0 if value else 255)
        if same.getextrema() == (255, 255):
            lasts[-1] += 1  # nothing has changed: the last one stays
            continue
        changed = now.copy()
        changed.paste(count, mask=same)
        out.append(changed)
        lasts.append(1)
    out[0].save(
        path,
        save_all=True,
        append_images=out[1:],
        duration=[1000 * many // A_SECOND for many in lasts],
        loop=0,
        disposal=1,
        transparency=count,
        optimize=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the cockpit on a study as a GIF.")
    parser.add_argument("out", type=Path)
    parser.add_argument("study", type=Path, nargs="?", help="a workspace with a study; a recorded one without")
    parser.add_argument("--size", default="112x32")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--scale", type=float, default=0.8)
    choice = parser.parse_args()
    columns, lines = map(int, choice.size.split("x"))

    documents: list[str] = []

    async def all_of(workspace: Path) -> list[Image.Image]:
        pictures: list[Image.Image] = []
        async for svg in frames(workspace, (columns, lines), choice.seconds):
            known = documents and svg == documents[-1]
            pictures.append(pictures[-1] if known else image(svg, choice.scale))
            documents.append(svg)
            if len(pictures) % 20 == 0:
                print(f"{len(pictures)} of {int(choice.seconds * A_SECOND)} pictures", flush=True)
        return pictures

    with tempfile.TemporaryDirectory() as folder:
        pictures = asyncio.run(all_of(choice.study or recorded(Path(folder), "")))
    animation(pictures, palette(documents), choice.out)
    print(f"{choice.out}: {choice.seconds:g} s, {choice.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
