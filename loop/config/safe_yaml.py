"""YAML as people and models write it, read without what a stranger makes of it: no aliases, no tags, nothing endless.

Nine lines of aliases are a thousand million values, and a tag makes PyYAML build what its text is not. What is read
here holds plain words, numbers, dates, lists and mappings, of a size that a person could have typed.
"""

from typing import Any

import yaml

DEEPEST = 20
"""Levels; a program has three, a tool's arguments one."""

LONGEST_NUMBER = 18
"""Characters of a whole number; so many digits fit into 64 bits."""


class PlainLoader(yaml.SafeLoader):
    """Refuses with a `MarkedYAMLError`, whose problem is words for a person. Dates may still raise a ValueError."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        problem = ""
        if isinstance(event, yaml.AliasEvent):
            problem = "`*` stands for another value, which is not read here; write it out, or quote a text"
        elif getattr(event, "tag", None) is not None:
            problem = "`!` tells the type of a value, which is not read here; leave it out, or quote a text"
        elif self._depth > DEEPEST:
            problem = "nested deeper than any value here is"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """An int of a size that a float can hold, the system takes and a sentence can quote."""
        if len(node.value) > LONGEST_NUMBER:
            problem = f"a number of {len(node.value)} characters; nothing here is so large"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return self.construct_yaml_int(node)


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.whole_number)
