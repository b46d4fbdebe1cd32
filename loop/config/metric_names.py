"""Which number of a program is its metric: guessed from what its text, its logs or its table of results name. Pure.

A guess is for a person to read; nothing is measured by it before they have.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_LOWER = re.compile(
    r"loss|err|bpb|bpc|ppl|perplexity|nll|mse|mae|time|wall|sec|latency|(^|[_/ ])([mun]?s|wer|cer|fid)($|_)|cost|regret"
)
_HIGHER = re.compile(
    r"acc|auc|f1|reward|return|speedup|score|throughput|(^|[ _])map|iou|dice|bleu|rouge|r2|recall|precision|psnr|ssim"
)
_HELD_OUT = re.compile(r"(^|[ _/-])(val|valid|validation|eval|test|dev|holdout)")
_TRAINING = re.compile(r"(^|[ _/-])(train|training|step|batch|running|avg|ema)")
_NEVER = re.compile(
    r"seed|epoch|^step$|steps?$|lr|learning|param|device|memory|vram|mfu|batch|size|vocab|path|commit|num_|budget"
)

_PERCENT = re.compile(r"%[-+ 0-9.]*[dfgers]")
_NO_NUMBER = (ast.Constant, ast.Dict, ast.List)
_NAME = r"[A-Za-z][\w@./-]*(?: [A-Za-z][\w@./-]*){0,2}"
_BEFORE_VALUE = re.compile(rf"({_NAME})\s*[:= ]\s*$")
_LINE = re.compile(rf"(?:^|[\s|,])({_NAME})\s*[:=]\s*[-+]?\d[\d.,]*(?:e[-+]?\d+)?%?(?=$|[\s,|])")
_TEMPLATE = re.compile(rf"({_NAME})\s*[:=]\s*(?:%[-+ 0-9.]*l?[dfgeu]|\{{|\$)")
_KEY_VALUE = re.compile(r"['\"]([\w@./ -]{1,60})['\"]\s*:\s*[-+]?\d")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name that a number is printed under, and the line where."""

    name: str
    line: int
    printed: bool = True
    """It is printed; else only kept under that name."""


def goal_of(name: str) -> str | None:
    """`min` or `max`, by what such a number is called; None where the name does not tell."""
    lower = name.lower()
    if _HIGHER.search(lower):
        return "max"
    return "min" if _LOWER.search(lower) else None


def weight(name: str) -> int:
    """How likely a name is that of the number to improve; 0: not at all."""
    lower = name.lower()
    if _NEVER.search(lower) or lower.endswith(("_", "-", "/")):
        return 0
    known = 2 if goal_of(lower) else 0
    if _HELD_OUT.search(lower):
        return known + 3
    return known - 1 if _TRAINING.search(lower) else known


def likeliest(mentions: list[Mention]) -> list[Mention]:
    """The likely ones, best first, each name once; of equals what is printed, and last, as a summary is."""
    known = sorted(mentions, key=lambda mention: (mention.printed, mention.line))
    by_name = {mention.name: mention for mention in known if weight(mention.name) > 0}
    return sorted(by_name.values(), key=lambda mention: (-weight(mention.name), not mention.printed, -mention.line))


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
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".format", "print", "info")):
        template = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "format" else None
        if isinstance(template, ast.Constant):
            for text in re.split(r"\{[^}]*\}", str(template.value))[:-1]:
                yield from _named(text, node.lineno)
        elif node.args and isinstance(node.args[0], ast.Constant):  # logging.info("loss=%f", loss)
            for text in _PERCENT.split(str(node.args[0].value))[:-1]:
                yield from _named(text, node.lineno)
        for before, value in zip(node.args, node.args[1:], strict=False):
            if isinstance(before, ast.Constant) and not isinstance(value, ast.Constant):
                yield from _named(str(before.value), node.lineno)
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and not isinstance(item, _NO_NUMBER):
                yield from (replace(one, printed=False) for one in _named(f"{key.value}:", node.lineno))


def _named(before: str, line: int) -> Iterator[Mention]:
    if (match := _BEFORE_VALUE.search(before if before[-1:] in (" ", ":", "=") else f"{before} ")) is not None:
        yield Mention(_trimmed(match[1]), line)


def _trimmed(name: str) -> str:
    """Without words that are not of the name: `step val loss` is `val loss`."""
    words = name.split(" ")
    return next((" ".join(words[at:]) for at in range(len(words)) if _HELD_OUT.match(words[at].lower())), words[-1])


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
