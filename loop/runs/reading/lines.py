"""Lines of output by their form: what a logger writes before them, pairs, samples of progress. Pure."""

import re

from loop.runs.reading.numbers import NUMBER, Number, of_match

LINE_KEYS = 32
"""Pairs of one line that are looked at."""

_KEY = r"(?P<key>[^\W\d](?:[\w./%@+-]|\([\w./%@+-]{0,20}\)){0,63})[\"']?[ \t]{0,40}[:=][ \t]{0,40}[\"']?"
_PAIR = re.compile(r"(?<![\w./:=@+-])" + _KEY + NUMBER)
_SPREAD = r"(?:\s{0,4}(?:±|\+/-)\s{0,4}[\d.,eE+-]{1,24}\s?%?[A-Za-zµμ]{0,8})?"
_AFTER = re.compile(r"[\"'`*\])]{0,4}" + _SPREAD + r"(?:\s{0,4}\([^()]{0,60}\))?[\"'`*,.|│┃;\s]{0,60}$")
_UNIT_AFTER = r"(?:[ \t][A-Za-zµμ]{1,8}(?:/[A-Za-z]{1,8})?)?"
_LONE = re.compile(
    r"[\s*•>|│┃\"'`-]{0,60}(?P<key>[^\W\d][^:=|│┃,;\t{}\[\]<>\"'\n]{0,79}+)[\"'`*]{0,3}[ \t]{0,40}[:=][ \t\"'`*]{0,60}"
    + NUMBER
    + _UNIT_AFTER
)
_METRIC = re.compile(r"\s*METRIC\s")
_RULE = re.compile(r"\s*---\s*$")
_STEP = re.compile(
    r"[\s\[(]*(?:step|iter|iteration)[\s:=#]+(?P<step>\d{1,15}+)(?!\.\d)(?:\s?/\s?(?P<of>\d{1,15}+))?", re.I
)
_PROGRESS = re.compile(r"\((?P<percent>\d{1,3}(?:\.\d{1,6})?)\s?%\)")
_LOOSE_PAIR = re.compile(r"(?:[,|:]\s{0,8})(?P<key>[^\W\d][\w /.@-]{0,40}?)\s{1,8}" + NUMBER)
_STEP_KEYS = ("step", "global_step", "iter", "iteration")

_LEVEL = r"(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|SUCCESS|NOTICE)"
_HEADER = re.compile(
    r"(?:\s*+(?:"
    r"\[[^\[\]\n]{1,60}\](?:<std(?:out|err)>)?:?"  # [rank0]: [INFO] [1,0]<stdout>:
    r"|\([^()\n]{0,60}\bpid=[^()\n]{1,60}\)"  # (RayTrainWorker pid=123, ip=10.0.0.1)
    r"|\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"|[IWEFD]\d{4} [\d:.]{8,20}\s{1,8}\d{1,9} [\w./-]{1,60}:\d{1,6}\]"  # absl, glog
    rf"|{_LEVEL}\b(?::[\w.]{{1,60}}:(?=\D))?"  # INFO:trainer:
    rf"|[\w.]{{1,60}} - (?={_LEVEL}\b)"  # trainer - INFO
    r"|[\w.<>]{1,60}:[\w.<>]{1,60}:\d{1,6}(?= - )"  # loguru's __main__:train:12
    r"|[\w./-]{1,60}\.py:\d{1,6}"
    r"|(?:wandb|\d{1,4}):(?=\s\s*[^\W\d])"  # of srun, the number of its task
    r")(?:[\s|:>]|-(?=\s))*+)*+"
)


def header(line: str) -> int:
    """Where a line begins, behind what a logger or a launcher has written before it."""
    found = _HEADER.match(line)
    return found.end() if found else 0


def is_rule(line: str) -> bool:
    """Whether it is the line `---`, behind which the summary stands."""
    return _RULE.match(line) is not None


def is_metric(line: str) -> bool:
    """Whether it is a line `METRIC name=value`."""
    return _METRIC.match(line) is not None


def pairs(line: str) -> dict[str, Number]:
    """The pairs of a word and a number in a line, `key: value` or `key=value`; LINE_KEYS of them at most."""
    found: dict[str, Number] = {}
    for pair in _PAIR.finditer(line):
        if len(found) < LINE_KEYS:
            found[pair["key"]] = of_match(pair)
    return found


def lone(line: str) -> tuple[str, Number] | None:
    """The one pair that is all that a line says: a name, which may be of several words, and a number."""
    pair = _LONE.match(line)
    if not pair or not ends_after(line, pair.end()):
        return None
    if line[pair.end("key") : pair.end("key") + 1] == "=" and " " in pair["key"].strip() and pair["key"][-1] != " ":
        return None  # as in `cmd a=1`: the words before the last one are not its name
    return pair["key"].strip(" *`"), of_match(pair)


def ends_after(line: str, end: int) -> bool:
    """Whether a line says nothing more behind a number than how sure it is, or a remark in brackets."""
    return _AFTER.match(line, end) is not None


class Progress:
    """What a line says of how far a run is.

    Attributes:
        step: training steps done, where it says.
        share: of the run that is done, 0 to 1, where it says.
        values: everything else.
    """

    def __init__(self, line: str, begins: int, values: dict[str, Number]) -> None:
        step = _STEP.match(line) or _STEP.match(line, begins)
        self.is_step = step is not None
        self.step = int(step["step"]) if step else None
        self.share: float | None = None
        if step and not values:
            for pair in _LOOSE_PAIR.finditer(line, step.end()):
                values[pair["key"].strip()] = of_match(pair)
        if step and step["of"]:
            self.share = min(1.0, int(step["step"]) / max(1, int(step["of"])))
        if percent := _PROGRESS.search(line):
            self.share = min(1.0, float(percent["percent"]) / 100)
        self.values = {key: number.value for key, number in values.items()}
        for key in _STEP_KEYS:
            if key in self.values and abs(stated := self.values.pop(key)) < 1e15 and self.step is None:
                self.step = int(stated)
