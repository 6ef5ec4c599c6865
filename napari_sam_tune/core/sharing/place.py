"""A shared place: an object store that speaks S3, or a folder that everybody has mounted.

Through obstore, the Python side of the Rust crate object_store: one wheel without dependencies,
whose puts can be refused where something is there already, and whose uploads of large files can be
seen only once they are whole; into a folder by ourselves, see `folder_writing`. Who may go there is
taken from where Amazon's own tools have it.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from napari_sam_tune.core.errors import ShareError, ShareUnreachable
from napari_sam_tune.core.images.names import absolute
from napari_sam_tune.core.sharing.folder_writing import write_object
from napari_sam_tune.core.storage.durable import make_folder
from napari_sam_tune.core.texts.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST: Final = 1 << 29
"""Bytes of an object that is read into memory."""
_PATIENCE: Final = timedelta(seconds=20)
_REQUEST: Final = "60s"
_CONNECT: Final = "8s"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REFUSED: Final = re.compile(r"\b(401|403)\b|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied")


class SharedPlace:
    """What one keeps in a shared place: objects by their names, written once.

    Args:
        url: `s3://bucket/key`, or the path of a folder.
        endpoint: address of a store that is like S3; None for Amazon's.
        region: of the store, or None for what the environment says, or us-east-1.
        make: make the folder where it is not there.

    Raises:
        ShareError: the address is none, or the package is missing.

    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        make: bool = False,
    ) -> None:
        try:
            import obstore
        except ImportError as error:
            raise ShareError(
                tr(
                    "Sharing a project needs the package obstore: pip install "
                    "“napari-sam-tune[cloud]”."
                )
            ) from error
        self.url, self._obstore = checked_url(url), obstore
        if self.url.startswith("s3://"):
            self._store = _bucket(self.url, _checked_endpoint(endpoint), region)
        else:
            self._store = _folder(Path(self.url), make=make)

    def put(self, name: str, content: bytes | Path, *, only_new: bool = False) -> bool:
        """Write an object, whole or not at all.

        Args:
            name: its name, parts separated by `/`.
            content: its bytes, or the file that holds them.
            only_new: leave what is there already as it is.

        Returns:
            Whether it was written.

        Raises:
            ShareError: it was refused, or the place cannot be reached.

        """
        with self._refusals():
            if not self.url.startswith("s3://"):
                return write_object(Path(self.url), name, content, only_new=only_new)
            try:
                self._obstore.put(self._store, name, content, mode="create" if only_new else None)
            except self._obstore.exceptions.AlreadyExistsError:
                if only_new:
                    return False
                raise
        return True

    def get(self, name: str) -> bytes | None:
        """Read an object into memory; None where there is none.

        Raises:
            ShareError: it is too large, was refused, or the place cannot be reached.

        """
        with self._refusals():
            try:
                found = self._obstore.get(self._store, name)
            except FileNotFoundError:
                return None
            if found.meta["size"] > _LARGEST:
                raise self.strange(name)
            return bytes(found.bytes())

    def fetch(self, name: str, file: Path) -> bool:
        """Copy an object into a new file; False where there is no such object.

        Raises:
            ShareError: it was refused, or the place cannot be reached.
            OSError: the disk refused.

        """
        with self._refusals():
            try:
                found = self._obstore.get(self._store, name)
            except FileNotFoundError:
                return False
            stream = iter(found)
        with file.open("wb") as copy:
            while True:
                with self._refusals():
                    part = next(stream, None)
                if part is None:
                    return True
                copy.write(part)

    def names(self, under: str, after: str = "") -> list[str]:
        """List the names of objects in order.

        Args:
            under: what they begin with, up to a `/`.
            after: only those that come later than this one.

        Raises:
            ShareError: it was refused, or the place cannot be reached.

        """
        with self._refusals():
            chunks = self._obstore.list(self._store, under, offset=after or None)
            return sorted(one["path"] for chunk in chunks for one in chunk)

    def folders(self, under: str) -> list[str]:
        """List the last parts of the names of what has objects under it; raises as `names`."""
        with self._refusals():
            found = self._obstore.list_with_delimiter(self._store, under)
            return sorted(name.rsplit("/", 1)[-1] for name in found["common_prefixes"])

    def require_mounted(self, name: str) -> None:
        """Refuse to go on where the drive of a shared folder is gone; writing would make it anew.

        Args:
            name: of an object that is always there.

        Raises:
            ShareUnreachable: it is not.

        """
        if not self.url.startswith("s3://") and not (Path(self.url) / name).is_file():
            raise _not_mounted(self.url)

    def is_empty(self) -> bool:
        """Tell whether nothing is there; raises as `names`."""
        with self._refusals():
            found = self._obstore.list_with_delimiter(self._store)
            return not (found["common_prefixes"] or found["objects"])

    def strange(self, name: str) -> ShareError:
        """Return the refusal of an object that is not as this program writes them."""
        return ShareError(
            tr(
                "“{name}” in {url} is not as it was written there. Nothing of it was taken in. "
                "Delete it there, or restore it from an earlier version.",
                name=name,
                url=self.url,
            )
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Say what the library found in words; its own hold addresses and answers of the store."""
        try:
            yield
        except ShareError:
            raise
        except (self._obstore.exceptions.BaseError, OSError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> ShareError:
        said, failures = str(error), self._obstore.exceptions
        denied = (failures.PermissionDeniedError, failures.UnauthenticatedError, PermissionError)
        if "/latest/api/token" in said or "/latest/meta-data" in said:
            return ShareError(
                tr(
                    "There are no credentials for {url}. Set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or install boto3, which knows your AWS profile.",
                    url=self.url,
                )
            )
        if "NoSuchBucket" in said:
            return ShareError(tr("There is no bucket of the name in {url}.", url=self.url))
        if isinstance(error, denied) or _REFUSED.search(said):
            return ShareError(
                tr(
                    "{url} refused: these credentials may not read and write there, or have "
                    "expired. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS "
                    "profile.",
                    url=self.url,
                )
            )
        if isinstance(error, OSError) and not self.url.startswith("s3://"):
            return ShareUnreachable(
                tr("{url} cannot be used: {why}.", url=self.url, why=error.strerror or "gone")
            )
        return ShareUnreachable(tr("{url} does not answer.", url=self.url))


def checked_url(url: str) -> str:
    """Return the address of a shared place in the form that a project keeps.

    Raises:
        ShareError: it is none, or holds what must not be written down.

    """
    if "://" not in url:
        return absolute(url).as_posix()
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ShareError(
            tr(
                "The address of a shared place is s3://bucket/key and nothing else: a project "
                "keeps it, so no password belongs in it."
            )
        )
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or not parts.path.strip("/"):
        raise ShareError(
            tr(
                "“{url}” is no shared place: name s3://bucket/key, or a folder that everybody "
                "has mounted.",
                url=url,
            )
        )
    return f"s3://{parts.netloc}/{parts.path.strip('/')}"


def _checked_endpoint(endpoint: str | None) -> str | None:
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ShareError(
            tr(
                "“{endpoint}” is no address of a store. It begins with https:// or http://, and "
                "holds no password.",
                endpoint=endpoint.rsplit("@", 1)[-1],
            )
        )
    return endpoint


def _bucket(url: str, endpoint: str | None, region: str | None) -> Any:
    from obstore.store import S3Store

    bucket, key = url.removeprefix("s3://").split("/", 1)
    options: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint}
    options["region"] = (
        region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    )
    if "AWS_ACCESS_KEY_ID" not in os.environ and (profile := _profile()) is not None:
        options["credential_provider"] = profile
    return S3Store(
        bucket,
        prefix=key,
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "timeout": _REQUEST,
            "connect_timeout": _CONNECT,
        },
        retry_config={"max_retries": 3, "retry_timeout": _PATIENCE},
        **options,
    )


def _profile() -> Any | None:
    """Return what gives the credentials of the AWS profile in use, if there are any."""
    try:
        from boto3 import Session
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider(Session())
    except (BotoCoreError, ValueError):
        return None  # there are none: the store says so


def _folder(path: Path, *, make: bool) -> Any:
    from obstore.store import LocalStore

    if make:
        make_folder(path, "The shared project")
    if not path.is_dir():
        raise _not_mounted(path)
    return LocalStore(path)


def _not_mounted(path: Path | str) -> ShareUnreachable:
    return ShareUnreachable(
        tr("The shared folder {path} is not there. Is its drive mounted?", path=path)
    )
