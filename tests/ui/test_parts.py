"""Parts of the dock that need no window: layers on a ViewerModel, keys, queue, thread, words."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.shortcuts import default_shortcuts
from npe2 import PluginManifest

from napari_sam_tune.core.config import GateConfig
from napari_sam_tune.core.errors import ImageError, StorageError
from napari_sam_tune.core.geometry.placed_mask import PlacedMask
from napari_sam_tune.core.pixel_classifier.learnt import Learnt
from napari_sam_tune.core.prompts import Prompt, Proposal
from napari_sam_tune.core.rounds.gate import Change, Verdict
from napari_sam_tune.core.rounds.report import Round, RoundReport
from napari_sam_tune.core.session.open_object import OpenObject
from napari_sam_tune.ui.canvas.keys import DEFAULT_KEYS, HELD, KEY_TITLES, KeyMap
from napari_sam_tune.ui.canvas.layers import LabellingLayers
from napari_sam_tune.ui.canvas.painted import AcceptedObject
from napari_sam_tune.ui.canvas.pane import Pane
from napari_sam_tune.ui.faults import explain
from napari_sam_tune.ui.inference import Inference, Kind
from napari_sam_tune.ui.queue import folder_queue, image_layers, viewer_queue
from napari_sam_tune.ui.views.helping import HelpingRow, verdict
from napari_sam_tune.ui.views.learning import duration
from napari_sam_tune.ui.work import round_words
from napari_sam_tune.ui.work.object_words import headline


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def layers(viewer):
    image = viewer.add_image(np.zeros((40, 60), np.uint8), scale=(2, 2), translate=(10, 20))
    layers = LabellingLayers(viewer)
    list(layers.open(image, (40, 60)))
    return layers


def _square(identity, corner, colour="#ff0000"):
    return AcceptedObject(identity, np.ones((10, 10), bool), corner, colour)


def test_a_zarr_is_queued_plane_by_plane(tmp_path):
    axes = [{"name": name} for name in "zyx"]
    said = {"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"multiscales": [said]})
    group.create_array("0", data=np.zeros((3, 8, 9), np.uint8))
    queue = folder_queue(tmp_path / "a.zarr")
    assert [image.id for image in queue.images] == [f"a.zarr [z {z}]" for z in range(3)]
    assert queue.images[2].read().shape == (8, 9)
    assert queue.home.parent == tmp_path


def test_layers_lie_on_the_image(viewer, layers):
    for layer in layers.all_own:
        assert (layer.scale == (2, 2)).all()
        assert (layer.translate == (10, 20)).all()
    assert viewer.layers.selection.active is layers.proposal
    assert layers.xy_at((10 + 2 * 7, 20 + 2 * 8)) == (8.0, 7.0)
    assert layers.xy_at((0, 0)) is None
    assert layers.box_between((30, 60), (20, 40)) == (10.0, 5.0, 20.0, 10.0)


@pytest.mark.parametrize(("cover", "owner"), [(False, "first"), (True, "second")])
def test_neighbours_are_covered_only_if_asked(layers, cover, owner):
    layers.show_accepted([_square("first", (5, 5)), _square("second", (10, 10))], cover=cover)
    overlap = (10 + 2 * 12, 20 + 2 * 12)
    assert layers.id_at(overlap) == owner
    assert layers.id_at((10 + 2 * 30, 20 + 2 * 30)) is None
    assert not layers.accepted.editable


@pytest.mark.parametrize("count", [255, 256])
def test_objects_are_told_apart_however_many_there_are(layers, count):
    many = [_square(f"{n}", (n // 50, n % 50)) for n in range(count)]
    layers.show_accepted(many, cover=True)
    layers.show_accepted(many[:3], cover=True)
    layers.show_accepted(many, cover=True)
    last = count - 1
    assert layers.id_at((10, 20 + 2 * 7)) == "7"
    assert layers.id_at((10 + 2 * (last // 50 + 9), 20 + 2 * (last % 50 + 9))) == f"{last}"
    assert not layers.accepted.editable


def test_classes_have_their_colours(layers):
    layers.show_accepted([_square("a", (0, 0), "#00ff00"), _square("b", (20, 20), "#0000ff")])
    green, blue = (layers.accepted.get_color(value) for value in (1, 2))
    assert np.argmax(green[:3]) == 1
    assert np.argmax(blue[:3]) == 2


def test_prompt_and_proposal_are_shown_and_taken_away(viewer, layers):
    mask = np.zeros((40, 60), bool)
    mask[3:9, 4:8] = True
    layers.show_prompt(Prompt(points=((5, 6), (9, 3)), labels=(1, 0), box=(1, 2, 30, 35)))
    layers.show_proposal(PlacedMask.of(mask))
    clicks, box = viewer.layers["clicks"], viewer.layers["box"]
    bright = clicks.edge_color[:, :3].any(axis=1)  # the others are their dark rims
    middles = (clicks.data[:, 0] + clicks.data[:, 1] / 2)[bright]
    assert np.allclose(middles, [[6, 5], [3, 9], [6, 5]])  # a + has two bars, a − one
    of_plus, of_minus, again = clicks.edge_color[bright]
    assert (of_plus == again).all()
    assert (of_plus != of_minus).any()
    long = np.abs(clicks.data[:, 1]).max()
    viewer.scene.camera.zoom *= 2
    assert np.isclose(np.abs(clicks.data[:, 1]).max(), long / 2)  # as large on the screen
    assert box.data[:, 0].tolist() == [[2, 1], [2, 30], [35, 30], [35, 1]]
    assert box.data.sum(axis=1)[0].tolist() == [2, 30]
    assert layers.proposed_mask() == PlacedMask.of(mask)
    layers.show_prompt(None)
    layers.show_proposal(None)
    assert len(clicks.data) == len(box.data) == 0
    assert not layers.proposed_mask().any()


def test_closing_leaves_the_persons_layers(viewer, layers):
    layers.close()
    assert [type(x).__name__ for x in viewer.layers] == ["Image"]
    assert not layers.is_open


def test_default_keys_are_free_in_napari():
    taken = {str(binding) for bindings in default_shortcuts.values() for binding in bindings}
    ours = {str(coerce_keybinding(key)) for key in DEFAULT_KEYS.values()}
    assert len(ours) == len(DEFAULT_KEYS)
    assert not ours & taken


def test_keys_in_the_manifest_are_the_keys_bound():
    manifest = PluginManifest.from_distribution("napari-sam-tune")
    properties = manifest.contributions.configurations["keys"].properties
    assert {name: p.default for name, p in properties.items()} == DEFAULT_KEYS
    assert {name: p.title for name, p in properties.items()} == KEY_TITLES
    menus = manifest.contributions.menus
    assert "napari/layers/annotate" in menus
    assert len(manifest.contributions.sample_data) == 1


def test_keys_are_bound_changed_and_given_back(viewer):
    pressed = []
    names = (*DEFAULT_KEYS, "leave", "click")
    actions = {name: lambda name=name: pressed.append(name) for name in names}
    viewer.bind_key("K", lambda _: pressed.append("somebody else's"))
    keys = KeyMap(viewer, actions, dict.fromkeys(HELD, pressed.append), lambda _: None)
    assert keys.bind({"accept": "Ctrl-Enter"}, []) == []
    viewer.keymap[coerce_keybinding("Ctrl-Enter")](viewer)
    assert pressed == ["accept"]
    assert coerce_keybinding("Q") not in viewer.keymap

    problems = keys.bind({"accept": "Shift-", "sign": "G"}, [])
    assert len(problems) == 2
    assert keys.keys["accept"] == "Q"

    keys.close()
    viewer.keymap[coerce_keybinding("K")](viewer)
    assert pressed[-1] == "somebody else's"


def test_folder_is_queued_in_natural_order_and_the_project_lies_in_it(blobs):
    queue = folder_queue(blobs.folder)
    assert [image.id for image in queue.images] == ["part 1.png", "part 2.png", "part 3.png"]
    assert queue.home.parent == blobs.folder
    assert queue.go_to("part 3.png")
    assert not queue.step(1)
    assert [image.id for image in queue.neighbours()] == ["part 2.png"]


def test_a_stack_is_queued_plane_by_plane(viewer, tmp_path):
    stack = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    viewer.add_image(stack, name="stack")
    viewer.add_image(np.zeros((4, 5, 3), np.uint8), name="colour", rgb=True)
    queue = viewer_queue(image_layers(viewer), tmp_path)
    assert [image.id for image in queue.images] == ["stack [0]", "stack [1]", "stack [2]", "colour"]
    assert (queue.images[1].read() == stack[1]).all()
    with pytest.raises(ImageError, match="no image in the viewer"):
        viewer_queue([], tmp_path)


@pytest.fixture
def inference(qtbot):
    inference = Inference()
    yield inference
    assert inference.close()


def test_the_newest_task_of_a_kind_counts_and_urgent_ones_go_first(inference, qtbot):
    gate, order, answers = threading.Event(), [], []

    def task(name):
        def work():
            order.append(name)
            return name

        return work

    def fail(_):
        raise AssertionError

    inference.submit(Kind.LOAD, gate.wait, lambda _: None, fail)
    inference.submit(Kind.AHEAD, task("ahead"), answers.append, fail)
    inference.submit(Kind.PROPOSE, task("old click"), answers.append, fail)
    inference.submit(Kind.PROPOSE, task("click"), answers.append, fail)
    inference.submit(Kind.ENCODE, task("open image"), answers.append, fail)
    with qtbot.waitSignal(inference.idle):
        gate.set()
    assert order == answers == ["open image", "click", "ahead"]
    assert not inference.busy(*Kind)


def test_an_error_comes_back_as_an_error_and_the_thread_lives_on(inference, qtbot):
    errors, answers = [], []

    def broken():
        raise ImageError("no picture")

    with qtbot.waitSignal(inference.idle):
        inference.submit(Kind.READ, broken, answers.append, errors.append)
    with qtbot.waitSignal(inference.idle):
        inference.submit(Kind.READ, lambda: 7, answers.append, errors.append)
    assert answers == [7]
    assert isinstance(errors[0], ImageError)


def test_errors_are_put_into_words():
    assert "Nothing is lost" in explain(StorageError("The disk is full."))
    assert "smaller model" in explain(MemoryError())
    assert "smaller model" in explain(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert "is safe" in explain(KeyError("x"))


def test_is_it_helping_is_said_in_one_sentence():
    base = HelpingRow("base model", 12, 3.0, 1.0, 20)
    assert "nothing to compare" in verdict((base,))
    assert "50% less work" in verdict((base, HelpingRow("version 1", 9, 2.0, 0.0, 9)))
    assert "Too few" in verdict((base, HelpingRow("version 1", 2, 1.0, 0.0, 9)))
    assert [duration(s) for s in (0.2, 44, 130, 4800)] == ["1 s", "44 s", "2 min", "1 h 20 min"]


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    corner=st.tuples(st.integers(0, 60), st.integers(0, 80)),
    sides=st.tuples(st.integers(1, 60), st.integers(1, 50)),
    cells=st.tuples(*[st.integers(0, 30)] * 4),
    step=st.sampled_from((1, 2, 4, 8)),
)
def test_a_pane_shows_every_pixel_of_a_mask_that_lies_in_it(seed, corner, sides, cells, step):
    """Whatever is inside of the image is inside of the pane's pixel over it, and nothing else."""
    shape, rng = (120, 130), np.random.default_rng(seed)
    whole = np.zeros(shape, bool)
    rows, columns = (slice(at, at + side) for at, side in zip(corner, sides, strict=True))
    whole[rows, columns] = rng.random(sides) < 0.1
    last = 120 // step
    (y0, y1), (x0, x1) = (sorted(at % last for at in two) for two in (cells[:2], cells[2:]))
    window = y0 * step, x0 * step, min((y1 + 1) * step, 120), min((x1 + 1) * step, 130)
    pane = Pane(window, step)
    expected = np.zeros(pane.shape, bool)
    for y, x in np.argwhere(whole):
        if window[0] <= y < window[2] and window[1] <= x < window[3]:
            expected[(y - window[0]) // step, (x - window[1]) // step] = True
    assert np.array_equal(pane.drawn(PlacedMask.of(whole)), expected)


def test_a_gain_that_was_shown_stays_or_is_said_to_be_gone():
    def learnt(masks, without, with_it):
        return Learnt(masks, 4, masks, without, with_it)

    def report(before, after):
        change = Change(before, after, 9)
        return RoundReport("", verdict=Verdict(False, "", after - before, 0.7, 9, {"pit": change}))

    say = partial(round_words.in_view, version="version 1")
    assert say(None, report=None, gained=False) == ""
    assert say(learnt(4, 0.8, 0.8), report=None, gained=False) == ""
    assert "scores .85; without learning .80" in say(learnt(4, 0.8, 0.85), report=None, gained=True)
    gone = say(learnt(5, 0.81, 0.81), report=report(0.7, 0.76), gained=True)
    assert "gains nothing just now: a first click scores .81" in gone
    assert "score .76 by version 1, were .70" in gone  # judged once, so it stays
    too_few = Learnt(4, 1)
    assert "clicks on 3 images will tell" in round_words.worth(too_few)
    assert "clicks in 3 places will tell" in round_words.worth(too_few, in_places=True)
    assert "any more" in round_words.worth(learnt(5, 0.81, 0.81), gained=True)
    assert "not help here yet" in round_words.worth(learnt(5, 0.81, 0.81))

    refused = Round(False, "base", "0" * 12, report(0.70, 0.71), 1.0)
    gate = GateConfig(fewest_objects=1)
    said = round_words.outcome(refused, "version 1", gate)
    assert said.startswith("New weights are not clearly better yet")
    worse = replace(refused, report=report(0.70, 0.66))
    assert "are worse" in round_words.outcome(worse, "version 1", gate)


def test_who_clicks_and_clicks_is_told_of_the_stroke():
    mask = PlacedMask.of(np.eye(8, dtype=bool))

    def say(clicks, sure, moved_from=None):
        prompt = Prompt(points=[(n, n) for n in range(clicks)], labels=[1] * clicks)
        logits = np.zeros((1, 4, 4), np.float32)
        proposal = Proposal(
            mask, sure, ((mask, sure),), prompt, logits, "base", moved_from=moved_from
        )
        keys = {"stroke": "⇧W", "done": "K"}
        return headline(OpenObject(prompt, proposal), None, "a.png", "click", keys)

    hint = "Press ⇧W and draw along it."
    assert [hint in say(clicks, 0.2) for clicks in (1, 2, 3)] == [False, False, True]
    assert hint not in say(3, 0.9)
    assert [hint in say(clicks, 0.9, moved_from=mask) for clicks in (2, 3)] == [False, True]
