"""The page, used as people use it, in a real Chromium; the operations' description and docs."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from disc_project import small_starter
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright
from pycocotools import mask as coco_mask
from serving import running, small_app

from napari_sam_tune.core.models.weights_file import write_weights
from napari_sam_tune.service.bodies import in_its_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from napari_sam_tune.core.answers.predictor import Predictor

pytestmark = pytest.mark.usefixtures("at_128_px")

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "resources" / "samples" / "images" / "plate_01.png"
SIDE = 320
TOKEN = "a token of twenty-six letters"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium or Chrome: nothing is downloaded."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    with sync_playwright() as playwright:
        if program is not None:
            browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        else:  # where Windows and macOS keep it; else it says that there is none
            browser = playwright.chromium.launch(channel="chrome")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def predictor(at_128_px: None) -> Predictor:
    return small_starter()


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, predictor: Predictor
) -> Iterator[httpx.Client]:
    """What the page's answers are compared with: the server, asked beside it."""
    app = small_app(tmp_path_factory.mktemp("served"), predictor=predictor)
    with running(app) as client:
        yield client


@dataclass
class Visitor:
    """Somebody with the page before them, who may see no error and not be led outside."""

    page: Page
    place: str = ""
    questions: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._look)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._read)

    def _look(self, request: Request) -> None:
        if not request.url.startswith((self.place, "blob:", "data:")):
            self.complaints.append(f"from outside: {request.url}")
        if TOKEN in request.url:
            self.complaints.append(f"a token in an address: {request.url}")
        if request.url.endswith("/proposals"):
            self.questions.append(request.post_data_json)

    def _read(self, said: ConsoleMessage) -> None:
        if "Policy" in said.text:
            self.complaints.append(said.text)

    def open(self) -> None:
        """Open a sample."""
        self.page.goto(self.place)
        self.page.click(f'[data-sample="{SAMPLE.name}"]')
        self.page.wait_for_selector("#zoom")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the image, shown whole, is on the screen."""
        box = self.page.locator("#canvas").bounding_box()
        assert box is not None
        room = min(24, box["width"] / 20)
        scale = min(box["width"] - 2 * room, box["height"] - 2 * room) / SIDE
        left = box["x"] + (box["width"] - SIDE * scale) / 2
        top = box["y"] + (box["height"] - SIDE * scale) / 2
        return left + (x + 0.5) * scale, top + (y + 0.5) * scale

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.at(x, y), button=button)

    def await_answer(self) -> None:
        self.page.wait_for_selector("#message:not([data-kind=waits])")

    def saved(self, button: str) -> bytes:
        """Press a button that saves, and return what is saved."""
        with self.page.expect_download() as download:
            self.page.click(button)
        return Path(download.value.path()).read_bytes()

    def mask(self) -> dict[str, Any]:
        """Return the mask shown, as it is saved in COCO's manner."""
        found: dict[str, Any] = json.loads(self.saved("#coco"))
        return found


@pytest.fixture(scope="module")
def visitors(browser: Browser) -> Iterator[dict[str, Visitor]]:
    """Those who were here: to begin with a browser's window costs more than most tests."""
    visitors: dict[str, Visitor] = {}
    yield visitors
    for visitor in visitors.values():
        visitor.page.context.close()


@pytest.fixture
def visit(
    browser: Browser, client: httpx.Client, visitors: dict[str, Visitor]
) -> Iterator[Callable[..., Visitor]]:
    """Have somebody look at the page."""
    seen: list[Visitor] = []

    def visit(place: str = str(client.base_url), **options: Any) -> Visitor:
        kind = json.dumps(options, sort_keys=True)
        if kind not in visitors:
            context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US"} | options)
            visitors[kind] = Visitor(context.new_page())
        visitor = visitors[kind]
        visitor.place = place
        seen.append(visitor)
        return visitor

    yield visit
    for visitor in seen:
        assert visitor.complaints == []
        visitor.questions.clear()


