import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam_tune.core.answers.chain import UNGUIDED
from napari_sam_tune.core.answers.predictor import Predictor
from napari_sam_tune.core.config import LOSSES, TrainConfig
from napari_sam_tune.core.errors import OutOfMemory, TrainingError
from napari_sam_tune.core.geometry.frame import Frame
from napari_sam_tune.core.geometry.windows import whole
from napari_sam_tune.core.images.files import content_hash
from napari_sam_tune.core.models.base import BaseRef
from napari_sam_tune.core.models.checkpoints import LoadedModel
from napari_sam_tune.core.models.network import TOP_LEFT
from napari_sam_tune.core.models.starter import build_starter
from napari_sam_tune.core.models.weights_file import read_surfaces, read_weights
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.prompts import Prompt
from napari_sam_tune.core.storage.embeddings import EmbeddingCache
from napari_sam_tune.core.training import lesson
from napari_sam_tune.core.training.decoder import answer
from napari_sam_tune.core.training.examples import Example, tokens_of
from napari_sam_tune.core.training.fit import fit
from napari_sam_tune.core.training.job import DivergedError, TrainingJob
from napari_sam_tune.core.training.loss import prompt_loss

BASE = BaseRef("tiny", "7" * 64)
WHOLE = TrainConfig(
    steps=3, batch_size=4, look_every=2, corrections=2, robot_clicks=2, look_objects=2
)
SHORT = WHOLE.model_copy(update={"parts": ("mask_decoder",)})


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LoadedModel(build_starter(128), BASE, "starter")


@pytest.fixture
def project(tmp_path):
    """Six grey images with a bright disc and a thin scratch each, clicked by a person."""
    project = Project.open(tmp_path / "p.project")
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:90, :120]
    for number in range(6):
        image = rng.normal(90, 5, (90, 120)).clip(0, 255).astype(np.uint8)
        y, x = rng.integers(30, 60), rng.integers(30, 90)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < 15**2
        scratch = np.zeros_like(disc)
        scratch[5, 10:110] = True
        image[disc | scratch] += 80
        name = f"{number}.png"
        project.add_image(name, shape=(90, 120), content_hash=content_hash(image), array=image)
        clicks = Prompt(points=[(x, y), (x + 20, y)], labels=[1, 0])
        boxed = Prompt(box=(9, 4, 110, 6))
        project.add(NewAnnotation(name, disc, "disc", (Prompt([(x, y)], [1]), clicks)))
        project.add(NewAnnotation(name, scratch, "scratch", (boxed,)))
    return project


def job_for(project, config=SHORT, parent="base", judges=4, **how):
    ids = [annotation.id for annotation in project.annotations()]
    train, judge = ids[: len(ids) - judges], ids[len(ids) - judges :]
    return TrainingJob(
        str(project.path), BASE, parent, tuple(train), tuple(judge), config, "cpu", **how
    )


