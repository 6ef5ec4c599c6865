"""Operations by which a client's rounds run on a server, and its images are encoded there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from safetensors.numpy import save
from starlette.concurrency import run_in_threadpool

from napari_sam_tune.core.training.job import Candidate
from napari_sam_tune.service import examples
from napari_sam_tune.service.bodies import VERSION
from napari_sam_tune.service.faults import Fault, faults, too_large
from napari_sam_tune.service.here import Client, Here
from napari_sam_tune.service.kept_images import read_rgb
from napari_sam_tune.service.round_bodies import BegunBody, HoldingsBody, RecordsBody, RoundBody

router = APIRouter()

Key = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{32}$",
        description="Made by the client at random, and known to nobody else.",
        examples=[examples.PROJECT],
    ),
]
Name = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=[examples.ROUND])]
_BYTES = {"content": {"application/octet-stream": {}}, "required": True}


@router.post(
    "/v1/embeddings",
    summary="Have pixels encoded",
    response_class=Response,
    responses={
        200: {
            "description": "safetensors: `features`, (channels, rows, columns) float16.",
            "content": {"application/octet-stream": {}},
        },
        **faults(404, 409, 422, 429, 503, 504),
    },
    openapi_extra={"requestBody": _BYTES},
)
async def embed(
    request: Request,
    server: Here,
    client: Client,
    weights: Annotated[str | None, Query(pattern=VERSION, examples=["base"])] = None,
    base: Annotated[
        str | None, Query(pattern=r"^[0-9a-f]{64}$", examples=[examples.MODEL["base_sha256"]])
    ] = None,
) -> Response:
    """Encode a picture that has the model's input side already; of a large image, a window.

    Whoever has the features answers prompts at home, where no network keeps a click waiting.
    `base` is the SHA-256 of the model that they must be of.
    """
    ref = server.predictor.ref
    if base not in {None, ref.sha256}:
        raise Fault(
            409,
            "other_model",
            f"The server has another model now, {ref.name}. Start it with the one that your "
            "project is for, or choose to run on this computer.",
        )
    served = server.weights.get(weights)
    content = await request.body()
    rgb = await server.decode(read_rgb, content, server.predictor.input_side**2)
    features = await server.model.run(client, lambda: server.answering.embed(rgb, served))
    packed = await run_in_threadpool(save, {"features": features})
    return Response(packed, media_type="application/octet-stream")


@router.post("/v1/projects/{key}/missing", summary="What need not be sent", responses=faults(422))
async def find_missing(server: Here, key: Key, holdings: HoldingsBody) -> HoldingsBody:
    """Say which images, records and weights of a round were not sent yet."""
    mirror = await run_in_threadpool(server.mirrors.of, key)
    images, records, weights = await run_in_threadpool(
        mirror.missing, holdings.images, holdings.records, holdings.weights
    )
    return HoldingsBody(images=images, records=records, weights=weights)


@router.put(
    "/v1/projects/{key}/images/{name}",
    status_code=204,
    summary="Send an image to learn from",
    responses=faults(422, 507),
    openapi_extra={"requestBody": _BYTES},
)
async def put_image(request: Request, server: Here, key: Key, name: Name) -> Response:
    """Keep an image (TIFF or PNG) under the hash of its pixels, which is checked."""
    content = await request.body()
    mirror = await run_in_threadpool(server.mirrors.of, key, len(content))
    await server.decode(mirror.put_image, name, content, server.limits.pixels)
    return Response(status_code=204)


@router.post(
    "/v1/projects/{key}/records",
    status_code=204,
    summary="Send accepted masks",
    responses=faults(422, 507),
)
async def put_records(server: Here, key: Key, records: RecordsBody) -> Response:
    """Keep accepted masks; their images were sent before."""
    coming = sum(len(record.bits) for record in records.records)
    mirror = await run_in_threadpool(server.mirrors.of, key, coming)
    await server.decode(mirror.put_records, records.records)
    return Response(status_code=204)


@router.put(
    "/v1/projects/{key}/weights/{version}",
    status_code=204,
    summary="Send weights to go on from",
    responses=faults(422, 507),
    openapi_extra={"requestBody": _BYTES},
)
async def put_weights(
    request: Request,
    server: Here,
    key: Key,
    version: Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", examples=[examples.WEIGHTS])],
) -> Response:
    """Keep tuned weights of this server's base model; no base model and no pickle is taken."""
    content = await request.body()
    mirror = await run_in_threadpool(server.mirrors.of, key, len(content))
    await run_in_threadpool(mirror.put_weights, version, content)
    return Response(status_code=204)


@router.post(
    "/v1/projects/{key}/rounds",
    status_code=202,
    summary="Begin a round",
    responses=faults(409, 422, 503),
)
async def begin_round(server: Here, key: Key, asked: RoundBody) -> BegunBody:
    """Fine-tune on what was sent, after the rounds of others that wait."""
    most = server.limits.round_steps
    if asked.config.steps > most:
        raise too_large(f"A round of {asked.config.steps:,} steps is longer", f"{most:,} steps")
    mirror = await run_in_threadpool(server.mirrors.of, key)
    job = mirror.job(asked, server.predictor.device.type)
    return BegunBody(round=server.rounds.begin(mirror, job).id)


@router.get(
    "/v1/rounds/{name}/events",
    summary="How a round goes",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": examples.PROGRESS_EVENT}}},
        **faults(404, 422),
    },
)
async def follow_round(
    server: Here,
    name: Name,
    last_event_id: Annotated[int, Header(ge=0, le=2**53, examples=[6])] = 0,
) -> StreamingResponse:
    """Tell a round's progress and end; a listener that was cut off goes on with Last-Event-ID."""
    texts = server.rounds.listen(server.rounds.find(name), last_event_id)
    return StreamingResponse(
        texts, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


@router.get(
    "/v1/rounds/{name}/weights",
    summary="The weights a round made",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, **faults(404, 409, 422)},
)
async def fetch_weights(server: Here, name: Name) -> FileResponse:
    """Return the candidate, used or not: that is the client's own gate to decide."""
    found = server.rounds.find(name)
    end = found.end
    if not isinstance(end, Candidate):
        raise Fault(409, "no_candidate", "This round has made no weights (yet).")
    path = await run_in_threadpool(found.mirror.project.weights_path, end.version)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.delete(
    "/v1/rounds/{name}", status_code=204, summary="Cancel a round", responses=faults(404, 422)
)
async def cancel_round(server: Here, name: Name) -> Response:
    """Stop a round within a step; nothing happens where it is over."""
    server.rounds.cancel(name)
    return Response(status_code=204)