def one_shot(client: httpx.Client, question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return what POST /v1/masks says to a question of the page, and what it draws."""
    points = (f"{p['x']},{p['y']},{p['label']}" for p in question["points"])
    data = {"points": ";".join(points)}
    if question["box"]:
        data["box"] = ",".join(map(str, question["box"]))
    files, asked = {"image": SAMPLE.read_bytes()}, {"Accept": "application/json"}
    found = client.post("/v1/masks", files=files, data=data, headers=asked)
    found.raise_for_status()
    drawn = client.post("/v1/masks", files=files, data=data)
    return found.json(), drawn.content


def test_a_box_by_two_clicks_is_corrected_undone_and_saved(
    visit: Callable[..., Visitor], client: httpx.Client
) -> None:
    visitor = visit()
    visitor.open()
    page = visitor.page
    page.click("label:has([value=box])")
    visitor.click(125, 88)
    page.mouse.move(*visitor.at(150, 100))
    visitor.click(175, 118)
    visitor.await_answer()
    (question,) = visitor.questions
    assert question["box"] == pytest.approx([125, 88, 175, 118], abs=0.6)

    first, (api, drawn) = visitor.mask(), one_shot(client, question)
    assert first == api
    with Image.open(io.BytesIO(visitor.saved("#png"))) as own, Image.open(io.BytesIO(drawn)) as its:
        assert own.mode == its.mode == "L"
        np.testing.assert_array_equal(np.asarray(own), np.asarray(its))

    visitor.click(150, 103)  # the box is drawn: clicks add again
    visitor.await_answer()
    visitor.click(100, 110, "right")
    visitor.await_answer()
    question = visitor.questions[-1]
    assert [point["label"] for point in question["points"]] == [1, 0]
    assert visitor.mask() == one_shot(client, question)[0]

    page.click("#undo")
    page.click("#undo")
    assert visitor.mask() == first
    page.click("#reset")
    expect(page.locator("#coco")).to_be_disabled()
    page.keyboard.press("Control+z")
    assert visitor.mask() == first
    assert len(visitor.questions) == 3, "undo asked again"


def test_one_of_three_guesses_is_chosen(
    visit: Callable[..., Visitor], client: httpx.Client
) -> None:
    visitor = visit()
    visitor.open()
    visitor.click(72, 102)
    guesses = visitor.page.locator("#guesses button")
    expect(guesses).to_have_count(3)
    guesses.nth(1).click()
    visitor.await_answer()
    expect(guesses.nth(1)).to_have_attribute("aria-pressed", "true")
    found = visitor.mask()
    question = visitor.questions[-1]
    assert question["candidate"] == 1
    answer = client.post(f"/v1/images/{found['image']}/proposals", json=question).json()["mask"]
    x0, y0, x1, y1 = answer["box"]
    whole = coco_mask.decode(found["segmentation"])
    np.testing.assert_array_equal(whole[y0:y1, x0:x1], coco_mask.decode(answer["segmentation"]))
    assert whole.sum() == whole[y0:y1, x0:x1].sum()


def test_answers_that_are_late_or_wanted_no_more(visit: Callable[..., Visitor]) -> None:
    visitor = visit(locale="en-GB")  # whose clock and network are nobody else's
    page = visitor.page
    page.clock.install()
    visitor.open()
    held: list[Any] = []
    page.route("**/proposals", lambda route: held.append(route))

    def newest(number: int) -> Any:
        page.evaluate("0")  # whoever handles requests hears of them after those who wait for them
        assert len(held) == number
        return held[-1]

    with page.expect_request("**/proposals"):
        visitor.click(72, 102)
    page.keyboard.press("Shift+C")
    with page.expect_response("**/proposals"):
        newest(1).continue_()
    visitor.await_answer()
    expect(page.locator("#facts")).to_be_hidden()
    expect(page.locator("#coco")).to_be_disabled()

    with page.expect_request("**/proposals"):
        visitor.click(72, 102)
    visitor.click(90, 120, "right")
    page.clock.fast_forward(10_000)
    expect(page.locator("#said")).to_contain_text("longer than usual")
    with page.expect_request("**/proposals"):
        page.click("#again")
    newest(3).continue_()  # the one before never comes
    expect(page.locator("#facts")).to_be_visible()
    assert len(visitor.questions[-1]["points"]) == 2, "what was clicked meanwhile is asked about"


def test_a_server_started_anew_costs_one_upload_and_no_prompt(
    visit: Callable[..., Visitor], predictor: Predictor, tmp_path: Path
) -> None:
    with running(small_app(tmp_path, predictor=predictor)) as client:
        port = client.base_url.port
        visitor = visit(str(client.base_url))
        visitor.open()
        visitor.click(72, 102)
        visitor.await_answer()
    said = visitor.page.locator("#said")
    visitor.click(90, 120, "right")  # while nobody is there
    expect(said).to_contain_text("No connection")
    with running(small_app(tmp_path, predictor=predictor), port) as client:
        visitor.page.click("#again")
        expect(said).to_contain_text("sent again", timeout=60_000)
        question = visitor.questions[-1]
        assert [point["label"] for point in question["points"]] == [1, 0]
        assert visitor.mask() == one_shot(client, question)[0]


def test_by_keys_alone_in_japanese(visit: Callable[..., Visitor]) -> None:
    visitor = visit(locale="ja-JP")
    page = visitor.page
    page.goto(visitor.place)
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    keys = page.keyboard
    for _ in range(12):
        keys.press("Tab")
        if page.locator(f'[data-sample="{SAMPLE.name}"]:focus').count():
            break
    keys.press("Enter")
    expect(page.locator("#canvas")).to_be_focused()
    keys.press("b")
    expect(page.locator("#said")).to_contain_text("枠")
    for key in ("ArrowLeft", "ArrowUp", "Enter", "Shift+ArrowRight", "ArrowDown", "Enter"):
        keys.press(key)
    visitor.await_answer()
    (question,) = visitor.questions
    x0, _, x1, _ = question["box"]
    assert (x1 - x0, question["points"]) == (1, [])
    keys.press("u")
    keys.press("Enter")
    expect(page.get_by_role("group", name="案")).to_be_visible()
    keys.press("2")
    visitor.await_answer()
    assert visitor.questions[-1]["candidate"] == 1
    keys.press("w")
    keys.press("ArrowRight")
    keys.press("Enter")
    visitor.await_answer()
    assert [point["label"] for point in visitor.questions[-1]["points"]] == [1, 0]
    with page.expect_download() as download:
        keys.press("Shift+S")
    assert download.value.suggested_filename == "plate_01_mask.json"

    page.click("text=EN")
    expect(page.locator("#undo")).to_contain_text("Undo")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    english, japanese = page.evaluate(
        "import('/page/texts.js').then(({TEXTS}) => [TEXTS.en, TEXTS.ja])"
    )
    assert english.keys() == japanese.keys()
    assert english["faults"].keys() == japanese["faults"].keys()
    named = re.compile(r"\{(\w+)\}")
    for name in english.keys() - {"faults"}:
        assert set(named.findall(english[name])) == set(named.findall(japanese[name])), name


def test_fingers_tap_hold_and_pinch(visit: Callable[..., Visitor]) -> None:
    visitor = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    visitor.open()
    page = visitor.page
    page.touchscreen.tap(*visitor.at(72, 102))
    visitor.await_answer()
    touch = page.context.new_cdp_session(page)

    def put(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    with page.expect_request("**/proposals"):
        put("touchStart", visitor.at(90, 120))
    put("touchEnd")
    visitor.await_answer()
    points = visitor.questions[-1]["points"]
    assert [(round(p["x"]), round(p["y"]), p["label"]) for p in points] == [
        (72, 102, 1),
        (90, 120, 0),
    ]

    x, y = visitor.at(160, 160)
    before = page.locator("#scale").inner_text()
    put("touchStart", (x - 20, y))
    put("touchStart", (x - 20, y), (x + 20, y))
    put("touchMove", (x - 60, y), (x + 60, y))
    put("touchEnd")
    expect(page.locator("#scale")).not_to_have_text(before)
    assert len(visitor.questions) == 2, "a pinch clicked"
    page.touchscreen.tap(x, y)
    visitor.await_answer()
    last = visitor.questions[-1]["points"][-1]
    assert (last["x"], last["y"]) == pytest.approx((160, 160), abs=1), "the view went elsewhere"


def test_what_a_browser_cannot_show_is_shown_as_the_model_sees_it(
    visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    deep = np.asarray(Image.open(SAMPLE)).astype(np.uint16) * 8
    for name in ("deep.tif", "deep.png"):
        Image.fromarray(deep).save(tmp_path / name)
    visitor = visit()
    page = visitor.page
    page.goto(visitor.place)
    for name in ("deep.tif", "deep.png"):
        with page.expect_response("**/picture"):
            page.set_input_files("#file", tmp_path / name)
        expect(page.locator("#name")).to_contain_text(name)
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.png")
    expect(page.locator("#said")).to_contain_text("“notes.png” cannot be opened")
    expect(page.locator("#name")).to_contain_text("deep.png")
    dropped = page.evaluate_handle(
        """async () => {
            const given = new DataTransfer();
            const blob = await (await fetch("/page/samples/plate_02.png")).blob();
            given.items.add(new File([blob], "dropped.png", { type: "image/png" }));
            return given;
        }"""
    )
    page.dispatch_event("#stage", "drop", {"dataTransfer": dropped})
    expect(page.locator("#name")).to_contain_text("dropped.png")


def test_a_token_is_asked_for_and_kept_in_the_tab_alone(
    visit: Callable[..., Visitor], predictor: Predictor, tmp_path: Path
) -> None:
    app = small_app(tmp_path, token=TOKEN, predictor=predictor)
    with running(app) as client:
        visitor = visit(str(client.base_url))
        page = visitor.page
        page.goto(visitor.place)
        entry = page.get_by_role("textbox", name="Token")
        entry.fill("guessed")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not the server's")
        entry.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#weights")).to_contain_text("starter")
        page.reload()
        visitor.open()
        visitor.click(72, 102)
        visitor.await_answer()
        expect(page.locator("#facts")).to_be_visible()
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 1]


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_everybody_can_read_and_reach_everything(
    visit: Callable[..., Visitor], viewport: dict[str, int], scheme: str
) -> None:
    visitor = visit()
    visitor.page.set_viewport_size(viewport)
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.open()
    visitor.click(72, 102)
    visitor.await_answer()
    found = Axe().run(visitor.page)
    assert found.violations_count == 0, found.generate_report()
    visitor.page.set_viewport_size(DESKTOP)


def test_the_operations_are_described_without_a_file_from_outside(
    visit: Callable[..., Visitor], client: httpx.Client
) -> None:
    page = visit().page
    page.goto(f"{client.base_url}/docs")
    operations = client.get("/openapi.json").json()
    count = sum(map(len, operations["paths"].values()))
    expect(page.locator(".opblock")).to_have_count(count)
    expect(page.locator(".errors-wrapper")).to_have_count(0)
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_run_lengths_are_those_of_pycocotools(visit: Callable[..., Visitor]) -> None:
    """Read in their box and written of the whole image: empty, whole, at edges, and noise."""
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for case in range(200):
        mask = np.zeros(rng.integers(1, 40, 2), bool)
        if case % 4 == 1:
            mask[:] = True
        elif case % 4 == 2:
            (y0, y1), (x0, x1) = (sorted(rng.integers(0, side + 1, 2)) for side in mask.shape)
            mask[y0:y1, x0:x1] = True
        elif case % 4 == 3:
            mask = rng.random(mask.shape) < rng.random()
        answer = in_its_box(mask, 0.5).model_dump()
        cases.append([answer, {"id": "", "width": mask.shape[1], "height": mask.shape[0]}])
        runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        expected.append([runs["counts"].decode(), int(mask.sum())])
    visitor = visit()
    visitor.page.goto(visitor.place)
    found = visitor.page.evaluate(
        """async (cases) => {
            const { cocoOf, readMask } = await import("/page/masks.js");
            const written = cases.map(([mask, image]) => cocoOf(readMask(mask), image, "base"));
            return written.map(({ segmentation, area }) => [segmentation.counts, area]);
        }""",
        cases,
    )
    assert found == expected


def has_example(part: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a parameter, a body or an answer has an example, or each of its fields has."""
    schema = part.get("schema", {})
    schema = schemas[schema["$ref"].rsplit("/")[-1]] if "$ref" in schema else schema
    if {"example", "examples"} & (part.keys() | schema.keys()):
        return True
    fields = schema.get("properties", {}).values()
    texts = [f for f in fields if f.get("contentMediaType") != "application/octet-stream"]
    return bool(texts) and all("examples" in field for field in texts)


def test_every_operation_has_examples(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts = {p["name"]: p for p in operation.get("parameters", [])}
            for status, answer in operation["responses"].items():
                parts |= {f"{status} {k}": c for k, c in answer.get("content", {}).items()}
            parts |= operation.get("requestBody", {}).get("content", {})
            for name, part in parts.items():
                is_binary = name.endswith(("image/png", "octet-stream"))
                is_file = name == "multipart/form-data" and path == "/v1/images"
                assert is_binary or is_file or has_example(part, schemas), (method, path, name)


def test_the_commands_of_the_docs_work(
    client: httpx.Client, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they stand in docs/en/how-to/serve.md, but for the port and the name of the weights."""
    monkeypatch.chdir(tmp_path)
    Path("samples").symlink_to(ROOT / "resources" / "samples")
    Path("token.txt").write_text("a token that nobody asks for here\n")
    ref = predictor.ref
    tensors = {"mask_decoder.iou_token.weight": predictor.sam.mask_decoder.iou_token.weight * 1.1}
    info = {"base": {"name": ref.name, "sha256": ref.sha256}, "parts": ["decoder"]}
    folder = Path("parts.project", "weights")
    folder.mkdir(parents=True)
    version = write_weights(folder / "new", tensors, info)
    (folder / "new").rename(folder / f"{version}.safetensors")

    text = (ROOT / "docs" / "en" / "how-to" / "serve.md").read_text(encoding="utf-8")
    text = text.replace("http://127.0.0.1:8765", str(client.base_url).rstrip("/"))
    blocks = dict(re.findall(r"<!-- curl ([\w ]+) -->\n```sh\n(.*?)```", text, re.DOTALL))
    assert set(blocks) == {"one shot", "session", "weights", "token", "watching"}
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name, commands in blocks.items():
        script = commands.replace("3f9c2a71d0be", version)
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done.stdout, done.stderr)

    with Image.open("mask.png") as mask:
        assert mask.size == (SIDE, SIDE)
    said = json.loads(Path("mask.json").read_text())
    assert said["area"] == coco_mask.area(said["segmentation"]) > 0
    first, second = (json.loads(Path(f"{name}.json").read_text()) for name in ("first", "second"))
    assert (len(first["candidates"]), len(second["candidates"])) == (3, 1)
    assert json.loads(Path("weights.json").read_text())["in_use"] == "base"
    assert "sam_tune_answers" in Path("metrics.txt").read_text()