def run(job, model, **how):
    """Return the candidate and all progress."""
    seen = []
    steps = fit(job, model=model, **how)
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def state(model):
    return {name: tensor.clone() for name, tensor in model.sam.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- loss and targets ----


@pytest.mark.parametrize("logit", [-8.0, 8.0])
@pytest.mark.parametrize("ambiguous", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_there_is_a_gradient_where_all_is_missed_and_where_all_is_hit(name, logit, ambiguous):
    logits = torch.full((1, 4, 16, 16), logit, requires_grad=True)
    targets = torch.zeros(1, 16, 16)
    targets[:, 4:8, 4:8] = 1
    loss = prompt_loss(logits, torch.zeros(1, 4), targets, torch.tensor([ambiguous]), LOSSES[name])
    loss.sum().backward()
    assert logits.grad.abs().max() > 1e-6
    offered = slice(1, 4) if ambiguous else slice(0, 1)
    assert logits.grad[0, offered].abs().sum() == pytest.approx(float(logits.grad.abs().sum()))


def test_the_best_mask_and_the_one_shown_are_drawn_better_and_all_learn_how_good_they_are():
    targets = torch.zeros(1, 16, 16)
    targets[:, 4:8, 4:8] = 1
    logits = torch.full((1, 4, 16, 16), -4.0)
    logits[0, 2] = targets[0] * 8 - 4  # the second of the three is right
    logits.requires_grad_()
    ious = torch.tensor([[0.5, 0.5, 0.5, 0.6]], requires_grad=True)  # the third is shown
    prompt_loss(logits, ious, targets, torch.tensor([True]), LOSSES["mse"]).sum().backward()
    drawn_better = logits.grad[0].abs().sum((1, 2)) > 0
    assert drawn_better.tolist() == [False, False, True, True]
    assert torch.sign(ious.grad[0]).tolist() == [0, 1, -1, 1]


@pytest.mark.parametrize("shape", [(64, 64), (3000, 2000), (17, 900), (1, 1), (1, 5000)])
def test_one_pixel_keeps_a_target_wherever_it_is(shape, model):
    frame = Predictor(model).encoder.frame(whole(shape))
    for y, x in [(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 3)]:
        target = frame.target(np.ones((1, 1), bool), (y, x, y + 1, x + 1))
        assert target.shape == frame.valid
        assert target.max() == pytest.approx(1.0)


def test_thick_objects_keep_their_edges_and_thin_ones_count_fully():
    frame = Frame((0, 0, 400, 300), 128, 64)
    mask = np.zeros((400, 300), bool)
    mask[100:300, 50:250] = True
    bbox = (100, 50, 300, 250)
    target = frame.target(mask[100:300, 50:250], bbox)
    cells = 400 / 64
    assert target.sum() == pytest.approx(200 * 200 / cells**2, rel=0.02)
    line = frame.target(np.ones((1, 200), bool), (100, 50, 101, 250))
    assert (line == 1).sum() >= 30


def test_masks_are_drawn_as_segment_anything_draws_them(model):
    frame = Frame((0, 0, 333, 250), 128, 64)
    logits = torch.nn.functional.interpolate(torch.randn(1, 1, 7, 7), 64, mode="bicubic")
    logits[..., 40:, :] = -5
    theirs = model.sam.postprocess_masks(logits, frame.input, frame.shape)[0, 0].numpy() > 0
    low = logits[0, 0].numpy()
    y0, x0, y1, x1 = frame.box_of(low, (200, 100, 210, 110))
    inside = frame.drawn_in(low, (y0, x0, y1, x1))
    assert np.count_nonzero(inside != theirs[y0:y1, x0:x1]) <= 2  # rounding
    assert np.count_nonzero(inside) == pytest.approx(np.count_nonzero(theirs), abs=2)
    assert y1 < 333


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([(40, 30)], [1]),
        Prompt([(40, 30), (10, 12), (7, 7)], [1, 0, 1]),
        Prompt(box=(5, 6, 50, 60)),
        Prompt([(40, 30)], [0], box=(5, 6, 50, 60)),
    ],
)
def test_prompts_are_answered_as_the_predictor_answers_them(model, prompt):
    predictor = Predictor(model)
    image = np.random.default_rng(0).integers(0, 255, (90, 120), np.uint8)
    embedding = predictor.encode(image).embedding
    predictor.set_image(image, embedding)
    features = torch.from_numpy(embedding.features).float()[None]
    positions = model.network.positions()
    frame = predictor.encoder.frame((0, 0, 90, 120))
    tokens = [tokens_of(prompt, frame)]
    first = predictor.propose(prompt, refiners=UNGUIDED)
    with torch.no_grad():
        ours = answer(model.network, features, positions, frame, tokens)
        torch.testing.assert_close(ours.chosen()[0], torch.from_numpy(first.logits[0]))
        assert bool(ours.ambiguous[0]) == (len(first.candidates) == 3)
        again = answer(model.network, features, positions, frame, tokens, ours.chosen()[:, None])
    second = predictor.propose(prompt, previous=first, refiners=UNGUIDED)
    torch.testing.assert_close(
        again.chosen()[0], torch.from_numpy(second.logits[0]), rtol=1e-3, atol=1e-3
    )


# ---- the loop ----


