"""The constants of a C, C++ or CUDA file: `#define NAME 64`, `const float lr = 1e-3f;`, `constexpr int N = 64;`.

Found line by line with comments and texts blanked out; a parser of C would need the headers. A suffix (`f`, `u`, `L`)
stays where it is. A name that is defined twice, as within `#if`, is left alone.
"""

import re
from collections import Counter

from loop.researchers.automl.constants import Constant, choices_of, is_fixed, unique

_NUMBER = r"(?P<value>-?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|0|[1-9]\d*))"
_END = r"[fFuUlL]{0,3}\s*"
_DEFINED = re.compile(rf"^[ \t]*#[ \t]*define[ \t]+(?P<name>[A-Za-z]\w*)[ \t]+\(?{_NUMBER}{_END}\)?$", re.MULTILINE)
_CONST = re.compile(
    rf"\b(?:const|constexpr)\s+(?:(?:static|inline|unsigned|signed|long|short|std::)\s*)*\w+\s+(?P<name>[A-Za-z]\w*)\s*=\s*"
    rf"{_NUMBER}{_END};",
)
_BLANKED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', re.DOTALL)
_WORDS = re.compile(r"[A-Za-z_]\w*")
_LONGEST = 40
"""Characters of a number."""

_SIZE = 1_000_000


def find(source: str) -> list[Constant]:
    """The searchable constants of a file, in order."""
    if len(source) > _SIZE:
        return []
    code = _BLANKED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)
    times = Counter(_WORDS.findall(code))
    matches = [match for pattern in (_DEFINED, _CONST) for match in pattern.finditer(code)]
    defined = Counter(match["name"] for match in matches)
    found = []
    for match in matches:
        name, text = match["name"], match["value"]
        if len(text) > _LONGEST:
            continue
        value = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        start, end = match.span("value")
        comment = source[match.end("value") :].partition("\n")[0]
        said = comment[comment.find("/") :] if "/" in comment else ""
        if defined[name] > 1 or choices_of(name, value) is None or is_fixed(said):
            continue
        before = len(source[:start].encode(errors="surrogatepass"))
        found.append(Constant(name, value, text, "plain", before, before + end - start, read=times[name] > 1))
    return unique(found)
