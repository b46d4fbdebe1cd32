"""What a run gets of the machine, for the contract of a briefing. Pure."""

from collections import Counter
from collections.abc import Sequence

from loop.researchers.briefing.excerpt import one_line
from loop.study.contract import Contract
from loop.study.slot_record import SlotRecord
from loop.words import decimal_size, listed, size


def slots_told(slots: Sequence[SlotRecord], contract: Contract) -> list[str]:
    """What one run has, and that numbers compare within a kind of slot only, a line each."""
    if not slots:
        return []
    by_kind = {slot.kind: slot for slot in slots}
    counts = Counter(slot.kind for slot in slots)
    beside = f"; up to {len(slots)} run at once" if len(slots) > 1 else ""
    if len(by_kind) == 1:
        return [f"- A run has {_gets(slots[0], contract)}{beside}."]
    told = listed([f"{_gets(by_kind[kind], contract)} ({count} slots)" for kind, count in counts.most_common()])
    return [
        f"- A run has one of these: {told}{beside}.",
        "- Numbers of two kinds of slot do not compare: an experiment stays on the kind where it ran first, and is "
        "measured against the champion's runs there.",
    ]


def _gets(slot: SlotRecord, contract: Contract) -> str:
    gpu = ""
    if slot.gpu_memory:
        gpu = f"{one_line(slot.kind, 80)} with {size(slot.gpu_memory)}"
    cores = "" if not slot.cores else "1 CPU core" if slot.cores == 1 else f"{slot.cores} CPU cores"
    limit = int(contract.limits.memory or 0)
    held = decimal_size(limit) if limit and (limit <= slot.memory or not slot.memory) else size(slot.memory)
    memory = f"{held} of main memory" if limit or slot.memory else ""
    return listed([part for part in (gpu, cores, memory) if part]) or "the machine"
