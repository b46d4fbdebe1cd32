"""Which slots this machine has: one a GPU, or its cores, divided as `slots:` says. Pure.

Each slot has a kind. A number from a faster GPU says nothing about one from a slower, so whoever compares runs looks at
the kinds of their slots.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from loop.errors import UserError
from loop.machine.gauges import Device
from loop.runs.slot import Slot
from loop.study.scales import Scales
from loop.study.slot_plan import SlotPlan
from loop.study.slot_record import SLICES
from loop.words import listed


class CannotDivide(UserError):
    """The machine has not what `slots:` asks of it; the message is a sentence for a person."""


@dataclass(frozen=True)
class Division:
    """A machine's slots, and what a person should know of them."""

    slots: tuple[Slot, ...]
    notes: tuple[str, ...] = ()


def divide(devices: Sequence[Device], cores: Sequence[int], plan: SlotPlan, environ: Mapping[str, str]) -> Division:
    """The slots of a machine.

    Args:
        devices: its GPUs.
        cores: numbers of the processors that runs may use.
        environ: the supervisor's environment; its CUDA_VISIBLE_DEVICES is obeyed.

    Raises:
        CannotDivide: there are not as many GPUs as the plan needs, or they cannot be shared evenly.
    """
    seen = _visible(devices, environ.get("CUDA_VISIBLE_DEVICES"))
    if not seen:
        count = plan.count or plan.cpu_slots or 1
        crowded = f"{count} slots share {len(cores)} cores, so that runs wait for each other and get less far"
        return Division(_of_cores(cores, count), (crowded,) if count > len(cores) > 0 else ())
    slots = _of_gpus(seen, cores, plan)
    used = {index for slot in slots for index in slot.gpus}
    idle = [device for device in seen if device.index not in used]
    notes = [_several(seen, used)] if len({slot.kind for slot in slots}) > 1 else []
    if idle and plan.count is None:
        labels = listed([device.label for device in idle])
        notes.append(f"{labels} stays unused: a run gets {plan.gpus_per_run} GPUs of one kind (`gpus_per_run:`)")
    return Division(slots, tuple(notes))


def refuse_rungs(scales: Scales, slots: Sequence[Slot]) -> None:
    """Refuse a ladder with a rung whose runs need more GPUs than this machine has of one kind.

    Raises:
        CannotDivide: there is one.
    """
    of_kind: dict[str, set[int]] = {}
    for slot in slots:
        whole = (index for index in slot.gpus if index < SLICES)  # CUDA shows a process one slice
        of_kind.setdefault(slot.kind, set()).update(whole)
    most = max((len(gpus) for gpus in of_kind.values()), default=0)
    each = max((len(slot.gpus) for slot in slots), default=0)
    for name, rung in scales.items():
        if (asked := rung.gpus_per_run or 0) > max(most, each):
            raise CannotDivide(too_few_gpus(name, asked, most))


def too_few_gpus(rung: str, asked: int, most: int) -> str:
    """That a machine has not the GPUs that a run on a rung is to have.

    Args:
        most: how many of one kind it has.
    """
    have = "no GPU is" if not most else "1 GPU of one kind is" if most == 1 else f"{most} GPUs of one kind are"
    asks = f"{rung} asks for {asked} GPUs a run (`gpus_per_run:` in `scales:`)"
    return f"{asks}, and {have} here; ask for fewer, or leave the rung out"


def _several(devices: Sequence[Device], used: Collection[int]) -> str:
    """That there are slots of several kinds, what follows from it, and how to use the most common one alone."""
    by_kind = _by_kind([device for device in devices if device.index in used])
    told = ", ".join(f"{len(group)} x {kind}" for kind, group in by_kind.items())
    most = max(by_kind.values(), key=len)
    use = ",".join(str(device.index) if device.slice_of is None else device.uuid for device in most)
    return (
        f"GPUs of {len(by_kind)} kinds ({told}): numbers of two do not compare, so each measures the baseline and "
        f"every champion for itself; CUDA_VISIBLE_DEVICES={use} uses the most common kind alone"
    )


def _by_kind(devices: Sequence[Device]) -> dict[str, list[Device]]:
    found: dict[str, list[Device]] = {}
    for device in devices:
        found.setdefault(device.name, []).append(device)
    return found


