"""What one copy of a project puts into the shared place at a time: a zip that is written once.

It holds lines of logs and whole records of masks, and names the files (weights, pixels,
images) that were put there before it. Its own name holds the checksum of all of it. Being one
object it is there as a whole or not at all, whenever its writer is stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any, Final

from napari_sam_tune.core.storage.plain_json import parse_object

_HEAD: Final = "head.json"
_FORMAT: Final = "napari-sam-tune bundle"
_VERSION: Final = 1
_LARGEST: Final = 1 << 29
LOG: Final = re.compile(r"log(-[0-9a-f]{8}){0,2}\.jsonl")
RECORD: Final = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}")
_PART: Final = re.compile(r"zarr\.json|c(\.[0-9]{1,6}){1,4}")
_WRITER: Final = re.compile(r"first|[0-9a-f]{8}")
_NAME: Final = re.compile(r"[0-9]{9}-[0-9a-f]{32}")
FILE: Final = re.compile(
    r"weights/[0-9a-f]{12}\.safetensors|heads/[0-9a-f]{12}\.safetensors|pixels/[0-9a-f]{8,64}"
)
_IMAGE: Final = re.compile(r"images/[0-9a-f]{8,64}(\.[A-Za-z0-9]{1,8}){0,2}")
_SUM: Final = re.compile(r"[0-9a-f]{64}")
_ENTRY: Final = re.compile(r"[0-9a-z][0-9a-z.-]{0,63}/[0-9a-f]{8,64}")
_EMBEDDING: Final = re.compile(rf"embeddings/{_ENTRY.pattern}-[0-9a-f]{{16}}(-[0-9]{{1,3}})?")


@dataclass(frozen=True)
class SharedEmbedding:
    """What a model sees in an image, in the shared place.

    Attributes:
        name: of the object.
        checksum: its SHA-256.
        size: in bytes.

    """

    name: str
    checksum: str
    size: int


@dataclass(frozen=True)
class LogPart:
    """Whole lines of a log.

    Attributes:
        name: of the log.
        start: where they begin in it, in bytes.
        lines: as they lie in the file.

    """

    name: str
    start: int
    lines: bytes

    @property
    def end(self) -> int:
        """Where they end in the log, in bytes."""
        return self.start + len(self.lines)


@dataclass(frozen=True)
class Bundle:
    """What was put into the shared place at a time.

    Attributes:
        project_format: what a release has to know to understand it.
        after: by writer the name of its last bundle that was taken in before: what is said here
            may build on it.
        logs: lines of logs.
        records: by id the files of a mask's record.
        files: names in the shared place to SHA-256 of weights and pixels that are needed first.
        images: content hash of an image to the name of its file in the shared place and its
            SHA-256.
        embeddings: what depends on an image and the base model alone, by `key/content hash` as in
            the cache of embeddings.

    """

    project_format: int
    after: dict[str, str] = field(default_factory=dict)
    logs: tuple[LogPart, ...] = ()
    records: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    embeddings: dict[str, SharedEmbedding] = field(default_factory=dict)

    def packed(self) -> bytes:
        """Return it as the bytes of an object."""
        head = {
            "format": _FORMAT,
            "version": _VERSION,
            "project_format": self.project_format,
            "after": self.after,
            "logs": [[part.name, part.start] for part in self.logs],
            "files": self.files,
            "images": self.images,
            "embeddings": told_embeddings(self.embeddings),
        }
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_HEAD, json.dumps(head, ensure_ascii=False))
            for part in self.logs:
                archive.writestr(f"logs/{part.name}", part.lines)
            for record, parts in self.records.items():
                for name, bits in parts.items():
                    archive.writestr(f"records/{record}/{name}", bits)
        return content.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Bundle:
        """Read what `packed` gave.

        Raises:
            ValueError: it is none; says why.

        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                parts = _stored(archive)
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
            raise ValueError(str(error)) from error
        head = parse_object(parts.pop(_HEAD, b""))
        try:
            if head["format"] != _FORMAT or head["version"] != _VERSION:
                raise ValueError("another release wrote it")
            return cls(
                project_format=int(head["project_format"]),
                after=_checked(head["after"], _WRITER, _NAME),
                logs=tuple(
                    LogPart(_fitting(name, LOG), _offset(start), parts.pop(f"logs/{name}"))
                    for name, start in head["logs"]
                ),
                files=_checked(head["files"], FILE, _SUM),
                images=_images(head["images"]),
                embeddings=heard_embeddings(head.get("embeddings", {})),
                records=_records(parts),
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"a part of it is missing ({error})") from error


def bundle_name(number: int, content: bytes) -> str:
    """Name a bundle by its number among those of its writer, and by its content."""
    return f"{number:09d}-{hashlib.sha256(content).hexdigest()[:32]}"


def number_of(name: str) -> int:
    """Return a bundle's number.

    Raises:
        ValueError: it is no bundle's name.

    """
    return int(_fitting(name, _NAME)[:9])


def packed_parts(parts: dict[str, bytes]) -> bytes:
    """Return the files of a record as the bytes of one object."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, part in sorted(parts.items()):
            # without the time of now, so that the same record is the same object
            archive.writestr(zipfile.ZipInfo(name), part)
    return content.getvalue()


def unpacked_parts(content: bytes) -> dict[str, bytes]:
    """Return what `packed_parts` was given.

    Raises:
        ValueError: it is no such object.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = _stored(archive)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise ValueError(str(error)) from error
    return {_fitting(name, _PART): part for name, part in parts.items()}


def _stored(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Read all that is in an archive, which is not packed more densely than it says."""
    entries = archive.infolist()
    if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
        raise ValueError("it is compressed")
    if sum(one.file_size for one in entries) > _LARGEST:
        raise ValueError("it is too large")
    return {one.filename: archive.read(one) for one in entries}


def _records(parts: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    records: dict[str, dict[str, bytes]] = {}
    for path, content in parts.items():
        folder, record, name = path.split("/") if path.count("/") == 2 else ("", "", "")
        if folder != "records":
            raise ValueError(f"it holds {path[:80]!a}")
        records.setdefault(_fitting(record, RECORD), {})[_fitting(name, _PART)] = content
    return records


def _images(said: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        _fitting(content, re.compile(r"[0-9a-f]{8,64}")): (
            _fitting(name, _IMAGE),
            _fitting(checksum, _SUM),
        )
        for content, (name, checksum) in said.items()
    }


def told_embeddings(embeddings: dict[str, SharedEmbedding]) -> dict[str, list[str | int]]:
    """Return them as JSON values."""
    return {entry: [one.name, one.checksum, one.size] for entry, one in embeddings.items()}


def heard_embeddings(said: dict[str, Any]) -> dict[str, SharedEmbedding]:
    """Return what `told_embeddings` was given.

    Raises:
        ValueError, TypeError, AttributeError: it is none of that.

    """
    return {
        _fitting(entry, _ENTRY): SharedEmbedding(
            _fitting(name, _EMBEDDING), _fitting(checksum, _SUM), _offset(size)
        )
        for entry, (name, checksum, size) in said.items()
    }


def _checked(
    said: dict[str, Any], names: re.Pattern[str], values: re.Pattern[str]
) -> dict[str, str]:
    return {_fitting(key, names): _fitting(value, values) for key, value in said.items()}


def _fitting(text: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{str(text)[:80]!a} is no name that belongs there")
    return text


def _offset(start: object) -> int:
    if type(start) is not int or start < 0:
        raise ValueError(f"{start!a} is no number of bytes")
    return start
