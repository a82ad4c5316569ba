"""A part of a study file."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen part of a study that knows all of its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
