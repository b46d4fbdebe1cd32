"""A tool as a model sees it: name, description and argument schema, all derived from a method."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

Answer = TypeVar("Answer")
"""What a tool answers: a text for a model, an object for a client of `looptop mcp`."""


class ToolError(Exception):
    """The call cannot be carried out; the message tells the model what to do instead."""


class NothingNew(Exception):
    """The call has told or changed nothing that was not so before; the message says so."""


@dataclass(frozen=True)
class Tool(Generic[Answer]):
    """One tool as a model sees it."""

    name: str
    description: str
    arguments: type[BaseModel]
    call: Callable[..., Awaitable[Answer]]

    @property
    def takes(self) -> list[str]:
        """Names of its arguments, in their order."""
        return list(self.arguments.model_fields)

    def schema(self) -> dict[str, Any]:
        """Name, description and JSON schema of the arguments."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        for part in schema.get("properties", {}).values():
            part.pop("title", None)
        return {"name": self.name, "description": self.description, "parameters": schema}


def tool_of(method: Callable[..., Awaitable[Answer]]) -> Tool[Answer]:
    """A method as a tool: parameters from its types, descriptions from `Annotated`, the rest from its docstring."""
    hints = get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        meaning = get_args(hints[name])[1:]
        fields[name] = (hints[name], Field(default, description=meaning[0] if meaning else None))
    name = method.__name__
    arguments = create_model(name, __config__=ConfigDict(extra="forbid", coerce_numbers_to_str=True), **fields)
    return Tool(name, inspect.cleandoc(method.__doc__ or ""), arguments, method)


def wrong_arguments(tool: Tool[Any], error: ValidationError) -> str:
    """What is wrong with the arguments, and what they must be."""
    wrong = []
    for problem in error.errors()[:4]:
        name = ".".join(map(str, problem["loc"]))
        wrong.append(f"{name}: {problem['msg']}" if name else problem["msg"])
    takes = ", ".join(
        name if field.is_required() else f"{name} (may be left out)"
        for name, field in tool.arguments.model_fields.items()
    )
    return f"the arguments of {tool.name} are not right ({'; '.join(wrong)}); it takes a JSON object with {takes}"
