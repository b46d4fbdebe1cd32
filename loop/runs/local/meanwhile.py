"""What this machine did while one run went on: for its processors, its memory and its clock."""

from loop.machine.clocks import Moment
from loop.machine.pressure import cpu_pressure
from loop.runs.local import out_of_memory
from loop.runs.waited import Curve, WaitedCurve


class Meanwhile:
    """From its making until it is asked."""

    def __init__(self) -> None:
        self._began = Moment.now()
        self.waited: WaitedCurve | None = None
        """What the run waited for others; None where that is not known."""
        self.computed: Curve | None = None
        """The processor time that it used; None where that is not known."""
        self._kernel_kills = out_of_memory.kernel_kills()
        self._pressure = cpu_pressure()

    def look(self, at: str, waited: str, computed: str) -> None:
        """Take in what the warden has seen: when, and the seconds that the run had waited and computed by then; "-"
        where it cannot tell."""
        if waited == "-":
            self.waited = self.computed = None
        else:
            self.waited, self.computed = self.waited or WaitedCurve(), self.computed or Curve()
            self.waited.add(float(at), float(waited))
            self.computed.add(float(at), float(computed))

    def pressure(self, seconds: float) -> float | None:
        """The share of these seconds in which anything waited for a processor; None where nobody counts."""
        now = cpu_pressure()
        if self._pressure is None or now is None or not seconds:
            return None
        return min(1.0, (now - self._pressure) / seconds)

    @property
    def slept(self) -> float:
        """Seconds that the machine was suspended."""
        return Moment.now().slept(self._began)

    @property
    def clock_set(self) -> float:
        """Seconds by which somebody set the wall clock ahead; negative: back."""
        return Moment.now().set_by(self._began)

    @property
    def kernel_ended(self) -> bool | None:
        """Whether the kernel has ended anything for want of memory; None where it does not count."""
        now = out_of_memory.kernel_kills()
        return None if not now else any(late > early for late, early in zip(now, self._kernel_kills, strict=False))