def test_a_round_saves_a_candidate_and_gives_the_model_back(project, model):
    before = state(model)
    candidate, seen = run(job_for(project), model)
    assert same(state(model), before)
    assert all(p.requires_grad for p in model.sam.parameters())
    tensors, info = read_weights(project.weights_path(candidate.version))
    assert {name.partition(".")[0] for name in tensors} == {"mask_decoder"}
    assert any("iou_prediction_head" in name for name in tensors)
    assert info["base"]["sha256"] == BASE.sha256
    assert info["parent"] == "base"
    assert project.current_version == "base"
    assert len(candidate.losses) == candidate.steps == 3
    # 4 objects, each asked about with a point and a box and by a robot
    assert len(candidate.scores) == len(set(candidate.scores)) == 4 * 3
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases == ["loading", "encoding", "judging", "training"]
    assert seen[-1].phase == "judging"
    left = [progress.seconds_left for progress in seen if progress.phase == "encoding"]
    assert left[0] > left[-1] == 0
    assert any(progress.held_out is not None for progress in seen)
    _, again = run(job_for(project), model)
    assert "encoding" not in {progress.phase for progress in again}


def test_the_first_step_changes_every_part_of_the_decoder(project, model):
    config = SHORT.model_copy(update={"steps": 1, "batch_size": 12})
    candidate, _ = run(job_for(project, config), model)
    tensors, _ = read_weights(project.weights_path(candidate.version))
    base = model.sam.state_dict()
    unchanged = [name for name in tensors if torch.equal(tensors[name], base[name])]
    # A key's bias cancels in the softmax: its gradient is zero but for rounding. Of the three masks
    # of a point only the best learns to draw.
    spared = re.compile(r"k_proj\.bias|output_hypernetworks_mlps\.[123]")
    assert [name for name in unchanged if not spared.search(name)] == []


def test_learning_one_image_by_heart_takes_the_loss_to_the_floor(project, model):
    first = project.annotations("0.png")
    how = {"steps": 60, "learning_rate": 2e-3, "base_share": 0, "correction_share": 0}
    config = SHORT.model_copy(update=how | {"prompts_per_mask": 1000})
    job = TrainingJob(str(project.path), BASE, "base", tuple(a.id for a in first), (), config)
    candidate, _ = run(replace(job, device="cpu"), model)
    assert np.mean(candidate.losses[-5:]) < 0.25 * np.mean(candidate.losses[:5])


def test_a_round_on_few_masks_is_short(project, model):
    config = SHORT.model_copy(update={"steps": 50, "prompts_per_mask": 2})
    candidate, seen = run(job_for(project, config), model)
    assert candidate.steps == len(candidate.losses) == 4  # eight masks, four prompts a step
    assert {p.steps for p in seen if p.phase == "training"} == {4}


def test_the_same_job_makes_the_same_weights_and_another_seed_others(project, model):
    first, _ = run(job_for(project), model)
    second, _ = run(job_for(project), model)
    other, _ = run(job_for(project, SHORT.model_copy(update={"seed": 1})), model)
    assert first.version == second.version
    assert first.scores == second.scores
    assert first.version != other.version


@pytest.mark.parametrize("config", [SHORT, WHOLE])
def test_calls_side_by_side_make_what_one_after_the_other_makes(project, model, config):
    alone, _ = run(job_for(project, config, threads=1), model)
    beside, _ = run(job_for(project, config, threads=2), model)  # a thread each
    assert beside.version == alone.version
    assert beside.scores == alone.scores
    assert beside.losses == alone.losses


def test_held_out_objects_judge_and_never_train(project, model):
    """What is held out has no influence on the weights: delete it, and they stay the same."""
    job = job_for(project)
    before, _ = run(job, model)
    assert {score.annotation_id for score in before.scores} == set(job.judge_ids)
    for annotation_id in job.judge_ids:
        project.delete(annotation_id)
    after, _ = run(job, model)
    assert after.scores == ()
    assert after.version == before.version
    with pytest.raises(TrainingError, match="both to train and to judge"):
        replace(job, judge_ids=job.train_ids[:1])


def test_the_persons_real_prompts_are_used(project, model):
    used = {}
    for share in (0.0, 1.0):
        config = SHORT.model_copy(update={"real_prompt_share": share})
        candidate, _ = run(job_for(project, config), model)
        _, info = read_weights(project.weights_path(candidate.version))
        used[share] = info["prompts"]["real"]
        assert info["prompts"]["simulated"] == 12 - used[share]
    assert used[0.0] == 0
    assert used[1.0] >= 6


