"""An event's body as the JSON text in the journal, and back. A name that it was recorded under before is read too."""

import json

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from loop.study import aliases
from loop.study.events import Body

_ADAPTER: TypeAdapter[Body] = TypeAdapter(Body)


def encode(body: Body) -> str:
    """The JSON text that `decode` reads back. Lone surrogates, which are no Unicode, come back as `?`."""
    try:
        return body.model_dump_json()
    except PydanticSerializationError:
        text = json.dumps(body.model_dump(), ensure_ascii=False)
        return type(body).model_validate_json(text.encode("utf-8", "replace")).model_dump_json()


def decode(text: str | bytes) -> Body:
    """The body in `text`.

    Raises:
        pydantic.ValidationError: not a body that this version understands.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        if error.errors()[0]["type"] != "union_tag_invalid":
            raise
        found = json.loads(text)
        if (kind := aliases.KINDS.get(str(found["kind"]))) is None:
            raise
        return _ADAPTER.validate_json(json.dumps(found | {"kind": kind}))
