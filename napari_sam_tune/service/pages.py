"""The page to click on at `/`, and the operations described at `/docs`.

Both are made of files that are here: nothing is had from outside, so that they work without
internet, and a policy says so to the browser.
"""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os

    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import Scope

_PAGE: Final = Path(str(files("napari_sam_tune.service"))) / "page"
_RESOURCES: Final = Path(str(files("napari_sam_tune"))) / "resources"
_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, and asked each time whether a new version has come
    "Content-Security-Policy": f"{_POLICY}; require-trusted-types-for 'script'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Swagger UI has its icons in its style sheet, and makes pages from texts
_DOCS_HEADERS: Final = _HEADERS | {"Content-Security-Policy": f"{_POLICY}; img-src 'self' data:"}

# a Windows registry may call it text/plain, and no browser runs a module of that kind
mimetypes.add_type("text/javascript", ".js")


class _Files(StaticFiles):
    """A folder's files, under the policy of the page."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """See starlette."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response


async def show_page() -> FileResponse:
    """Return the page to click on."""
    return FileResponse(_PAGE / "index.html", headers=_HEADERS)


async def show_icon() -> FileResponse:
    """Return the icon of both pages."""
    return FileResponse(_RESOURCES / "icon.svg", headers=_HEADERS)


async def show_docs() -> FileResponse:
    """Return the page that describes the operations."""
    return FileResponse(_PAGE / "docs.html", headers=_DOCS_HEADERS)


def add_pages(app: FastAPI) -> None:
    """Add both pages to an app, with all that they are made of."""
    for path, show in (("/", show_page), ("/docs", show_docs), ("/page/icon.svg", show_icon)):
        app.add_api_route(path, show, include_in_schema=False)
    samples = _RESOURCES / "samples" / "images"
    app.mount("/page/samples", _Files(directory=samples))
    app.mount("/page", _Files(directory=_PAGE))
    app.mount("/docs", _Files(packages=[("fastapi_swagger", "resources")]))