def _visible(devices: Sequence[Device], said: str | None) -> list[Device]:
    """The GPUs that CUDA_VISIBLE_DEVICES names, in its order; as with CUDA, what is no GPU ends the list."""
    if said is None:
        return list(devices)
    found: list[Device] = []
    for word in (part.strip() for part in said.split(",")):
        named = [device for device in devices if _is(device, word)]
        if len(named) == 0 or named[0] in found:
            break
        found += named[:1]
    return found


def _is(device: Device, word: str) -> bool:
    if word.isdecimal():
        return int(word) in (device.index, device.slice_of)
    return bool(word) and device.uuid.startswith(word)


def _of_gpus(devices: Sequence[Device], cores: Sequence[int], plan: SlotPlan) -> tuple[Slot, ...]:
    """Equal slots within each kind. Where fewer are asked for than there are, the most common kind goes first."""
    each, by_kind = plan.gpus_per_run, _by_kind(devices)
    groups = [
        group[at : at + each]
        for group in sorted(by_kind.values(), key=len, reverse=True)
        for at in range(0, len(group) - each + 1, each)
    ]
    what = ", ".join(f"{len(group)} {kind}" if len(by_kind) > 1 else kind for kind, group in by_kind.items())
    if not groups:
        of_one = " of one kind" if len(by_kind) > 1 else ""
        raise CannotDivide(
            f"slots: a run is to get {each} GPUs{of_one} (`gpus_per_run:`), and there are {len(devices)} ({what})"
        )
    shared = plan.slots_per_gpu
    if plan.count is not None and plan.count > len(groups) * shared:
        if each > 1:
            raise CannotDivide(
                f"slots: {plan.count} runs of {each} GPUs each are more than the {len(devices)} here ({what}) can take "
                f"at once; {len(groups)} fit"
            )
        shared, more = divmod(plan.count, len(groups))
        if more:
            raise CannotDivide(
                f"slots: {plan.count} runs at once cannot share {len(groups)} GPUs evenly, and a run with more of one "
                f"gets further; {shared * len(groups)} and {(shared + 1) * len(groups)} can"
            )
    places = [(group, part) for part in range(shared) for group in groups][: plan.count]
    cpus = max(1, len(cores) // len(places)) if cores else 0
    slots: list[Slot] = []
    for group, part in sorted(places, key=lambda place: (devices.index(place[0][0]), place[1])):
        sharing = sum(other is group for other, _ in places)
        name, kind = " + ".join(device.label for device in group), group[0].name
        slots.append(
            Slot(
                index=len(slots),
                name=name if sharing == 1 else f"{name} {chr(ord('a') + part)}" if part < 26 else f"{name} {part}",
                devices=",".join(_for_cuda(device) for device in group),
                gpus=tuple(device.index for device in group),
                kind=(f"{each} x {kind}" if each > 1 else kind) + (f", 1 of {sharing}" if sharing > 1 else ""),
                threads=cpus if len(places) > 1 and cores else None,
                cpus=cpus,
                beside=len(places),
                on_gpu=sharing,
                shares=name if sharing > 1 else "",
            )
        )
    return tuple(slots)


def _for_cuda(device: Device) -> str:
    """By its number, which people know; a slice has none."""
    return str(device.index) if device.slice_of is None else device.uuid


def _of_cores(cores: Sequence[int], count: int) -> tuple[Slot, ...]:
    """Equal shares; the cores that are over stay free, since with one more a run would get further."""
    if count == 1:
        return (Slot(0, "CPU", kind="CPU", cpus=len(cores)),)
    each = len(cores) // count
    slots: list[Slot] = []
    for index in range(count):
        mine, kind = tuple(cores[index * each : (index + 1) * each]), f"CPU, {each} of {len(cores)} cores"
        if not each:  # several to a core, or nobody can choose
            even = len(cores) > 0 and count % len(cores) == 0
            mine, kind = (cores[index % len(cores)],) if even else (), f"CPU, 1 of {count}"
        threads = max(1, each)
        slots.append(Slot(index, f"CPU {index}", None, (), kind, mine, threads, threads, count, shares="CPU"))
    return tuple(slots)
