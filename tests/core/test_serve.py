"""The endpoint, asked as other programs ask it."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from disc_project import small_starter
from network import network
from PIL import Image
from pycocotools import mask as coco_mask
from serving import running, small_app
from typer.testing import CliRunner

from napari_sam_tune.cli import app as commands
from napari_sam_tune.core.answers.chain import REFINERS
from napari_sam_tune.core.answers.encoding import Encoder
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.core.images.surfaces import FamiliarSurfaces
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.session.packing import size_of
from napari_sam_tune.service import remote_encoder
from napari_sam_tune.service.answering import Answering, Asked
from napari_sam_tune.service.connection import Connection
from napari_sam_tune.service.events import Events
from napari_sam_tune.service.faults import without_places
from napari_sam_tune.service.kept_images import KeptImage
from napari_sam_tune.service.limits import Limits
from napari_sam_tune.service.model_thread import Asker
from napari_sam_tune.service.remote_encoder import RemoteEncoder
from napari_sam_tune.service.served_weights import ServedWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.usefixtures("at_128_px")


def disc(radius: float = 20.0) -> NDArray[np.uint8]:
    """A grey image with a dark disc in its middle."""
    y, x = np.mgrid[:96, :128]
    grey = np.where((x - 64) ** 2 + (y - 48) ** 2 < radius**2, 60, 170).astype(np.uint8)
    return np.stack([grey] * 3, -1)


def png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("served")
    limits = Limits(pixels=1_000_000, upload_bytes=100_000, text_bytes=50_000)
    with running(small_app(folder, limits)) as client:
        yield client


def test_one_shot_is_the_predictors_mask(client: httpx.Client) -> None:
    sent = {"image": ("part.png", png(disc()))}
    box = "40,24,90,72"
    answer = client.post("/v1/masks", files=sent, data={"box": box})
    assert answer.headers["content-type"] == "image/png"
    mask = np.asarray(Image.open(io.BytesIO(answer.content))) > 0

    predictor = small_starter()
    predictor.set_image(disc())
    proposal = predictor.propose(Prompt(box=(40, 24, 90, 72)), refiners=REFINERS)
    proposal = predictor.look_closer(proposal, refiners=REFINERS) or proposal
    np.testing.assert_array_equal(mask, proposal.mask)

    asked = {"Accept": "application/json"}
    said = client.post("/v1/masks", files=sent, data={"box": box}, headers=asked).json()
    np.testing.assert_array_equal(coco_mask.decode(said["segmentation"]) > 0, mask)
    assert said["area"] == mask.sum()
    assert said["predicted_iou"] == pytest.approx(proposal.iou, abs=1e-4)


def test_clicks_go_on_where_a_server_has_forgotten(client: httpx.Client, tmp_path: Path) -> None:
    """The whole prompt is sent each time, so another server gives the same answer."""
    content = png(disc())
    points = [{"x": 64, "y": 48}, {"x": 20, "y": 20, "label": 0}, {"x": 70, "y": 55}]
    image = client.post("/v1/images", files={"image": content}).json()["id"]
    for said in (1, 2, 3):
        answer = client.post(f"/v1/images/{image}/proposals", json={"points": points[:said]})
        assert len(answer.json()["candidates"]) == (3 if said == 1 else 1)

    with running(small_app(tmp_path)) as other:
        asked = f"/v1/images/{image}/proposals"
        lost = other.post(asked, json={"points": points})
        assert (lost.status_code, lost.json()["error"]) == (404, "image_unknown")
        other.post("/v1/images", files={"image": content})
        assert other.post(asked, json={"points": points}).json() == answer.json()


def test_answers_are_kept_within_bounds() -> None:
    """Each may be gone on from, so they are kept; a server is asked for ever."""
    most = 200_000
    answering = Answering(small_starter(), Limits(answers_bytes=most))
    image, earlier = KeptImage("0" * 32, disc()), {id(p) for p in proposals()}
    for right in range(20):
        answering.answer(Asked(image, Prompt(box=(40, 24, 90 + right, 72))), ServedWeights())
    kept = [size_of(p) for p in proposals() if id(p) not in earlier]
    assert 1 < len(kept) < 20
    assert sum(kept) <= most + max(kept)


def proposals() -> list[Proposal]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Proposal)]


def test_the_same_tensors_for_other_surfaces_answer_otherwise() -> None:
    """Two clients may send the same weights, each with the surfaces of its own project."""
    predictor = small_starter()
    state = predictor.sam.state_dict()
    name = next(name for name in state if name.startswith("mask_decoder.") and "weight" in name)
    tensors = {name: state[name] * 1.01}
    version = "0123456789ab"
    answering = Answering(predictor, Limits())
    asked = Asked(KeptImage("0" * 32, disc()), Prompt(box=(40, 24, 90, 72)))
    answered = [
        answering.answer(asked, ServedWeights(version, tensors, surfaces)).weights_version
        for surfaces in (None, FamiliarSurfaces({}), None)
    ]
    assert answered == [version, "base", version]


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"Origin": "https://elsewhere.example"}, 403, "foreign_page"),
        ({"Origin": "http://["}, 403, "foreign_page"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_page"),
        ({"Host": "rebound.example"}, 421, "wrong_host"),
        ({"Host": "[::1"}, 421, "wrong_host"),
    ],
)
def test_pages_of_other_sites_stay_out(
    client: httpx.Client, headers: dict[str, str], status: int, error: str
) -> None:
    answer = client.post("/v1/images", files={"image": b"x"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_letter_that_is_none_can_be_answered(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    asked = f"/v1/images/{'0' * 32}/proposals"
    answer = client.post(asked, content=b'{"\\ud800": 1}', headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_features_of_another_model_are_not_given(client: httpx.Client) -> None:
    """A server started anew may have another model, whose features may have the same shape."""
    base = client.get("/v1/weights").json()["base_sha256"]
    for asked, status in ((base, 200), ("0" * 64, 409)):
        answer = client.post("/v1/embeddings", params={"base": asked}, content=png(disc()))
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "place", ["/home/ann/p.project", "/home/Ann Smith/p.project", "C:\\Users\\Ann Smith\\p"]
)
def test_places_are_taken_out_of_sentences(place: str) -> None:
    assert without_places(f"It is not in {place}. Restore it.").startswith("It is not in …")
    assert "p" not in without_places(f"in {place}")


def test_who_leaves_before_the_first_event_listens_no_more() -> None:
    events = Events(most=1)
    assert events.listen()
    assert events.listen()


def test_another_host_needs_the_token(tmp_path: Path) -> None:
    with running(small_app(tmp_path, token="the right token")) as client:
        client.headers["Host"] = "camera-room"
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/weights").json()["error"] == "token_missing"
        wrong = client.get("/v1/weights", headers={"Authorization": "Bearer guessed"})
        assert wrong.json()["error"] == "token_wrong"
        right = client.get("/v1/weights", headers={"Authorization": "Bearer the right token"})
        assert right.json()["in_use"] == "base"


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(commands, ["serve", "--port", str(port)])
    assert isinstance(done.exception, SamTuneError)
    assert f"Nothing can listen at 127.0.0.1, port {port}" in str(done.exception)


def test_what_is_too_large_is_refused_unread(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65_536)

    said = client.post("/v1/images", files={"image": bytes(200_000)})
    assert (said.status_code, said.json()["error"]) == (413, "too_large")
    asked = f"/v1/images/{'0' * 32}/proposals"
    assert client.post(asked, content=b" " * 60_000).json()["error"] == "too_large"
    large = client.post("/v1/images", files={"image": png(np.zeros((1001, 1000, 3), np.uint8))})
    assert (large.status_code, large.json()["error"]) == (413, "too_large")
    with suppress(httpx.TransportError):  # hung up on before all was sent
        assert client.put("/v1/weights/0123456789ab", content=endless()).status_code == 413


def test_nothing_is_worked_out_for_who_has_left(tmp_path: Path) -> None:
    app = small_app(tmp_path)
    model, held, begun = app.state.server.model, threading.Event(), threading.Event()

    async def stays() -> bool:
        return False

    def work() -> None:
        begun.set()
        held.wait()

    with running(app) as client:
        keeper = threading.Thread(target=lambda: asyncio.run(model.run(Asker("x", stays), work)))
        keeper.start()
        begun.wait()
        try:
            how_long = httpx.Timeout(5, read=0.3)
            with pytest.raises(httpx.ReadTimeout):  # and hangs up
                client.post("/v1/embeddings", content=png(disc()), timeout=how_long)
            until_gone(client, "/v1/embeddings")
        finally:
            held.set()
            keeper.join()
        until(lambda: model.waiting == 0)


def until_gone(client: httpx.Client, operation: str) -> None:
    left = f'sam_tune_answers_total{{operation="{operation}",status="499"}} 1.0'
    until(lambda: left in client.get("/metrics").text)


def test_who_hangs_up_while_sending_is_no_fault_of_the_server(
    client: httpx.Client,
) -> None:
    address = client.base_url.host, client.base_url.port
    for place in ("POST /v1/embeddings", "PUT /v1/weights/0123456789ab"):
        with socket.create_connection(address) as half:
            half.sendall(f"{place} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode())
            half.sendall(b"Content-Length: 1000\r\n\r\nhalf of it")
    for operation in ("/v1/embeddings", "/v1/weights/{version}"):
        until_gone(client, operation)
    assert 'status="500"' not in client.get("/metrics").text


def until(so: Callable[[], bool]) -> None:
    """Wait for what comes by itself."""
    for _ in range(600):
        if so():
            return
        time.sleep(0.05)
    raise AssertionError("It did not come.")


def test_a_full_disk_is_said_and_the_door_counts_what_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with running(small_app(tmp_path, token="the right token")) as client:
        assert client.get("/v1/weights").status_code == 401
        client.headers["Authorization"] = "Bearer the right token"
        assert 'answers_total{operation="door",status="401"} 1.0' in client.get("/metrics").text
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.write_bytes", full)
            answer = client.put("/v1/weights/0123456789ab", content=b"weights")
        assert (answer.status_code, answer.json()["error"]) == (507, "disk_full")
        assert str(tmp_path) not in answer.text


def test_a_dead_server_keeps_nobody_from_working_and_is_checked_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_encoder, "AGAIN_SECONDS", 0.0)
    app = small_app(tmp_path, token="the right token")
    with running(app) as client, network(client.base_url.port) as between:
        between.cut()
        predictor = small_starter()
        connection = Connection(between.address, "a wrong token")
        said: list[str | None] = []
        connection.refused.connect(said.append)
        encoder = predictor.encoder = RemoteEncoder(connection, predictor)
        own = Encoder(predictor.network).encode(disc()).features
        assert connection.is_reached is False
        np.testing.assert_array_equal(encoder.encode(disc()).features, own)

        between.mend()
        np.testing.assert_array_equal(encoder.encode(disc()).features, own)
        assert connection.is_reached
        (why,) = said
        assert "does not take this token" in str(why)

        connection.change(between.address, "the right token")
        near = encoder.encode(disc()).features
        assert said == [why, None]
        np.testing.assert_allclose(near, own, atol=0.01)  # float16 on the way
        assert (near != own).any()
        connection.close()
