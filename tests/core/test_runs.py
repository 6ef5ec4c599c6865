"""Trainings from the command line: what they leave behind, and how they go on."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from napari_sam_tune.cli import app
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import LOSSES, TrainConfig
from napari_sam_tune.core.errors import SamTuneError, TrainingError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.checkpoints import load_base, load_model
from napari_sam_tune.core.models.starter import set_image_size
from napari_sam_tune.core.models.weights_file import read_weights
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.rounds.run import enter, train
from napari_sam_tune.core.storage.embeddings import EmbeddingCache
from napari_sam_tune.core.training.course import Course
from napari_sam_tune.core.training.examples import Example
from napari_sam_tune.core.training.job import DivergedError
from napari_sam_tune.core.training.settings import commented, read_config, with_settings
from napari_sam_tune.core.training.targets import at_points
from napari_sam_tune.core.training.world import own_device

pytestmark = pytest.mark.usefixtures("at_128_px")

TINY = TrainConfig.for_a_run().model_copy(
    update={
        "steps": 2,
        "batch_size": 2,
        "corrections": 1,
        "judge_objects": 1,
        "look_objects": 1,
        "look_every": 2,
        "robot_clicks": 2,
        "zoom_share": 0.0,
    }
)
FEW = [
    f"--set={name}={getattr(TINY, name)}"
    for name in ("corrections", "judge_objects", "look_objects", "robot_clicks")
]
CONFIGS = {
    "decoder": ["parts=decoder"],
    "decoder without the IoU head, mse": ["parts=decoder_without_iou", "loss=mse"],
    "prompt encoder, sgd": ["parts=prompt_encoder", "optimizer=sgd", "learning_rate=1e-2"],
    "neck, bce": ["parts=neck", "loss=bce", "schedule=plateau"],
    "norms, adam": ["parts=norms", "optimizer=adam", "schedule=constant"],
    "whole, points": ["parts=whole", "loss_points=64", "schedule=step"],
    "lora, dice_ce": ["parts=lora", "lora.rank=4", "loss=dice_ce"],
    "late lora and decoder": [
        "parts=lora,decoder",
        "lora.blocks=1",
        "lora.alpha=8",
        "lora.dropout=.1",
        "lora.targets=q,k,v,mlp",
        "part_settings={lora: {learning_rate: 1e-3}}",
    ],
}


def discs(project, images=3):
    """Grey images with a bright disc each; the last is held out."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:90, :120]
    for number in range(images):
        image = rng.normal(90, 5, (90, 120)).clip(0, 255).astype(np.uint8)
        y, x = rng.integers(30, 60), rng.integers(30, 90)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < 15**2
        image[disc] += 80
        name = f"{number}.png"
        key = content_hash(image)
        project.add_image(name, shape=(90, 120), content_hash=key, array=image, group=name)
        project.add(NewAnnotation(name, disc, "disc", (Prompt([(x, y)], [1]),)))
    return project


@pytest.fixture(scope="module")
def base(tmp_path_factory, at_128_px):
    """The starter, as a file of its own."""
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_file(load_model("starter").sam.state_dict(), path)
    return load_model(path).ref


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, base):
    """A project whose images were encoded by the base model."""
    made = discs(Project.open(tmp_path_factory.mktemp("encoded") / "p"))
    made.set_base(base)
    assert {a.split for a in made.annotations()} == {"train", "held_out"}
    predictor, cache = Predictor(load_base(base)), EmbeddingCache(made.embeddings_path)
    for record in made.images():
        embedding = predictor.encode(made.read_image(record.id)).embedding
        cache.put(predictor.weights.encoder_key, record.content_hash, embedding)
    return made.path


@pytest.fixture
def project(tmp_path, encoded):
    return Project.open(shutil.copytree(encoded, tmp_path / "p"))


def ended(training):
    """Run a training to its end."""
    while True:
        try:
            next(training)
        except StopIteration as end:
            return end.value


def drawn(predictor):
    """A number that says what the model draws for a click, to the last bit."""
    image = np.random.default_rng(1).integers(0, 255, (90, 120), dtype=np.uint8)
    set_image_size(predictor.sam, 128)
    predictor.set_image(image)
    proposal = predictor.propose(Prompt([(60, 40)], [1]))
    return content_hash(np.ascontiguousarray(proposal.logits))


FRESH = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_runs import drawn
from napari_sam_tune.core.models.checkpoints import load_model
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.models.weights_file import read_weights
said = {}
for path in sys.argv[3:]:
    predictor = Predictor(load_model(sys.argv[2]))
    predictor.weights.load(read_weights(path)[0], "run")
    said[path] = drawn(predictor)
