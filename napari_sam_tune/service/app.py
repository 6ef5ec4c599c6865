"""The endpoint: its operations, described by OpenAPI."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, FastAPI, File, Form, Path, Request, Response, Security, UploadFile
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from napari_sam_tune import __version__
from napari_sam_tune.service import examples
from napari_sam_tune.service.answering import Asked
from napari_sam_tune.service.bodies import (
    VERSION,
    CocoBody,
    ImageBody,
    ProposalBody,
    QuestionBody,
    WeightsBody,
    coco_of,
    png_of,
    prompt_of,
    proposal_of,
)
from napari_sam_tune.service.faults import faults, say_faults
from napari_sam_tune.service.guard import Guard
from napari_sam_tune.service.here import Client, Here
from napari_sam_tune.service.metrics import Measured
from napari_sam_tune.service.pages import add_pages
from napari_sam_tune.service.round_routes import router as round_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from napari_sam_tune.service.server import Server

router = APIRouter()


ImageId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{32}$",
        description="As POST /v1/images gave it.",
        examples=[examples.IMAGE],
    ),
]


@router.post(
    "/v1/masks",
    summary="One image, one prompt, one mask",
    responses={
        200: {
            "description": "The mask: as PNG of 0 and 255, or in COCO's run lengths where the "
            "request's Accept names application/json.",
            "model": CocoBody,
            "content": {"image/png": {}},
        },
        **faults(404, 422, 429, 503, 504),
    },
    response_class=Response,
)
async def answer_one_shot(
    request: Request,
    server: Here,
    client: Client,
    image: Annotated[UploadFile, File(description="PNG, TIFF, JPEG, BMP or WebP.")],
    box: Annotated[
        str | None, Form(description="x0,y0,x1,y1", examples=[examples.BOX_TEXT])
    ] = None,
    points: Annotated[
        str | None, Form(description="x,y,label;x,y,label", examples=[examples.POINTS_TEXT])
    ] = None,
    weights: Annotated[str | None, Form(pattern=VERSION, examples=["base"])] = None,
) -> Response:
    """Answer a box (`x0,y0,x1,y1`) or points (`x,y,label` separated by `;`) about one image.

    Coordinates are pixels of the upright image, (0, 0) the first one's centre.
    """
    content = await image.read()
    prompt = prompt_of(box, points, server.limits.points)
    served = server.weights.get(weights)
    kept = await server.decode(server.images.put, content)
    asked = Asked(kept, prompt)
    proposal = await server.model.run(client, lambda: server.answering.answer(asked, served))
    if "application/json" in request.headers.get("accept", ""):
        found = await run_in_threadpool(coco_of, kept.id, proposal)
        return Response(found.model_dump_json(), media_type="application/json")
    return Response(await run_in_threadpool(png_of, proposal.mask), media_type="image/png")


@router.post(
    "/v1/images",
    status_code=201,
    summary="Send an image that questions will be about",
    responses=faults(422),
)
async def keep_image(
    server: Here,
    image: Annotated[UploadFile, File(description="PNG, TIFF, JPEG, BMP or WebP.")],
) -> ImageBody:
    """Keep an image; the same bytes are the same image, and are decoded once.

    It is kept as long as there is room: what nobody asked about for longest goes first.
    """
    kept = await server.decode(server.images.put, await image.read())
    return ImageBody(id=kept.id, width=kept.shape[1], height=kept.shape[0])


@router.get("/v1/images/{image}", summary="Whether an image is here", responses=faults(404, 422))
async def find_image(server: Here, image: ImageId) -> ImageBody:
    """Say whether an image need not be sent: its id is of its file's bytes."""
    kept = server.images.get(image)
    return ImageBody(id=kept.id, width=kept.shape[1], height=kept.shape[0])


@router.get(
    "/v1/images/{image}/picture",
    summary="An image as the model sees it",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **faults(404, 422)},
)
async def show_image(server: Here, image: ImageId) -> Response:
    """Return an image upright and with 8 bits, as PNG: for those who cannot show its own file."""
    rgb = server.images.get(image).rgb
    return Response(await run_in_threadpool(png_of, rgb), media_type="image/png")


@router.post(
    "/v1/images/{image}/proposals",
    summary="Ask about an object",
    responses=faults(404, 422, 429, 503, 504),
)
async def propose(
    server: Here, client: Client, image: ImageId, question: QuestionBody
) -> ProposalBody:
    """Answer all that was said about one object: its box, then its points, one after the other.

    Nothing has to be remembered between two questions: the second holds what the first did, and
    one more point. So an image that is not here any more is sent again, and no prompt is lost.
    """
    asked = Asked(server.images.get(image), question.prompt(), question.candidate)
    served = server.weights.get(question.weights)
    proposal = await server.model.run(client, lambda: server.answering.answer(asked, served))
    return await run_in_threadpool(proposal_of, image, proposal)


@router.get("/v1/weights", summary="The model, and weights that can answer", responses=faults())
async def list_weights(server: Here) -> WeightsBody:
    """Say which model there is, which weights answer, and which others a question may name."""
    ref, network = server.predictor.ref, server.predictor.network
    return WeightsBody(
        base=ref.name,
        base_sha256=ref.sha256,
        input_side=network.side,
        device=server.predictor.device.type,
        in_use=server.weights.in_use.version,
        versions=server.weights.versions,
    )


@router.put(
    "/v1/weights/{version}",
    status_code=204,
    summary="Send weights of one's own",
    responses=faults(415, 422, 429, 503, 504, 507),
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def keep_weights(
    request: Request,
    server: Here,
    client: Client,
    version: Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", examples=[examples.WEIGHTS])],
) -> Response:
    """Keep tuned weights (safetensors, as a project holds them) for this server's base model.

    Names and shapes are checked against the model's. No base model and no pickle is taken.
    """
    content = await request.body()
    served = await run_in_threadpool(server.weights.read, version, content)
    await server.model.run(client, lambda: server.answering.use(served))
    server.weights.keep(served)
    return Response(status_code=204)


@router.get(
    "/v1/events",
    summary="What happens, as it happens",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": examples.VERSION_EVENT}}},
        **faults(503),
    },
)
async def tell_events(server: Here) -> StreamingResponse:
    """Tell of rounds and of versions that come into use, as server-sent events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        server.events.listen(), media_type="text/event-stream", headers=headers
    )


@router.get(
    "/healthz",
    summary="Whether the server lives",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": "ok"}}}},
)
async def say_health() -> str:
    """Say “ok”; nothing of anybody is told, so that no token is needed."""
    return "ok"


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": examples.METRICS}}}, **faults()},
)
async def tell_metrics(server: Here) -> Response:
    """Tell how much was asked and how long answers took."""
    return Response(server.metrics.text(), media_type="text/plain; version=0.0.4")


def create_app(server: Server, token: str | None = None) -> FastAPI:
    """Return the app of a server.

    Args:
        server: what it answers with; lives as long as the app runs.
        token: that all requests must bring; None where only this computer can reach it.

    """

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = FastAPI(
        title="napari-sam-tune",
        version=__version__,
        description="Masks of defects from a box or a few clicks.",
        lifespan=running,
        # the guard checks it; this says so to who reads the description
        dependencies=[Security(HTTPBearer(auto_error=False))] if token else [],
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    say_faults(app)
    app.include_router(router)
    app.include_router(round_router)
    add_pages(app)
    app.add_middleware(Measured, metrics=server.metrics)
    app.add_middleware(Guard, limits=server.limits, token=token, refused=server.metrics.refused)
    return app
