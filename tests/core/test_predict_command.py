"""`predict` as it is used: images and prompts in, masks and overlays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from tuned_files import CENTRES, disc_image, save_image, write_blind, write_shifted
from typer.testing import CliRunner

from napari_sam_tune import Predictor, Prompt
from napari_sam_tune.cli import app
from napari_sam_tune.core.batch import predict as prediction
from napari_sam_tune.core.errors import SamTuneError
from napari_sam_tune.formats.predictions import mask_picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("at_128_px")

BOX, POINT = "14,18,46,50", "92,40"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(2):
        save_image(tmp_path / "images" / f"im {number}.png", disc_image(number))
    return tmp_path / "images"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(
        app, ["predict", *map(str, arguments), "--device", "cpu"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_folder_in_folder_out_with_the_base_model_beside(images: Path, tmp_path: Path) -> None:
    weights = write_blind(tmp_path / "blind.safetensors")
    out = tmp_path / "out"
    asked = ("--box", BOX, "--point", POINT, "--baseline")
    printed = run(images, "--weights", weights, *asked, "--out", out)
    names = [f"im {n}{of}_{what}.png" for n in (0, 1) for of in ("", "_base")
             for what in ("mask", "overlay")]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert "tuned, box 14,18,46,50: predicted IoU" in printed
    assert "base, point 92,40: predicted IoU" in printed

    predictor = Predictor.from_checkpoint("starter", "cpu")
    predictor.set_image(disc_image(1))
    boxed = predictor.propose(Prompt(box=(14, 18, 46, 50))).mask
    clicked = predictor.propose(Prompt(points=((92, 40),), labels=(1,))).mask
    labels = read(out / "im 1_base_mask.png")
    np.testing.assert_array_equal(labels, np.where(clicked, 2, np.where(boxed, 1, 0)))
    assert set(np.unique(labels)) == {0, 1, 2}
    assert not read(out / "im 1_mask.png").any()  # these weights see nothing

    overlay = read(out / "im 1_base_overlay.png")
    assert overlay.shape == (128, 128, 3)
    changed = (overlay != disc_image(1)[..., None]).any(axis=-1)
    np.testing.assert_array_equal(changed, labels > 0)

    with pytest.raises(FileExistsError, match="--overwrite"):
        run(images, "--weights", weights, *asked, "--out", out)
    run(images / "im 1.png", "--box", BOX, "--out", out, "--overwrite")  # the base model alone
    np.testing.assert_array_equal(read(out / "im 1_mask.png"), boxed * 255)


def test_auto_finds_objects_without_a_prompt(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "_POINTS_PER_SIDE", 6)  # 144 points take long on one core
    weights = write_shifted(tmp_path / "sure.safetensors", 0.5)  # sure of whatever it draws
    out = tmp_path / "out"
    printed = run(images / "im 0.png", "--weights", weights, "--auto", "--out", out)
    assert "tuned, found 1: predicted IoU" in printed
    labels = read(out / "im 0_mask.png")
    x, y, *_ = CENTRES[0]
    assert labels[y, x] > 0
    assert (out / "im 0_overlay.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--box", "1,2,3"), "'1,2,3' is not four numbers"),
        (("--box", "1,2,3,four"), "not four numbers"),
        (("--box", "50,10,20,40"), "reversed"),
        (("--box", "5,5,5,40"), "no area"),
        (("--box", "300,300,320,330"), "im 0.png: The box .*outside the image, which is 128 wide"),
        (("--point", "12"), "not two numbers"),
        (("--point", "200,3"), "im 0.png: The point .*outside"),
        (("--point", "nan,3"), "not finite"),
        ((), "Say what to draw"),
        (("--auto", "--point", "3,3"), "Say what to draw"),
        (("--point", "3,3", "--baseline"), "give --weights"),
        (("--point", "3,3", "--weights", "gone.pth"), "There is no weights file gone.pth"),
        (("--point", "3,3", "--weights", "gone.pth", "--cluster", "local:1"), "gone.pth cannot"),
    ],
)
def test_bad_requests_say_so_by_name_and_write_nothing(
    images: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SamTuneError, match=said):
        run(images, *arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_told_apart_or_read(images: Path, tmp_path: Path) -> None:
    def fails(*given: object) -> str:
        with pytest.raises(SamTuneError) as caught:
            run(*given, "--point", "3,3", "--out", tmp_path / "out")
        return str(caught.value)

    twin = save_image(tmp_path / "im 0.tif", disc_image(0))
    assert "the same name for their masks" in fails(images / "im 0.png", twin)
    assert "no image file" in fails(tmp_path / "gone.png")
    (tmp_path / "empty").mkdir()
    assert "There is no image in" in fails(tmp_path / "empty")


def test_what_cannot_be_predicted_is_left_out_and_named(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    save_image(tmp_path / "im 0.tif", disc_image(0))
    (images / "torn.png").write_bytes((images / "im 1.png").read_bytes()[:60])
    tifffile.imwrite(
        images / "stack.tif", np.zeros((6, 40, 50), np.uint8), photometric="minisblack"
    )
    arguments = ["predict", images, tmp_path / "im 0.tif", "--point", POINT, "--out", out]
    for strict in ([], ["--strict", "--overwrite"]):
        given = [*map(str, arguments), "--device", "cpu", *strict]
        result = CliRunner().invoke(app, given, catch_exceptions=False)
        assert result.exit_code == bool(strict)
        said = " ".join(result.output.split())
        assert "Left out: 4 × image that cannot be taken" in said
        unbroken = "".join(said.split())  # a line may end within a name
        for name in ("torn.png", "stack.tif", "im0.png", "im0.tif"):
            assert name in unbroken
        assert sorted(path.name for path in out.iterdir()) == ["im 1_mask.png", "im 1_overlay.png"]


def test_a_second_run_into_the_images_folder_asks_about_the_images_alone(images: Path) -> None:
    for more in ((), ("--overwrite",)):
        run(images, "--point", POINT, "--out", images, *more)
        assert len(list(images.iterdir())) == 6  # two images, their masks and overlays


def test_many_objects_need_sixteen_bits() -> None:
    masks = list(np.eye(400, dtype=bool).reshape(400, 20, 20))
    picture = np.asarray(mask_picture(masks, (20, 20)))
    assert picture.dtype == np.uint16
    np.testing.assert_array_equal(picture.ravel(), np.arange(1, 401))
    assert not np.asarray(mask_picture([], (3, 4))).any()