print(json.dumps(said))
"""


def test_every_way_of_training_draws_the_same_in_a_fresh_process(project, tmp_path, request):
    here = {}
    for name, settings in CONFIGS.items():
        out = tmp_path / name
        result = ended(train(project, out, with_settings(TINY, settings), device="cpu"))
        predictor = Predictor(load_base(project.base))
        tensors, info = read_weights(result.weights)
        predictor.weights.load(tensors, "run")
        here[str(result.weights)] = drawn(predictor)
        assert result.candidate.steps == len(info["losses"]) == 2
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, 2]
        assert read_config(out / "config.yaml") == with_settings(TINY, settings)
    assert len(set(here.values())) == len(CONFIGS), "two ways of training came to the same"
    command = [sys.executable, "-c", FRESH, str(request.path.parent), project.base.name, *here]
    fresh = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(fresh.splitlines()[-1]) == here


def test_a_run_interrupted_and_resumed_equals_one_that_was_not(project, tmp_path):
    config = with_settings(TINY, ["steps=4", "look_every=2", "parts=lora,decoder"])
    whole = ended(train(project, tmp_path / "whole", config, device="cpu"))
    training = train(project, tmp_path / "torn", config, device="cpu")
    while (step := next(training)).phase != "training" or step.step < 3:
        pass
    training.close()  # between two looks: the third step is done again
    with pytest.raises(TrainingError, match="--resume"):
        ended(train(project, tmp_path / "torn", config, device="cpu"))
    other = with_settings(config, ["learning_rate=.1"])
    with pytest.raises(TrainingError, match=r"learning_rate was 0\.0002, is 0\.1"):
        ended(train(project, tmp_path / "torn", other, resume=True, device="cpu"))
    torn = ended(train(project, tmp_path / "torn", config, resume=True, device="cpu"))
    assert torn.candidate.losses == whole.candidate.losses
    once, again = load_file(whole.weights), load_file(torn.weights)
    assert once.keys() == again.keys()
    assert all(torch.equal(once[name], again[name]) for name in once)
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("whole", "torn")]
    assert logs[0] == logs[1]


@pytest.fixture
def own_signals():
    """Put back what torchrun, which means to be the whole process, does with signals."""
    names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.usefixtures("own_signals")
def test_two_processes_learn_what_one_does(project, tmp_path, monkeypatch):
    command = ["train", str(project.path), "--device", "cpu", *FEW, "--set", "steps=3"]
    command += ["--set", "parts=decoder", "--set", "look_every=2"]
    one = [*command, "--processes", "1", "--out", str(tmp_path / "1")]
    assert CliRunner().invoke(app, one, catch_exceptions=False).exit_code == 0
    two = [*command, "--processes", "2", "--out", str(tmp_path / "2")]
    monkeypatch.setattr(sys, "argv", ["napari-sam-tune", *two])  # which it starts again, twice
    app(two, standalone_mode=False)
    losses = [read_weights(tmp_path / n / "weights.safetensors")[1]["losses"] for n in "12"]
    assert losses[0] == pytest.approx(losses[1], abs=2e-4)
    assert len(losses[0]) == 3


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    assert own_device("auto") == "auto"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")  # as torchrun does
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [own_device(asked) for asked in ("auto", "cuda", "cuda:0", "cpu")] == [
        "cuda:1",
        "cuda:1",
        "cuda:0",
        "cpu",
    ]


def test_a_run_enters_the_project_through_the_gate(project, tmp_path):
    decoder = with_settings(TINY, ["parts=decoder"])
    result = ended(train(project, tmp_path / "run", decoder, device="cpu"))
    assert not result.verdict.promote  # one held-out object is too few to judge by
    assert not enter(project, result)
    assert project.current_version == "base"
    assert [info.version for info in project.versions()] == [result.candidate.version]
    better = replace(result, verdict=replace(result.verdict, promote=True))
    assert enter(project, better)
    assert Project.open(project.path).current_version == result.candidate.version
    with pytest.raises(TrainingError, match=f"--start {result.candidate.version}"):
        enter(project, better)
    again = with_settings(TINY, ["parts=lora"])
    version = result.candidate.version
    onward = ended(train(project, tmp_path / "on", again, start=version, device="cpu"))
    tensors = load_file(onward.weights)
    assert set(load_file(result.weights)) < set(tensors), "what was learnt before is lost"


def test_numbers_that_are_not_finite_end_a_run_and_say_where(project, tmp_path):
    config = with_settings(TINY, ["learning_rate=1e15", "parts=decoder", "warmup=0", "clip=1e15"])
    config = with_settings(config, ["look_every=1"])
    with pytest.raises(DivergedError, match=r"step 2 of 2.*latest look"):
        ended(train(project, tmp_path / "run", config, device="cpu"))
    assert (tmp_path / "run" / "weights.safetensors").exists()


def test_a_training_that_learns_nothing_says_so(project, tmp_path):
    config = with_settings(TINY, ["parts=decoder", "learning_rate=1e-30"])
    with pytest.raises(TrainingError, match="changed no weight"):
        ended(train(project, tmp_path / "run", config, device="cpu"))
    config = with_settings(TINY, ["parts=decoder", *(f"loss_weights.{t}=0" for t in LOSSES["bce"])])
    config = with_settings(config, ["loss=bce"])
    with pytest.raises(TrainingError, match="no gradient"):
        ended(train(project, tmp_path / "none", config, device="cpu"))


@pytest.mark.parametrize("wrong", [{"device": "nowhere"}, {"start": "0" * 12}])
def test_what_cannot_begin_leaves_no_run_behind(project, tmp_path, wrong):
    with pytest.raises(SamTuneError):
        ended(train(project, tmp_path / "run", TINY, **{"device": "cpu", **wrong}))
    assert not (tmp_path / "run").exists()


def test_the_command_trains_and_resumes(project, tmp_path):
    out = tmp_path / "run"
    settings = ["--set", "steps=1", "--set", "parts=decoder"]
    command = ["train", str(project.path), "--out", str(out), "--device", "cpu", *FEW, *settings]
    done = CliRunner().invoke(app, [*command, "--tensorboard"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "weights.safetensors" in done.output
    assert list((out / "tensorboard").glob("events*"))
    resumed = ["train", str(project.path), "--out", str(out), "--device", "cpu", "--resume"]
    assert CliRunner().invoke(app, resumed, catch_exceptions=False).exit_code == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["stepz=3"], "there is no key stepz"),
        (["lora.rank=0"], "lora.rank: input should be greater than or equal to 1, not 0"),
        (["optimizer=lion"], "optimizer.*'adamw', 'adam' or 'sgd'"),
        (["steps"], "wants key=value"),
        (["lora=8"], "lora: "),
    ],
)
def test_wrong_keys_and_values_are_refused_by_name(settings, said):
    with pytest.raises(TrainingError, match=said):
        with_settings(TINY, settings)


def test_the_config_that_is_printed_is_the_default_of_a_run(tmp_path):
    printed = CliRunner().invoke(app, ["config"]).stdout
    assert printed == commented(TrainConfig.for_a_run())
    (tmp_path / "c.yaml").write_text(printed)
    assert read_config(tmp_path / "c.yaml") == TrainConfig.for_a_run()
    keys = [line for line in printed.splitlines() if not line.lstrip().startswith("#")]
    comments = [line for line in printed.splitlines() if line.lstrip().startswith("#")]
    assert len(comments) >= len(keys)


def test_settings_that_are_written_as_people_write_them():
    config = with_settings(TINY, ["parts=lora, decoder", "learning_rate=1e-3", "lora.blocks=null"])
    assert config.parts == ("lora", "decoder")
    assert config.learning_rate == 1e-3
    assert config.lora.blocks is None


def test_a_course_falls_lowers_and_gives_up():
    config = with_settings(TINY, ["steps=100", "schedule=plateau", "plateau_looks=2", "patience=4"])
    course = Course(config, losses=[1.0] * 50)
    assert course.look(0.5)
    rates, over = [], []
    for _ in range(4):
        course.look(0.4)
        rates.append(course.rate)
        over.append(course.is_over)
    assert rates == [1.0, 0.5, 0.5, 0.25]
    assert over == [False, False, False, True]
    assert Course(with_settings(config, ["schedule=step"]), losses=[1.0] * 70).rate == 0.1
    assert Course(config, losses=[]).rate == pytest.approx(0.1)


@pytest.mark.parametrize("flips", [(False, False), (True, True)])
def test_points_say_what_the_mask_says(project, flips):
    annotation = project.annotations()[0]
    example = Example(annotation, Frame((0, 0, 90, 120), 128, 32), flips=flips)
    logits = torch.from_numpy(example.target).float() * 20 - 10
    padded = torch.full((1, 1, 32, 32), -10.0)
    padded[0, 0, : logits.shape[0], : logits.shape[1]] = logits
    sampled, wanted = at_points(padded, [example], 500, np.random.default_rng(0))
    agree = (sampled[0, 0, 0] > 0) == (wanted[0, 0] > 0.5)
    assert agree.float().mean() > 0.93  # but for the pixels along the edge
    assert 0.1 < wanted.mean() < 0.6
