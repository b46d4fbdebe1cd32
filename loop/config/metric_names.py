"""Which number of a program is its metric: guessed from what its text, its logs or its table of results name. Pure.

A guess is for a person to read; nothing is measured by it before they have.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_NEGATED = re.compile(r"^neg(ative)?[_ ](?!log[_ ]?lik)")  # scikit-learn's: higher is better of all of them
_RATE = re.compile(
    r"(/|[ _]per[ _])(s|secs?|seconds?|min|minutes?|h|hours?)$|(^|[^a-z])(fps|qps|rps|tps|ips)($|[^a-z])"
)
_LOWER_LAST = re.compile(r"^time|(loss|err|errors?|time|latency|regret|distance|divergence)$")
_HIGHER = re.compile(
    r"acc(?!um|ess|el|ount|ept)|au(ro|pr)?c|(^|[ _/])(ap|map|em|rew)(\d|$|[ _@-])|f1|reward|return|speedup|score|"
    r"throughput|bandwidth|flops|iou|dice|bleu|rouge|meteor|chrf|r2|r²|recall|precision|prec($|[ _@])|psnr|ssim|ndcg|"
    r"mrr|hit[ _]?rate|hits?@|pass@|(pass|success|win|solve)[ _]?rate|exact[ _]?match|kappa|mcc($|[ _])|corr|"
    r"spearman|pearson|kendall|(^|[ _/])elo($|[ _])|elbo|ops($|[ _/])|fitness|sharpe|profit|silhouette|modularity|"
    r"similarity"
)
_LOWER = re.compile(
    r"loss|err|bpb|bpc|(^|[^a-z])(ppl|sec|kl)|perplexity|nll|mse|mae|mape|time|wall|latency|duration|elapsed|makespan|"
    r"(^|[_/ ])([mun]?s|wer|cer|eer|ece|fid|kid|fvd|epe|ade|fde)($|[_@/])|cost|regret|brier|crps|distance|divergence|"
    r"cycles|violations|deviation|rmsle"
)
_HELD_OUT = re.compile(
    r"(^|[ _/-])((val|valid|validation|eval|evaluation|test|dev|holdout|oof|cv)(?![a-z])|"
    r"(val|test|dev)(?=loss|acc|err|f1|auc))"
)
_TRAINING = re.compile(r"(^|[ _/-])(train|training|step|batch|running|avg|ema)(?![a-z])|(^|[ _/-])train(?=loss|acc)")
_BESIDE = re.compile(r"time|elapsed|duration|(^|[_/ ])sec|wall")  # what a program says beside its result, as a rate is
_NEVER = re.compile(
    r"seed|epoch|^step$|steps?$|lr|learning|param|device|memory|vram|mfu|batch|size|vocab|path|commit|num_|budget"
)

_PERCENT = re.compile(r"%[-+ 0-9.]*[dfgers]")
_LOGGERS = (".log", ".log_metric", ".add_scalar", ".logkv", ".record")  # Lightning, MLflow, TensorBoard, baselines
_NO_NUMBER = (ast.Constant, ast.Dict, ast.List)
_NAME = r"[^\W\d][\w@./-]*(?: [^\W\d][\w@./-]*){0,2}"
_BEFORE_VALUE = re.compile(rf"({_NAME})(?:\s?\([^()]*\))?\s*(?P<sign>[:=|│→]|->|)\s*$")
_COLOURS = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_BEFORE_NAME = {"and", "epoch", "step", "iter", "iteration", "fold", "batch", "with", "metric", "s"}
_LINE = re.compile(rf"(?:^|[\s|,])({_NAME})\s*[:=]\s*[-+]?\d[\d.,]*(?:e[-+]?\d+)?%?(?=$|[\s,|])")
_TEMPLATE = re.compile(
    rf"({_NAME})(?:\s?\([^()]*\))?\s*[:=]\s*(?:%[-+ 0-9.]*l?[dfgeu]|\{{|\$|[\"']\s*(?:[,+.]|<<))"  # printf, $x, << x
)
_HEADER = re.compile(r"\s*\|(?:[^|{}]+\|){2,}\s*")
_KEY_VALUE = re.compile(r"['\"]([\w@./ -]{1,60})['\"]\s*:\s*[-+]?\d")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name that a number is printed under, and the line where."""

    name: str
    line: int
    printed: bool = True
    """It is printed; else only kept under that name."""
    signed: bool = True
    """A sign stands between the name and the number, as nowhere in a sentence."""


def goal_of(name: str) -> str | None:
    """`min` or `max`, by what such a number is called; None where the name does not tell."""
    lower = name.lower()
    if _NEGATED.search(lower) or _RATE.search(lower):
        return "max"
    if _LOWER_LAST.search(lower):
        return "min"
    if _HIGHER.search(lower):
        return "max"
    return "min" if _LOWER.search(lower) else None


