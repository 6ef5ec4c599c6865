"""Stacks and things: which masks of planes are one object, whatever becomes of the masks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_project import blob, register, reopened

from napari_sam_tune.core.errors import ProjectError
from napari_sam_tune.core.exchange.merging import Merge
from napari_sam_tune.core.images.axes import axes_of_labels
from napari_sam_tune.core.images.mix import Mix
from napari_sam_tune.core.project.project import NewAnnotation, Project
from napari_sam_tune.core.project.stacks import Stack

if TYPE_CHECKING:
    from pathlib import Path

AXES = axes_of_labels(("t", "z", "y", "x"), (2, 3, 8, 9))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(tmp_path / "a.project")
    for name in ("a.png", "b.png", "c.png"):
        register(project, name)
    return project


def add(project: Project, image_id: str, **more: object) -> str:
    thing = more.pop("thing", None)
    return project.add(NewAnnotation(image_id, blob(), "pore", **more), thing=thing).id


def parts(project: Project) -> dict[str, set[str]]:
    return {thing: {a.id for a in masks} for thing, masks in project.things().items()}


def test_a_mask_is_a_thing_of_its_own_until_a_line_ties_it(project: Project) -> None:
    one, two, three = (add(project, name) for name in ("a.png", "b.png", "c.png"))
    assert parts(project) == {one: {one}, two: {two}, three: {three}}
    lines = len((project.path / "log.jsonl").read_text().splitlines())
    before = project.tie([one, two], one)
    assert before == {two: None}
    assert len((project.path / "log.jsonl").read_text().splitlines()) == lines + 1
    assert parts(reopened(project)) == {one: {one, two}, three: {three}}
    assert project.tie(two, one) == {}
    project.tie_again(before)
    assert parts(reopened(project)) == {one: {one}, two: {two}, three: {three}}
    with pytest.raises(ProjectError):
        project.tie("nobody", one)


def test_corrected_forms_stay_of_their_thing_and_may_be_given_to_another(project: Project) -> None:
    one = add(project, "a.png")
    two = add(project, "b.png", thing=one)
    corrected = add(project, "b.png", supersedes=two)
    assert project.thing_of(corrected) == one
    first = add(project, "a.png", supersedes=one)
    assert parts(project) == {one: {first, corrected}}
    project.tie(corrected, corrected)
    assert parts(project) == {one: {first}, corrected: {corrected}}
    project.delete(corrected)
    assert parts(reopened(project)) == {one: {first}}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_the_last_line_counts_and_undoing_all_leads_back(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int]]
) -> None:
    project = Project.open(tmp_path_factory.mktemp("things") / "p")
    register(project, "a.png")
    ids = [add(project, "a.png") for _ in range(5)]
    expected, undo = {i: i for i in ids}, []
    for mask, thing in said:
        undo.append(project.tie(ids[mask], ids[thing]))
        expected[ids[mask]] = ids[thing]
    assert {i: reopened(project).thing_of(i) for i in ids} == expected
    for before in reversed(undo):
        if before:
            project.tie_again(before)
    assert {i: project.thing_of(i) for i in ids} == {i: i for i in ids}


def test_a_project_that_is_joined_brings_its_stacks_and_things(
    project: Project, tmp_path: Path
) -> None:
    here = Project.open(tmp_path / "here")
    one = add(project, "a.png")
    two = add(project, "b.png", thing=one)
    axes = axes_of_labels(("z", "y", "x"), (2, *project.image("a.png").shape))
    project.set_stack(Stack("s", axes, {"a.png": (0,), "b.png": (1,)}))
    list(Merge(here, project).run())
    assert parts(reopened(here)) == {one: {one, two}}
    assert here.stack_of("b.png") == project.stack_of("b.png")
    lines = (here.path / "log.jsonl").read_text()
    list(Merge(here, project).run())
    assert (here.path / "log.jsonl").read_text() == lines


def test_a_stack_is_kept_with_its_axes_planes_and_mix(project: Project) -> None:
    planes = {f"s [{t}, {z}]": (t, z) for t in range(2) for z in range(3)}
    stack = Stack("s", AXES, dict(list(planes.items())[:4]), Mix((0,), ((0.0, 5.0),)))
    project.set_stack(stack)
    project.set_stack(Stack("s", AXES, planes))
    kept = reopened(project).stack_of("s [1, 2]")
    assert kept == Stack("s", AXES, planes)
    assert kept.row_of("s [1, 1]") == ["s [1, 0]", "s [1, 1]", "s [1, 2]"]
    assert kept.row_of("s [1, 1]", "time") == ["s [0, 1]", "s [1, 1]"]
    assert kept.number_of("s [1, 2]") == 2
    assert project.stack_of("a.png") is None
    lines = (project.path / "log.jsonl").read_text().splitlines()
    project.set_stack(Stack("s", AXES, dict(list(planes.items())[:1])))
    assert (project.path / "log.jsonl").read_text().splitlines() == lines
    with pytest.raises(ProjectError):
        project.set_stack(Stack("s", AXES, {"q": (1,)}))
    assert json.loads(lines[-1].split("\t")[0])["kind"] == "stack"
