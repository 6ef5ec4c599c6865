"""Text and files from anybody are shown as text or refused in a sentence; signals are obeyed."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from accepting import PIXELS, mask_number, open_project
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_sam_tune import cli
from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.errors import (
    CheckpointError,
    MaskError,
    ProjectError,
    PromptError,
    SamTuneError,
    StorageError,
    TrainingError,
)
from napari_sam_tune.core.models.checkpoints import load_model, starter_path
from napari_sam_tune.core.models.weights_file import read_info, read_surfaces, read_weights
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.texts.plain_text import (
    block_in_markdown,
    code_in_markdown,
    from_spreadsheet,
    in_markdown,
    in_spreadsheet,
)
from napari_sam_tune.core.training.settings import read_config, with_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

NASTY = "[/x] \x1b[31m=1+1 | `<b>` $x$ a[b].png"
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and file names")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Image.fromarray(pixels).save(file, format="PNG")


def labelled(folder: Path, name: str = "a.png", label: str = "pore") -> tuple[object, ...]:
    """A folder of one labelled image, as the arguments of an import."""
    mask = np.zeros((40, 50), np.uint8)
    mask[5:20, 5:20] = 255
    save(folder / "images" / name, mask // 2)
    save(folder / "masks" / name, mask)
    manifest = folder / "classes.csv"
    with manifest.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([("stem", "class"), (Path(name).stem, label)])
    where = ("--images", folder / "images", "--masks", folder / "masks")
    return (*where, "--manifest", manifest, "--class-column", "class")


# ---- text is text ----


def test_names_are_printed_as_they_are_and_never_obeyed(tmp_path: Path) -> None:
    done = run("import", tmp_path / "p[/b]", *labelled(tmp_path, "tile[a].png", NASTY))
    assert done.exit_code == 0, done.output
    printed = "".join(c for c in done.output if c not in " \n│")  # a table breaks lines
    assert r"[/x]\x1b[31m=1+1|`<b>`$x$" in printed
    assert "\x1b[31m=" not in done.output
    assert "p[/b]" in printed
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "tile[a]\x1b[2J.png").write_bytes(b"junk")
    (broken / "[red]b.png").write_bytes(b"junk")
    refused = run("embed", broken, "--project", tmp_path / "e")
    printed = "".join(refused.output.split())
    assert r"tile[a]\x1b[2J.png" in printed
    assert "[red]b.png" in printed
    # nothing was encoded, so whoever waits for it is told
    assert refused.exit_code == 1
    assert "None of the 2 images" in str(refused.exception)
    (tmp_path / "empty").mkdir()
    nothing = run("embed", tmp_path / "empty", "--project", tmp_path / "e")
    assert "There is no image in" in str(nothing.exception)


def test_the_door_shows_hints_in_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_the_door(monkeypatch, SamTuneError('pip install "napari-sam-tune[geo]" for \x1b]0;x'), 1)
    assert r'"napari-sam-tune[geo]" for \x1b]0;x' in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["\x1b[31mverb"],
        ["check", "--\x1b[31moption"],
        ["check", "p", "\x1b[31mmore"],
        ["export", "\x1b[31m\u202everb"],
    ],
)
def test_usage_errors_show_what_was_typed_and_obey_none_of_it(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert r"\x1b[31m" in result.output
    assert "\x1b[31m" not in result.output
    assert "\u202e" not in result.output


def test_markdown_and_spreadsheets_show_text_as_it_is() -> None:
    assert in_markdown("a_b *c* [d](e) <f> held_out_") == r"a_b \*c\* \[d\](e) \<f\> held_out\_"
    assert in_markdown("a\n# b") == r"a\\n\# b"
    assert code_in_markdown("a`b``c") == "``` a`b``c ```"
    assert block_in_markdown("x: |\n  ```\n", "yaml") == "````yaml\nx: |\n  ```\n````"
    for text in ("=1+1", "@x", "-1", "'=1", "''+", "plain", "'quoted'", ""):
        cell = in_spreadsheet(text)
        assert cell[:1] not in {"=", "@", "-", "+"}
        assert from_spreadsheet(cell) == text


def test_exported_tables_hold_no_formulas_and_come_back(tmp_path: Path) -> None:
    project = open_project(tmp_path / "p")
    project.add(NewAnnotation("a.png", mask_number(1), "=cmd|'/c calc'!A1"))
    project.set_class("=cmd|'/c calc'!A1", "#ff0000")
    for form, tables in (("table", ["."]), ("labels", ["records.csv"]), ("binary", ["masks.csv"])):
        out = tmp_path / form
        done = run("export", "masks", project.path, "--format", form, "--out", out)
        assert done.exit_code == 0, done.output
        for table in tables:
            text = (out if out.is_file() else out / table).read_text(encoding="utf-8")
            assert "'=cmd" in text
            assert not any(c.startswith("=") for row in csv.reader(text.splitlines()) for c in row)
    back = tmp_path / "back"
    save(tmp_path / "pictures" / "a.png", PIXELS)
    options = ("--format", "labels", "--from", tmp_path / "labels", "--images")
    done = run("import", back, *options, tmp_path / "pictures")
    assert done.exit_code == 0, done.output
    assert list(Project.open(back).classes()) == ["=cmd|'/c calc'!A1"]


# ---- sentences, and nothing half-done ----


@posix
def test_a_file_name_that_is_no_text_is_left_out_by_imports_and_refused_else(
    tmp_path: Path,
) -> None:
    arguments = labelled(tmp_path)
    name = os.fsdecode(b"m\xfcller.png")
    try:
        for folder in ("images", "masks"):
            shutil.copy(tmp_path / folder / "a.png", tmp_path / folder / name)
    except OSError:
        pytest.skip("this file system takes only names in Unicode")
    done = run("import", tmp_path / "p", *arguments[:4])
    assert done.exit_code == 0, done.output
    assert r"m\udcfcller.png” is no text in Unicode" in " ".join(done.output.split())
    assert [record.id for record in Project.open(tmp_path / "p").images()] == ["a.png"]
    for folder in ("images", "masks"):
        (tmp_path / folder / "a.png").unlink()
    refused = run("import", tmp_path / "p2", *arguments[:4])
    assert isinstance(refused.exception, SamTuneError)
    assert not (tmp_path / "p2").exists()
    project = open_project(tmp_path / "own")
    with pytest.raises(ProjectError, match="no text in Unicode"):
        project.register(PIXELS, name)
    assert len(Project.open(project.path).images()) == 1


@pytest.mark.parametrize("label", [{"a": 1}, ["x"], float("nan"), 7, b"x", None, "x\ud800"])
def test_a_class_that_is_no_text_is_refused_before_anything_is_written(
    tmp_path: Path, label: Any
) -> None:
    project = open_project(tmp_path / "p")
    before = sorted(project.path.rglob("*"))
    with pytest.raises(MaskError, match="A class is named by a text"):
        project.add(NewAnnotation("a.png", mask_number(1), label))
    with pytest.raises(MaskError, match="A class is named by a text"):
        project.set_class(label, "#ff0000")
    assert sorted(project.path.rglob("*")) == before


def test_half_a_character_in_a_class_is_refused_before_the_project_is_made(tmp_path: Path) -> None:
    labelled(tmp_path)
    shapes = [{"label": "a\ud800", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"}]
    document = {"imagePath": "a.png", "imageHeight": 40, "imageWidth": 50, "shapes": shapes}
    (tmp_path / "images" / "a.json").write_text(json.dumps(document))
    where = ("--format", "labelme", "--from", tmp_path / "images")
    refused = run("import", tmp_path / "p", *where)
    assert isinstance(refused.exception, SamTuneError), refused.output
    assert "a.png" in str(refused.exception) or "a.json" in str(refused.exception)
    assert not (tmp_path / "p").exists()


NONSENSE: list[dict[str, Any]] = [
    {"points": 5, "labels": [1]},
    {"points": [5], "labels": [1]},
    {"points": [("a", "b")], "labels": [1]},
    {"points": ["12"], "labels": [1]},
    {"points": [(10**400, 1)], "labels": [1]},
    {"points": [(1, 2)], "labels": None},
    {"points": [(1, 2)], "labels": [[1]]},
    {"points": [(1, 2)], "labels": [0.5]},
    {"box": 5},
    {"box": "abcd"},
    {"box": (1, 2, 3, None)},
    {"box": {1: 2}},
    {"box": np.array([1, 2, 3 + 1j, 4])},
]


@pytest.mark.parametrize("said", NONSENSE)
def test_a_prompt_of_nonsense_is_a_prompt_error(said: dict[str, Any]) -> None:
    with pytest.raises(PromptError):
        Prompt(**said)


def test_a_mask_of_nonsense_is_a_mask_error() -> None:
    for mask in ("x", [["a"]], [[1], [2, 3]], [[object()]], [[{}]]):
        with pytest.raises(MaskError):
            Prompt(mask=mask)


CONFIGS = {
    "digits": "steps: 1" + "0" * 400,
    "more digits": "steps: 1" + "0" * 4400,
    "infinite": "learning_rate: .inf",
    "deep": "steps: " + "[" * 1000,
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}{i}: &{n}{i} [{','.join([f'*{m}'] * 9)}]\n" for n, m, i in [("b", "a", "")])
    + "c: &c [*b,*b,*b,*b]\nsteps: [*c,*c,*c,*c]",
    "a date": "steps: 2001-99-99",
    "code": "steps: !!python/object/apply:os.system [x]",
    "half a character": 'parts: ["\\ud800"]',
    "no text": None,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_of_nonsense_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text = CONFIGS[name]
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00x" if text is None else text.encode())
    with pytest.raises(TrainingError) as refused:
        read_config(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 2000
    if text is not None and name not in {"laughs", "half a character"}:
        key, _, value = text.partition(": ")
        with pytest.raises(TrainingError):
            with_settings(TrainConfig.for_a_run(), [f"{key}={value}"])


def test_what_is_logged_is_shown_as_text_and_what_decoders_log_is_not(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def logging_app() -> None:
        logging.getLogger("napari_sam_tune.core").warning("Nothing of %s", "a\x1b[31m.png")
        logging.getLogger("tifffile").error("tag")

    monkeypatch.setattr(cli, "app", logging_app)
    cli.main()
    assert capfd.readouterr().err == "Nothing of a\\x1b[31m.png\n"


class Evil:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, ("evil was here",)


def test_a_pickle_that_would_run_code_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"a": torch.zeros(1)}, "x": Evil()}, "zip.pth")
    for protocol in (2, 4):
        Path(f"{protocol}.pth").write_bytes(pickle.dumps(Evil(), protocol))
    for name in ("zip.pth", "2.pth", "4.pth"):
        with pytest.raises(CheckpointError, match="would run code that is stored in it") as told:
            load_model(name)
        assert "weights_only" not in str(told.value)
    Path("junk.pth").write_bytes(b"\x80\x02}q\x00(\xff")
    with pytest.raises(CheckpointError, match="damaged or another kind of file") as told:
        load_model("junk.pth")
    assert "weights_only" not in str(told.value)
    assert not Path("evil was here").exists()


def test_weights_that_unpack_to_more_than_the_file_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 26))
    with pytest.raises(CheckpointError, match="unpacks to more than the file holds"):
        load_model(path)


@pytest.mark.filterwarnings("ignore")  # torch on tensors of odd kinds
def test_whole_models_of_odd_tensors_are_refused_by_name(tmp_path: Path) -> None:
    state = load_file(starter_path())
    name = next(n for n in state if state[n].ndim == 2 and state[n].is_floating_point())
    own = state[name]
    cycle: dict[str, object] = {}
    cycle["model"] = cycle
    nan = own.clone()
    nan[0, 0] = float("nan")
    odd = {
        "sparse": own.to_sparse(),
        "without numbers": own.to("meta"),
        "complex": own.to(torch.complex64),
        "holds torch.int32": own.int(),
        "not finite": nan,
    }
    path = tmp_path / "odd.pth"
    for why, tensor in odd.items():
        torch.save({**state, name: tensor}, path)
        with pytest.raises(CheckpointError, match=why) as told:
            load_model(path)
        assert name in str(told.value)
    torch.save(cycle, path)
    with pytest.raises(CheckpointError, match="holds no model weights"):
        load_model(path)
    torch.save({name: own}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    head = content.index(b"M\xe9\x03.") + 4  # magic number and version of the protocol
    path.write_bytes(content[:head] + content)
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_model(path)


ODD_INFO = {
    "no JSON": "[[[",
    "a list": "[1]",
    "deep": "[" * 100_000,
    "digits": '{"a": ' + "1" * 5000 + "}",
    "losses": '{"base": {"name": "starter", "sha256": "0"}, "losses": ["a"]}',
    "classes": '{"classes": ["a", 1]}',
    "created": '{"created": "once"}',
}


@pytest.mark.parametrize("name", ODD_INFO)
def test_a_weights_file_that_says_nonsense_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"napari_sam_tune": ODD_INFO[name]})
    for read in (read_info, load_model):
        with pytest.raises(CheckpointError, match=r"w\.safetensors is damaged"):
            read(path)


def test_a_head_that_does_not_say_what_it_finds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"promptless_head.a": torch.zeros(1)}, path, {"napari_sam_tune": '{"images": 1}'})
    with pytest.raises(CheckpointError, match=r"does not say its classes"):
        read_weights(path)


def test_weights_on_themselves_and_on_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    bases = (
        str(path),
        "[/x]",
        "a\0b",
        "a" * 5000,
        "x\ud800",
        "~nobody-of-that-name/x",
        "/dev/null",
    )
    for base in bases:
        info = json.dumps({"base": {"name": base, "sha256": "0"}})
        save_file({"a": torch.zeros(1)}, path, {"napari_sam_tune": info})
        with pytest.raises(CheckpointError) as told:
            load_model(path)
        str(told.value).encode()
    said = {"napari_sam_tune": "{}", "napari_sam_tune_surfaces": '{"a": [1, 2]}'}
    save_file({"a": torch.zeros(1)}, path, said)
    with pytest.raises(CheckpointError, match="surfaces"):
        read_surfaces(path)


# ---- what was saved, and what was not ----


def test_a_file_in_its_place_is_not_called_unsaved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush after the rename fails: the change can be seen, whatever a power cut does to it."""
    from napari_sam_tune.core.storage import durable

    flush = durable.flush_folder

    def refuse(folder: Path) -> None:
        if folder.name in {tmp_path.name, "annotations.zarr"}:
            raise OSError(5, "Input/output error")
        flush(folder)

    project = open_project(tmp_path / "p")
    (tmp_path / "built").write_text("new")
    monkeypatch.setattr(durable, "flush_folder", refuse)
    with (
        pytest.raises(StorageError, match="did not confirm it"),
        durable.replacing_file(tmp_path / "file") as file,
    ):
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    with (
        pytest.raises(StorageError, match=r"The export is in .* did not confirm it"),
        durable.saving("The export", tmp_path),
    ):
        durable.publish_file(tmp_path / "built", tmp_path / "file")
    # a record can be taken back, and is
    with pytest.raises(StorageError, match="was not saved"):
        project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    assert Project.open(project.path).annotations() == []
    # unless the disk refuses that as well
    rename = Path.rename

    def there_only(self: Path, target: Path) -> Path:
        if self.parent.name == "annotations.zarr":
            raise OSError(30, "Read-only file system")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", there_only)
    with pytest.raises(StorageError, match="did not confirm it"):
        project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    assert len(Project.open(project.path).annotations()) == 1


