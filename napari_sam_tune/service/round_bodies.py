"""What is sent of a project and its rounds, as OpenAPI describes it, and rounds' messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.rounds.messages import Message, RoundCancelled, RoundFailed
from napari_sam_tune.core.training.job import Candidate, Progress
from napari_sam_tune.service import examples
from napari_sam_tune.service.bodies import VERSION

Name = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
RecordName = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{12}-[0-9a-f]{8}$")]
Version = Annotated[str, Field(pattern=VERSION)]
MOST_NAMES: Final = 100_000


class HoldingsBody(BaseModel):
    """Images, records and weights by name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.HOLDINGS]})
    images: list[Name] = Field([], max_length=MOST_NAMES, description="Hashes of pixels.")
    records: list[RecordName] = Field(
        [], max_length=MOST_NAMES, description="When they were made, and a hash of what they hold."
    )
    weights: list[Version] = Field([], max_length=16)


class RecordBody(BaseModel):
    """An accepted mask."""

    model_config = ConfigDict(extra="forbid")
    id: RecordName
    image: Name
    bits: Base64Bytes = Field(description="PNG, as the project keeps it, cut to its box.")
    attributes: dict[str, Any] = Field(description="As the project keeps them.")
    is_correction: bool = Field(False, description="Of an object's earlier mask.")


class RecordsBody(BaseModel):
    """Several accepted masks."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.RECORDS]})
    records: list[RecordBody] = Field(max_length=1000)


class RoundBody(BaseModel):
    """A round to be run."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.ROUND_ASKED]}
    )
    parent: Version = Field(description="The weights in use.")
    train: list[RecordName] = Field(min_length=1, max_length=MOST_NAMES)
    judge: list[RecordName] = Field([], max_length=MOST_NAMES)
    config: TrainConfig = TrainConfig()
    go_on_from: Version | None = Field(None, description="A refused candidate that goes on.")
    open_image: Name | None = Field(None, description="Encoded first, where the encoder learns.")


class BegunBody(BaseModel):
    """A round that waits or runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ROUND_BEGUN]})
    round: Name


KINDS: Final[dict[str, type]] = {
    "progress": Progress,
    "candidate": Candidate,
    "failed": RoundFailed,
    "cancelled": RoundCancelled,
}
_READERS: Final[dict[str, TypeAdapter[Any]]] = {kind: TypeAdapter(of) for kind, of in KINDS.items()}


def kind_of(message: Message) -> str:
    """Return what an event that carries a message is called."""
    return next(kind for kind, of in KINDS.items() if isinstance(message, of))


def said_in(message: Message) -> dict[str, Any]:
    """Return a message as JSON values."""
    return asdict(message)


def message_of(kind: str, content: str) -> Message | None:
    """Read a message; None where its kind is none of a round's.

    Raises:
        ValueError: it does not hold what it should.

    """
    if kind not in _READERS:
        return None
    read: Message = _READERS[kind].validate_json(content)
    return read
