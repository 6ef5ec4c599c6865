"""Classes that change after masks were accepted, and what is said of masks and images."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_project import PIXELS, blob, register, reopened

from napari_sam_tune.core.answers.known_images import known_images
from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.evaluation.evaluation import choose_objects
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.review import Attribute
from napari_sam_tune.core.promptless.labelled import labelled_images
from napari_sam_tune.core.rounds.plan import unlearnt_by

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(tmp_path / "a.project")
    register(project)
    return project


def add(project: Project, label: str, image_id: str = "a.png") -> str:
    return project.add(NewAnnotation(image_id, blob(), label)).id


def labels(project: Project) -> dict[str, str]:
    return {annotation.id: annotation.label for annotation in project.annotations()}


def lines(project: Project) -> int:
    return len((project.path / "log.jsonl").read_text().splitlines())


def test_a_mask_gets_another_class_by_one_line_and_its_record_stays(project: Project) -> None:
    scratch, other = add(project, "scratch"), add(project, "scratch")
    stored = json.loads(
        (project.path / "annotations.zarr" / scratch / "zarr.json").read_text("utf-8")
    )
    before = lines(project)
    done = project.relabel([scratch, other], "crack")
    assert done is not None
    assert lines(project) == before + 1
    assert labels(project) == labels(reopened(project)) == {scratch: "crack", other: "crack"}
    assert project.annotation(scratch).label == "crack"
    assert project.relabel(scratch, "crack") is None
    project.relabel_back(done)
    assert lines(project) == before + 2
    assert set(labels(reopened(project)).values()) == {"scratch"}
    after = json.loads(
        (project.path / "annotations.zarr" / scratch / "zarr.json").read_text("utf-8")
    )
    assert after == stored


def test_a_class_is_renamed_merged_and_brought_back_everywhere(project: Project) -> None:
    other = reopened(project)
    for name, colour in (("pore", "#111111"), ("scratch", "#222222"), ("crack", "#333333")):
        project.set_class(name, colour)
    project.set_attributes("scratch", [Attribute("depth", "number")])
    project.remember(label="scratch")
    scratch, crack = add(project, "scratch"), add(project, "crack")
    named = project.rename_class("scratch", "Kratzer")
    assert list(other.classes().items())[1] == ("Kratzer", "#222222")
    assert other.place()["label"] == "Kratzer"
    assert other.attributes("Kratzer") == (Attribute("depth", "number"),)
    again = add(project, "scratch")  # the name is free, and means another class from now on
    assert labels(other) == {scratch: "Kratzer", crack: "crack", again: "scratch"}

    merged = project.rename_class("Kratzer", "crack")
    assert other.classes() == {"pore": "#111111", "crack": "#333333"}
    assert labels(other)[scratch] == labels(other)[crack] == "crack"
    assert [a.name for a in other.attributes("crack")] == ["depth"]
    project.rename_back(merged)
    assert list(other.classes()) == ["pore", "Kratzer", "crack"]
    assert labels(other) == {scratch: "Kratzer", crack: "crack", again: "scratch"}
    assert other.attributes("crack") == ()
    project.rename_back(named)
    assert list(reopened(project).classes()) == ["pore", "scratch", "crack"]
    assert labels(reopened(project)) == {scratch: "scratch", crack: "crack", again: "scratch"}


def test_masks_accepted_under_a_new_name_follow_their_class_when_it_is_taken_back(
    project: Project,
) -> None:
    other = reopened(project)
    for name in ("pit", "crack"):
        project.set_class(name, "#111111")
    before, crack, given = add(project, "pit"), add(project, "crack"), add(project, "crack")
    keys = [project.rename_class("pit", "pore"), project.rename_class("pore", "hole")]
    meanwhile = add(other, "hole")
    other.relabel(given, "hole")
    for key in reversed(keys):
        project.rename_back(key)
    assert list(other.classes()) == ["pit", "crack"]
    assert labels(other) == {before: "pit", meanwhile: "pit", given: "pit", crack: "crack"}
    other.set_class("hole", "#222222")
    another = add(other, "hole")  # the name is free, and means another class from now on
    for key in keys:
        project.rename_back(key, is_void=False)
    assert set(labels(reopened(project)).values()) == {"hole", "crack"}
    for key in reversed(keys):
        project.rename_back(key)
    assert list(other.classes().items()) == [
        ("pit", "#111111"),
        ("crack", "#111111"),
        ("hole", "#222222"),
    ]
    assert set(labels(reopened(project)).items()) - {(crack, "crack"), (another, "hole")} == {
        (before, "pit"),
        (meanwhile, "pit"),
        (given, "pit"),
    }

    merged = project.rename_class("pit", "crack")
    since = add(other, "crack")  # of two classes, the one there is
    project.rename_back(merged)
    assert labels(reopened(project))[since] == "crack"
    assert labels(project)[before] == labels(project)[given] == "pit"


def test_the_split_goes_on_by_a_class_under_its_new_name(project: Project) -> None:
    splits = []
    for number in range(8):
        name = "scratch" if number < 4 else "Kratzer"
        if number == 4:
            project.rename_class("scratch", "Kratzer")
        pixels = PIXELS ^ (number + 1)
        image_id = register(project, f"{number}.png", pixels=pixels, stratum=name)
        splits.append(project.image(image_id).split)
        if number == 0:
            add(project, "scratch", image_id)
    held_out = [number for number, split in enumerate(splits) if split == "held_out"]
    assert held_out == [2, 7]  # a fifth of one stratum; of two it would be 2 and 6


def test_a_class_with_masks_is_not_removed(project: Project) -> None:
    project.set_class("pore", "#111111")
    project.set_class("crack", "#222222")
    pore = add(project, "pore")
    with pytest.raises(ProjectError, match=r"an accepted mask.*Merge it"):
        project.remove_class("pore")
    with pytest.raises(ProjectError, match="no class “Riss”"):
        project.rename_class("Riss", "crack")
    project.delete(pore)
    project.remove_class("pore")
    assert reopened(project).classes() == {"crack": "#222222"}
    project.set_class("pore", "#111111", place=0)
    assert list(reopened(project).classes()) == ["pore", "crack"]


def test_programs_before_refuse_a_project_only_once_they_would_misread_it(project: Project) -> None:
    def version() -> int:
        return int(json.loads((project.path / "project.json").read_text())["version"])

    pore = add(project, "pore")
    project.set_class("pore", "#111111")
    project.mark_done("a.png")
    project.delete(pore)
    project.restore(pore)
    assert version() == 2
    project.set_review(pore, state="excluded")
    assert version() == 3
    assert labels(reopened(project)) == {pore: "pore"}


def test_what_is_said_of_masks_and_images_is_kept_with_who_and_when(project: Project) -> None:
    pore = add(project, "pore")
    assert project.review(pore).state == "accepted"
    assert project.review(pore).by is None
    project.set_attributes(
        "pore", [Attribute("severity", "choice", ("low", "high")), Attribute("depth", "number")]
    )
    with pytest.raises(ProjectError, match="one of low, high"):
        project.set_review(pore, values={"severity": "very"})
    with pytest.raises(ProjectError, match="no attribute “cause”"):
        project.set_review(pore, values={"cause": "heat"})
    with pytest.raises(ProjectError, match="is no state here"):
        project.set_review(pore, state="done")  # type: ignore[arg-type]
    project.set_review(pore, note="am Rand", tags=["Los 7", "Los 7"], by="Ada")
    before = project.set_review(pore, state="approved", values={"severity": "high", "depth": 2})
    known = reopened(project).review(pore)
    assert (known.state, known.note, known.tags) == ("approved", "am Rand", ("Los 7",))
    assert dict(known.values) == {"severity": "high", "depth": 2.0}
    assert known.by
    assert known.by != "Ada"
    assert known.when is not None
    assert abs(known.when - time.time()) < 60

    project.say_again(objects=before)
    assert project.review(pore).by == "Ada"
    assert project.review(pore).state == "accepted"
    assert dict(project.review(pore).values) == {}

    # a corrected form keeps what was noted, and is to be looked at again
    project.set_review(pore, state="approved", values={"severity": "low"})
    corrected = project.add(NewAnnotation("a.png", blob(size=6), "pore", supersedes=pore)).id
    assert project.reviews() == {corrected: project.review(corrected)}
    assert project.review(corrected).state == "accepted"
    assert dict(project.review(corrected).values) == {"severity": "low"}
    assert project.review(corrected).note == "am Rand"


def test_another_class_ends_an_approval_and_undoing_it_brings_that_back(project: Project) -> None:
    pore = add(project, "pore")
    project.set_review(pore, state="approved", by="Ada")
    done = project.relabel(pore, "crack")
    assert done is not None
    assert project.review(pore).state == "accepted"
    project.relabel_back(done)
    assert project.review(pore).state == "approved"
    assert project.review(pore).by == "Ada"


def test_what_is_taken_back_leaves_what_others_said_since(project: Project) -> None:
    other = reopened(project)
    for name in ("pore", "scratch"):
        project.set_class(name, "#111111")
    mask, second = add(project, "pore"), add(project, "pore")

    # a class given after another was renamed: both taken back, in turn
    named = project.rename_class("pore", "Pore")
    given = project.relabel([mask, second], "scratch")
    assert given is not None
    other.relabel(second, "crack")
    project.relabel_back(given)
    assert labels(other) == {mask: "Pore", second: "crack"}
    project.rename_back(named)
    assert labels(other) == labels(project) == {mask: "pore", second: "crack"}
    project.relabel_back(given, is_void=False)
    assert labels(reopened(project)) == {mask: "scratch", second: "crack"}

    # notes of one person, states of another
    before = project.set_review(mask, state="approved")
    other.set_review(mask, note="at the rim")
    project.say_again(objects=before)
    assert (project.review(mask).state, project.review(mask).note) == ("accepted", "at the rim")
    images = project.set_image_review("a.png", state="approved")
    other.set_image_review("a.png", tags=["lot 7"])
    project.restore_images(images)
    known = reopened(project).image_review("a.png")
    assert (known.state, known.tags) == ("to_do", ("lot 7",))

    # attributes added while a class was called otherwise, or was one with another
    depth, cause, side = Attribute("depth"), Attribute("cause"), Attribute("side")
    project.set_attributes("scratch", [depth])
    named = project.rename_class("scratch", "Kratzer")
    other.set_attributes("Kratzer", [depth, cause])
    project.rename_back(named)
    assert other.attributes("scratch") == (depth, cause)
    merged = project.rename_class("scratch", "pore")
    other.set_attributes("pore", [depth, cause, side])
    project.rename_back(merged)
    assert (other.attributes("scratch"), other.attributes("pore")) == ((depth, cause), (side,))


def test_the_state_of_an_image_is_its_mark_unless_something_else_was_said(project: Project) -> None:
    def state() -> str:
        return reopened(project).image_review("a.png").state

    assert state() == "to_do"
    project.mark_done("a.png", empty=True)
    assert state() == "done"
    before = project.set_image_review("a.png", state="excluded", note="unscharf")
    assert state() == "excluded"
    assert project.images_set_aside() == {"a.png"}
    assert project.is_done("a.png")
    project.mark_done("a.png", False)
    assert state() == "to_do"
    assert project.image_review("a.png").note == "unscharf"
    project.set_image_review("a.png", state="approved")
    assert project.is_done("a.png")
    project.say_again(images=before)
    assert state() == "done"
    assert project.is_empty("a.png")
    project.set_image_review("a.png", state="to_do")
    assert state() == "to_do"


def test_what_is_set_aside_does_not_count(project: Project) -> None:
    register(project, "b.png")
    one, two, three = add(project, "pore"), add(project, "pore"), add(project, "pore", "b.png")
    project.set_review(one, state="second_look")
    assert [a.id for a in project.counting()] == [two, three]
    project.set_image_review("b.png", state="excluded")
    assert [a.id for a in reopened(project).counting()] == [two]
    assert len(project.annotations()) == 3
    project.set_review(one, state="accepted")
    project.set_image_review("b.png", state="done")
    assert len(project.counting()) == 3


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "relabel", "labels": ["a"]},
        {"kind": "rename_again", "key": "nothing", "void": True},
        {"kind": "review", "objects": {"a": {"state": "done"}}},
        {"kind": "review", "images": {"a": {"state": "accepted"}}},
        {"kind": "review", "objects": {"a": {"values": {"depth": True, "x": None}}}},
        {"kind": "attributes", "label": "a", "attributes": [{"name": "b", "kind": "date"}]},
    ],
)
def test_a_line_nobody_understands_is_not_written(project: Project, entry: dict[str, Any]) -> None:
    before = lines(project)
    with pytest.raises(ProjectError, match="cannot be understood"):
        project.repeat(entry)
    assert lines(project) == before


NAMES = st.sampled_from(["a", "b", "c", "d"])


class Classes(RuleBasedStateMachine):
    """Two programs give, rename, merge and take back; a plain model says what is right."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        self.programs = [Project.open(self.folder / str(time.time_ns()))]
        register(self.programs[0])
        self.programs.append(reopened(self.programs[0]))
        self.model: dict[str, str] = {}
        self.undo: list[tuple[Any, dict[str, str], tuple[str, str]]] = []

    @rule(who=st.integers(0, 1), label=NAMES)
    def accept(self, who: int, label: str) -> None:
        self.programs[who].set_class(label, "#111111")
        self.model[add(self.programs[who], label)] = label

    @rule(who=st.integers(0, 1), number=st.integers(0), label=NAMES)
    def give(self, who: int, number: int, label: str) -> None:
        if self.model:
            name = sorted(self.model)[number % len(self.model)]
            done = self.programs[who].relabel(name, label)
            if done is not None:
                self.programs[who].set_class(label, "#111111")
                self.undo.append((lambda p: p.relabel_back(done), dict(self.model), ("", "")))
            self.model[name] = label

    @rule(who=st.integers(0, 1), old=NAMES, new=NAMES)
    def rename(self, who: int, old: str, new: str) -> None:
        if old != new and old in self.model.values():
            is_merge = new in self.programs[who].classes()
            key = self.programs[who].rename_class(old, new)
            back = ("", "") if is_merge else (new, old)
            self.undo.append((lambda p: p.rename_back(key), dict(self.model), back))
            self.model = {i: new if label == old else label for i, label in self.model.items()}

    @rule(who=st.integers(0, 1))
    def take_back(self, who: int) -> None:
        if self.undo:
            back, before, (new, old) = self.undo.pop()
            # masks accepted since: a class has its old name again, with all its masks
            since = {i: old if label == new else label for i, label in self.model.items()}
            self.model = since | before
            back(self.programs[who])

    @invariant()
    def both_see_the_same(self) -> None:
        for program in getattr(self, "programs", ()):
            assert labels(program) == self.model