def test_the_next_round_goes_on_from_where_training_was_before_it_was_averaged(project, model):
    first, _ = run(job_for(project), model)
    learnt = 1 - SHORT.base_share
    held = SHORT.model_copy(update={"learning_rate": 1e-12, "base_share": 0})
    tensors, _ = read_weights(project.weights_path(first.version))
    base = model.sam.state_dict()
    for how in ({"parent": first.version}, {"go_on_from": first.version}):
        second, _ = run(job_for(project, held, **how), model)
        followed, info = read_weights(project.weights_path(second.version))
        assert info["parent"] == how.get("parent", "base")
        assert info["went_on_from"] == first.version
        for name, tensor in tensors.items():
            moved = followed[name] - base[name]
            torch.testing.assert_close(moved, (tensor - base[name]) / learnt, atol=1e-5, rtol=1e-4)
        # the weights in use are what is judged against, not those gone on from
        in_use = [s.candidate if "parent" in how else s.current for s in first.scores]
        assert [s.current for s in second.scores] == pytest.approx(in_use, abs=1e-6)
    # all base and nothing learnt is the base
    back = held.model_copy(update={"base_share": 0.999999})
    third, _ = run(job_for(project, back, parent=first.version), model)
    returned, _ = read_weights(project.weights_path(third.version))
    assert max((returned[n] - base[n]).abs().max() for n in returned) < 1e-6


@pytest.mark.parametrize("parts", [("mask_decoder",), ("image_encoder", "mask_decoder")])
def test_on_a_new_surface_a_candidate_is_compared_with_the_base_that_answers_there(
    project, model, parts
):
    learning = SHORT.model_copy(update={"parts": parts, "learning_rate": 5e-3, "base_share": 0})
    first, _ = run(job_for(project, learning), model)
    grain = np.random.default_rng(1).integers(0, 255, (90, 120), dtype=np.uint8)
    project.add_image("grain.png", shape=(90, 120), content_hash=content_hash(grain), array=grain)
    corner = np.zeros((90, 120), bool)
    corner[:20, :30] = True
    project.add(NewAnnotation("grain.png", corner, "corner"))  # the last, so it judges
    # nothing is learnt, and what was is averaged away: the candidate is the base
    base = learning.model_copy(update={"learning_rate": 1e-12, "base_share": 1 - 1e-15})
    second, _ = run(replace(job_for(project, base), parent=first.version), model)
    apart = {
        is_new: [
            abs(s.current - s.candidate) for s in second.scores if is_new == (s.label == "corner")
        ]
        for is_new in (True, False)
    }
    # by the median: bf16, where that is faster, may tip a part of one answer in or out
    assert np.median(apart[True]) < 0.01 < max(apart[False])
    # the candidate is for both
    described = read_surfaces(project.weights_path(second.version)).descriptions
    assert (
        len(described) == len(read_surfaces(project.weights_path(first.version)).descriptions) + 1
    )


def test_a_loss_that_is_not_a_number_saves_nothing(project, model):
    before = state(model)
    with torch.no_grad():
        model.sam.prompt_encoder.no_mask_embed.weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match="The weights in use stay"):
        run(job_for(project, judges=0), model)
    assert project.versions() == []
    del before["prompt_encoder.no_mask_embed.weight"]
    after = state(model)
    del after["prompt_encoder.no_mask_embed.weight"]
    assert same(after, before)


@pytest.mark.parametrize("at", [1, 8, 20, 27])
def test_a_round_can_be_stopped_between_micro_steps(project, model, at):
    class StoppedError(Exception):
        pass

    calls = iter(range(1000))

    def checkpoint():
        if next(calls) == at:
            raise StoppedError

    before = state(model)
    with pytest.raises(StoppedError):
        run(job_for(project), model, checkpoint=checkpoint)
    assert project.versions() == []
    assert same(state(model), before)