def weight(name: str) -> int:
    """How likely a name is that of the number to improve; 0: nothing tells."""
    lower = name.lower()
    if _is_none(lower):
        return 0
    known = 2 if goal_of(lower) else 0
    if known and (_RATE.search(lower) or _BESIDE.search(lower)):
        known = 1
    if _HELD_OUT.search(lower):
        return known + 3
    return max(0, known - 1) if _TRAINING.search(lower) else known


def _is_none(lower: str) -> bool:
    """Whether such a number is never the one to improve, or a name is only the beginning of one: `eval`."""
    return (
        bool(_NEVER.search(lower)) or lower.endswith(("_", "-", "/")) or not _TRAINING.sub("", _HELD_OUT.sub("", lower))
    )


def likeliest(mentions: list[Mention]) -> list[Mention]:
    """The likely ones, best first, each name once; of equals what is printed, and last, as a summary is."""
    known = sorted(mentions, key=lambda mention: (mention.printed, mention.line))
    by_name = {mention.name: mention for mention in known if weight(mention.name) > 0}
    return sorted(by_name.values(), key=lambda mention: (-weight(mention.name), not mention.printed, -mention.line))


def unheard_of(mentions: list[Mention]) -> list[Mention]:
    """Those of which nothing is known but that they are printed as a name, a sign and a number; the last first."""
    seen = [one for one in mentions if one.printed and one.signed and not _is_none(one.name.lower())]
    return list({one.name: one for one in reversed(seen)}.values())


def printed_by(text: str) -> list[Mention]:
    """Names that the program `text` prints, logs or saves numbers under, in their order."""
    try:
        found = [mention for node in ast.walk(ast.parse(text)) for mention in _of_node(node)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # another language
        lines = enumerate(text.splitlines(), 1)
        return [Mention(_trimmed(name), number) for number, line in lines for name in _TEMPLATE.findall(line[:2000])]
    return sorted(dict.fromkeys(found), key=lambda mention: mention.line)


def _of_node(node: ast.AST) -> Iterator[Mention]:
    if isinstance(node, ast.JoinedStr):
        for before, value in zip(node.values, node.values[1:], strict=False):
            if isinstance(before, ast.Constant) and isinstance(value, ast.FormattedValue):
                yield from _named(str(before.value), node.lineno)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        for text in _PERCENT.split(str(node.left.value))[:-1]:
            yield from _named(text, node.lineno)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".format", "print", "println", "info")):
        template = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "format" else None
        if isinstance(template, ast.Constant):
            for text in re.split(r"\{[^}]*\}", str(template.value))[:-1]:
                yield from _named(text, node.lineno)
        elif node.args and isinstance(node.args[0], ast.Constant):  # logging.info("loss=%f", loss)
            for text in _PERCENT.split(str(node.args[0].value))[:-1]:
                yield from _named(text, node.lineno)
        for before, value in zip(node.args, node.args[1:], strict=False):
            if isinstance(before, ast.Constant) and not isinstance(value, ast.Constant):
                yield from _named(_PERCENT.sub("%", str(before.value)), node.lineno)
        if node.args and isinstance(node.args[0], ast.Constant) and _HEADER.fullmatch(str(node.args[0].value)):
            for column in str(node.args[0].value).split("|"):  # the head of a table, whose rows are printed below it
                yield from _named(column, node.lineno)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_LOGGERS):
        if node.args[1:] and isinstance(node.args[0], ast.Constant) and not isinstance(node.args[1], ast.Constant):
            yield from (replace(one, printed=False) for one in _named(f"{node.args[0].value!s}:", node.lineno))
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and not isinstance(item, _NO_NUMBER):
                yield from (replace(one, printed=False) for one in _named(f"{key.value}:", node.lineno))


def _named(before: str, line: int) -> Iterator[Mention]:
    before = _COLOURS.sub("", before)
    match = _BEFORE_VALUE.search(before)
    if match is not None:
        yield Mention(_trimmed(match[1]), line, signed=match["sign"] != "")


def _trimmed(name: str) -> str:
    """Without words that are not of the name: `step val loss` is `val loss`. The others stay: of `Mean accuracy` the
    last word alone is also what each fold prints."""
    words = name.split(" ")
    begins = next((at for at, word in enumerate(words) if _HELD_OUT.match(word.lower())), None)
    if begins is None:
        begins = max((at + 1 for at, word in enumerate(words[:-1]) if word.lower() in _BEFORE_NAME), default=0)
    return " ".join(words[begins:])


def said_in(log: str) -> list[Mention]:
    """Names that the output `log` has numbers under."""
    found = []
    for number, line in enumerate(log.splitlines(), 1):
        if len(line) < 2000:
            names = [*_LINE.findall(line), *_KEY_VALUE.findall(line)]
            found += [Mention(_trimmed(name), number) for name in names]
    return found


def column_of(header: str) -> str | None:
    """The column of a table of results that is likely the metric, from its first line."""
    names = [name.strip().strip('"') for name in re.split(r"\t" if "\t" in header else ",", header.strip())]
    best = likeliest([Mention(name, -at) for at, name in enumerate(names)])
    return best[0].name if len(names) > 1 and best else None
