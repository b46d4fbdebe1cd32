"""Whether a run printed its metric as the baseline did, before the numbers are compared. Pure.

`0.9` after `960 us`, a percentage after a share, `1,002` after `0,998`, or another name that ends alike are no numbers
to compare, whatever they are worth.
"""

from collections.abc import Sequence

from loop.policy.run_checks import Failed
from loop.study.measure import Printed

CHECK = "printed"


def inspect(metric: str, printed: Printed | None, usual: Sequence[Printed | None]) -> Failed | None:
    """What is wrong with how a run printed its metric, or None.

    Args:
        metric: its name in the program.
        printed: by the run that has just finished.
        usual: by the baseline's runs under the same protocol; None where that was not kept.
    """
    before = next((one for one in usual if one is not None), None)
    if printed is None or before is None:
        return None
    if printed.unit != before.unit:
        now, then = (f"in {one.unit}" if one.unit else "without a unit" for one in (printed, before))
        return Failed(CHECK, f"it printed {metric} {now}, and the baseline {then}: these numbers do not compare")
    if {printed.comma, before.comma} == {"decimal", "thousands"}:
        forms = {"decimal": "a decimal comma", "thousands": "commas for thousands"}
        now, then = forms[printed.comma], forms[before.comma]
        return Failed(CHECK, f"it printed {metric} with {now}, and the baseline with {then}: print a point")
    if _bare(printed.name) != _bare(before.name):
        now, then = f'"{printed.name}"', f'"{before.name}"'
        return Failed(CHECK, f"its number for {metric} stands under {now}, and the baseline's under {then}")
    return None


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