@posix
def test_the_store_of_images_is_in_the_projects_folder_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.open(tmp_path / "p")
    flushed: list[tuple[int, int]] = []
    flush = os.fsync

    def note(descriptor: int) -> None:
        if (project.path / "images.zarr").is_dir():
            found = os.fstat(descriptor)
            flushed.append((found.st_dev, found.st_ino))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    project.register(PIXELS, "a.png")
    folder = project.path.stat()
    assert (folder.st_dev, folder.st_ino) in flushed


# ---- faults and signals at the door ----


def at_the_door(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code


def test_a_fault_of_ours_is_said_in_a_sentence_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    at_the_door(monkeypatch, KeyError("lost \ud800"), 70)
    said = "".join(capsys.readouterr().err.split())
    assert "faultofnapari-sam-tune,notyours(KeyError)" in said
    assert "Traceback" not in said
    (report,) = tmp_path.iterdir()
    assert report.name in said
    assert "in fail" in report.read_text(encoding="utf-8")
    at_the_door(monkeypatch, MemoryError(), 1)
    assert "too little memory" in capsys.readouterr().err


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """Who starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_verb_tidily_and_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    from napari_sam_tune.formats import publishing

    project = open_project(tmp_path / "p")
    project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    before = sorted(tmp_path.rglob("*"))

    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(publishing, "publish_folder", stop)
    arguments = ["export", "masks", str(project.path), "--format", "yolo"]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--out", str(tmp_path / "yolo")])
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 128 + number
    assert "Stopped. Nothing is half-written" in " ".join(capsys.readouterr().err.split())
    assert sorted(tmp_path.rglob("*")) == before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_training_that_is_stopped_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_sam_tune.core.rounds import run as rounds

    open_project(tmp_path / "p")

    def stop(*_: object, **__: object) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        yield

    monkeypatch.setattr(rounds, "train", stop)
    monkeypatch.setattr(
        sys, "argv", ["x", "train", str(tmp_path / "p"), "--out", str(tmp_path / "run")]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert "add --resume" in " ".join(capsys.readouterr().err.split())


# ---- a project that cannot be written to ----


FORBIDDEN: dict[str, str] = {
    "the project": "p",
    "its marker": "p/project.json",
    "its log": "p/log.jsonl",
    "all masks": "p/annotations.zarr",
    "a mask": "p/annotations.zarr/2*",
    "an image": "p/images.zarr/[0-9a-f]*",
    "weights": "p/weights",
    "unfinished": "p/.pending",
    "pictures": "pictures",
    "a picture": "pictures/b.png",
}


@contextlib.contextmanager
def as_anybody() -> Iterator[None]:
    """Let this thread ask for permission, as everybody but root must: see capabilities(7)."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    assert libc.capget(header, sets) == 0
    all_of_them = sets[0]
    sets[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = all_of_them
        assert libc.capset(header, sets) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="root asks for permission on Linux alone")
@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_may_not_be_read_is_said_and_is_no_damage(tmp_path: Path, name: str) -> None:
    project = open_project(tmp_path / "p")
    project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    (tmp_path / "pictures").mkdir()
    picture = tmp_path / "pictures" / "b.png"
    Image.fromarray(PIXELS).save(picture)
    project.register(PIXELS, "b.png", path=picture)
    project.save_weights({"t": torch.ones(3)}, {})
    (place,) = tmp_path.glob(FORBIDDEN[name])
    before = sorted(tmp_path.rglob("*"))
    mode = place.stat().st_mode
    place.chmod(0)
    try:
        with as_anybody():
            assert not os.access(place, os.R_OK, effective_ids=True)
            out = tmp_path / "out"
            tried = [
                run("export", "masks", project.path, "--format", "yolo", "--out", out),
                run("check", project.path, "--repair"),
            ]
    finally:
        place.chmod(mode)
    shutil.rmtree(out, ignore_errors=True)
    for done in tried:
        assert done.exception is None or isinstance(
            done.exception, SamTuneError | PermissionError | SystemExit
        ), done.exception
    assert sorted(tmp_path.rglob("*")) == before
    assert Project.open(project.path).annotations()[0].mask.any()


def test_a_read_only_project_is_looked_at_and_exported(tmp_path: Path) -> None:
    from napari_sam_tune import Predictor, Session

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets the tests mount no small disk")
    try:
        predictor = Predictor.from_checkpoint("starter", device="cpu")
        project = open_project(disk / "p")
        project.set_base(predictor.ref)
        kept = project.add(NewAnnotation("a.png", mask_number(1), "pore"))
        assert project.why_read_only() is None
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run("export", "masks", project.path, "--out", tmp_path / "coco.json")
        assert done.exit_code == 0, done.output
        with Session(Project.open(project.path), predictor) as session:
            assert "Nothing can be saved" in str(session.notice)
            session.open_image(PIXELS, "a.png")
            with pytest.raises(StorageError, match="permissions"):
                session.adopt(mask_number(2), "pore")
            assert session.project.annotations() == [kept]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_record_of_nonsense_is_refused_by_name(tmp_path: Path) -> None:
    project = open_project(tmp_path / "p")
    kept = project.add(NewAnnotation("a.png", mask_number(1), "pore"))
    path = project.path / "annotations.zarr" / kept.id / "zarr.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    nonsense = {
        "label": [{"a": 1}, "\ud800"],
        "shape": [[10**400, 5], [5.5, 5], "ab", [-1, 5]],
        "bbox": [[0, 0, 10**400, 5]],
        "area": [10**400, None],
        "created": [10**400, "now", float("nan")],
        "effort": [5, {"clicks": 10**400}, {"clicks": "many"}],
        "predicted_iou": ["high"],
        "image_id": [{"a": 1}],
        "split": [7],
    }
    for name, values in nonsense.items():
        for value in values:
            odd = {**whole, "attributes": {**whole["attributes"], name: value}}
            path.write_text(json.dumps(odd), encoding="utf-8")
            with pytest.raises(ProjectError, match=kept.id):
                Project.open(project.path)