def test_any_order_of_changes_by_two_programs_is_as_the_model_says(tmp_path: Path) -> None:
    machine = type("Machine", (Classes,), {"folder": tmp_path})
    machine.TestCase.settings = settings(max_examples=15, stateful_step_count=12)
    machine.TestCase().runTest()


def test_what_is_set_aside_neither_trains_nor_judges(tmp_path: Path) -> None:
    project = Project.open(tmp_path / "p")
    ids = {}
    for number in range(5):
        pixels = PIXELS ^ number
        register(project, f"{number}.png", pixels=pixels)
        ids[number] = add(project, "pore", f"{number}.png")
    judge = next(a for a in project.annotations() if a.split == "held_out")
    (number,) = (n for n, name in ids.items() if name == judge.id)
    assert choose_objects(project, "held_out", None)[0] == [judge]
    excluded, again = [n for n in ids if n != number][:2]
    project.set_review(ids[excluded], state="excluded")
    project.set_image_review(f"{again}.png", state="second_look")
    left = {name for n, name in ids.items() if n not in {excluded, again}}
    assert unlearnt_by(project) == left
    assert {r.id for r in labelled_images(project)} == {
        f"{n}.png" for n in ids if n not in {excluded, again}
    }
    names = {f"{n}.png" for n in ids}
    out = {f"{n}.png" for n in (excluded, again)}
    assert known_images(project, names, {}).keys() == names - out
    project.set_review(judge.id, state="second_look")
    with pytest.raises(ProjectError, match="nothing to evaluate on"):
        choose_objects(project, "held_out", None)
