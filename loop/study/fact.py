"""What the bodies of all events share."""

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """One thing that happened. Bodies only ever gain optional fields; `v` counts changes of meaning."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")
    v: int = 1