def test_closing_the_generator_gives_the_model_back(project, model):
    before, threads = state(model), torch.get_num_threads()
    steps = fit(replace(job_for(project, judges=0), threads=2), model=model)
    while next(steps).phase != "training":
        pass
    next(steps)
    assert not same(state(model), before)
    steps.close()
    assert same(state(model), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("room", [1, 0])
def test_out_of_memory_halves_the_batch_and_then_says_what_to_do(project, model, monkeypatch, room):
    sizes = []

    def scarce(network, features, positions, frame, prompts, *masks):
        sizes.append(len(prompts))
        if len(prompts) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return answer(network, features, positions, frame, prompts, *masks)

    monkeypatch.setattr(lesson, "answer", scarce)
    if room:
        candidate, _ = run(job_for(project), model)
        assert candidate.steps == 3
        assert max(sizes) > 1
        assert sizes[-1] == 1
    else:
        with pytest.raises(OutOfMemory, match="on the CPU"):
            run(job_for(project), model)
        assert project.versions() == []


def test_only_the_parts_asked_for_learn(project, model):
    head = "mask_decoder.iou_prediction_head"
    candidate, _ = run(job_for(project, SHORT.model_copy(update={"parts": (head,)})), model)
    tensors, _ = read_weights(project.weights_path(candidate.version))
    assert all(name.startswith(head) for name in tensors)
    with pytest.raises(TrainingError, match="no part “decodr”"):
        run(job_for(project, SHORT.model_copy(update={"parts": ("decodr",)})), model)


def test_a_light_encoder_learns_too_and_is_judged_like_any_other(project, model):
    before = state(model)
    job = replace(job_for(project, WHOLE), open_image_id="0.png")
    first, _ = run(job, model)
    assert same(state(model), before)
    tensors, info = read_weights(project.weights_path(first.version))
    assert info["parts"] == ["image_encoder", "prompt_encoder", "mask_decoder"]
    changed = {n for n in tensors if not torch.equal(tensors[n], before[n])}
    assert {"image_encoder.stage2.0.weight", "image_encoder.neck.2.weight"} <= changed
    # the next round sees the weights in use through the cache, this one saw them while learning,
    # in bf16 where that is faster
    held = WHOLE.model_copy(update={"learning_rate": 1e-12, "base_share": 0})
    second, _ = run(replace(job, parent=first.version, config=held), model)
    judged = [s.candidate for s in first.scores]
    apart = np.abs(np.subtract([s.current for s in second.scores], judged))
    learnt = np.abs([s.candidate - s.current for s in first.scores])
    # one click of the robot may fall elsewhere, and its whole walk with it
    assert np.median(apart) < 0.005 < np.median(learnt)
    # the person's image is ready for the swap
    predictor = Predictor(model)
    predictor.weights.load(tensors, first.version)
    cache = EmbeddingCache(project.path / "embeddings.zarr")
    record = project.image("0.png")
    embedding = cache.get(predictor.weights.encoder_key, record.content_hash)
    fresh = predictor.encode(project.read_image("0.png")).embedding
    np.testing.assert_array_equal(embedding.features, fresh.features)
    assert embedding.input_size == fresh.input_size
    predictor.weights.load_base()


def test_an_open_image_that_is_gone_costs_no_round(project, model, tmp_path, caplog):
    gone = tmp_path / "gone.png"
    gone.write_bytes(b"")
    project.add_image("gone.png", shape=(90, 120), content_hash="0" * 64, path=gone)
    gone.unlink()
    candidate, _ = run(replace(job_for(project, WHOLE), open_image_id="gone.png"), model)
    assert candidate.version in {v.version for v in project.versions()}
    assert "could not be encoded" in caplog.text


@pytest.mark.parametrize("flips", [(True, False), (False, True), (True, True)])
def test_a_flipped_example_is_the_example_of_the_flipped_image(project, model, flips):
    axes = [axis for axis, flip in enumerate(flips) if flip]
    for annotation in project.annotations("1.png"):
        example = Example(annotation, Predictor(model).encoder.frame((0, 0, 90, 120)))
        turned = replace(example, flips=flips)
        expected = np.flip(example.target, axes)
        np.testing.assert_allclose(turned.target, expected, atol=1e-3)
        last = example.frame.to_input((119, 89))
        for plain, mirrored in zip(example.real_prompts, turned.real_prompts, strict=True):
            back = np.where(flips[::-1], last - mirrored.coords, mirrored.coords)
            if mirrored.kinds[0] == TOP_LEFT:
                assert (mirrored.coords[1] >= mirrored.coords[0]).all()
                back[:2] = np.sort(back[:2], axis=0)
            np.testing.assert_allclose(back, plain.coords, atol=1e-4)


def test_another_base_model_is_refused(project, model):
    other = LoadedModel(model.sam, BaseRef("tiny", "8" * 64), "starter")
    with pytest.raises(TrainingError, match="file has changed"):
        run(job_for(project), other)
