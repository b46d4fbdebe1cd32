"""A slot's GPUs: whether they are there, how much of them is free, and who has the rest. Pure.

They are looked at before a run starts and after it has ended, when no process of it is left: what is in use then is
somebody else's, even where the driver does not tell whose. What becomes of a run, `machine_faults` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.study.readings import GpuGauge, GpuProcess, GpuUse

NOTHING = 256 << 20
"""Bytes held by others that make no difference: an idle driver context, a desktop."""

_SHOWN = 3


@dataclass(frozen=True)
class Look:
    """The GPUs of a slot at one moment, with nothing of ours on them. Sizes in bytes."""

    gone: tuple[int, ...] = ()
    """Indices of those that do not answer."""
    free: int | None = None
    """None where the driver does not tell."""
    others: int = 0
    """In use by whomever."""
    holders: tuple[GpuProcess, ...] = ()
    """Who that is, as far as the driver tells, the largest first."""
    joules: float | None = None
    """Energy that they have taken since their driver was loaded; None where one of them does not tell."""

    @property
    def whose(self) -> str:
        """Who holds how much, in words."""
        known = [held(one) for one in self.holders[:_SHOWN]]
        if len(self.holders) > _SHOWN:
            known.append(f"{len(self.holders) - _SHOWN} more")
        return " and ".join(known) or "others"


NOTHING_SEEN = Look()
"""Of a slot without a GPU."""


def seen(looked: Sequence[tuple[GpuGauge, GpuUse]]) -> Look:
    """What a look at the GPUs of a slot amounts to."""
    sizes = [(gpu.memory_used, gpu.memory_total) for gpu, _ in looked]
    known = [(used, total) for used, total in sizes if used is not None and total is not None]
    everyone = (one for _, use in looked for one in use.processes or ())
    return Look(
        gone=tuple(gpu.index for gpu, _ in looked if gpu.gone),
        free=sum(total - used for used, total in known) if known else None,
        others=sum(used for used, _ in known),
        holders=tuple(sorted(everyone, key=lambda one: -(one.memory or 0))),
        joules=_sum([gpu.energy for gpu, _ in looked]),
    )


def taken(before: Look, after: Look, on_gpu: int) -> float | None:
    """Joules that a slot's GPUs took between two looks, an equal share where slots share them; None where they do not
    tell, or their driver was loaded anew."""
    if before.joules is None or after.joules is None or after.joules < before.joules:
        return None
    return (after.joules - before.joules) / on_gpu


def _sum(counts: Sequence[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def in_the_way(name: str, look: Look, need: int | None, most: int | None) -> str:
    """Why no run should start on a slot's GPUs now; empty where nothing is in the way.

    Args:
        name: of the slot.
        need: bytes that the champion's runs took.
        most: bytes that others may hold, after a run has failed for what they held; None where none has.
    """
    if look.gone:
        return (
            f"{name} does not answer any more; runs wait until it is back (`nvidia-smi` and `dmesg | grep -i xid` tell "
            "more; it may need a reset or a reboot)"
        )
    if look.free is None or look.others <= NOTHING:
        return ""
    if need is not None and look.free < need:
        return (
            f"{name} is taken: {gib(look.free)} are free and a run of the champion used {gib(need)}; in use by "
            f"{look.whose}; runs wait until that is free"
        )
    if most is not None and look.others > most + NOTHING:
        return (
            f"{name} is shared: the last run there was left too little by {look.whose}; runs wait until that is free "
            "(`looptop kill N` gives the experiment up)"
        )
    return ""


def held(one: GpuProcess) -> str:
    """A process on a GPU in words, such as "ada's process 977 (python -m ipykernel_launcher, 3.0 GiB)"."""
    said = ", ".join(part for part in (one.command, "" if one.memory is None else gib(one.memory)) if part)
    whose = f"{one.user}'s " if one.user else ""
    return f"{whose}process {one.pid}" + (f" ({said})" if said else "")


def gib(size: int) -> str:
    """Bytes as tools for GPUs show them."""
    return f"{size / 1024**3:.1f} GiB"
