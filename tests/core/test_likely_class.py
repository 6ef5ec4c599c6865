"""The class of a new object: suggested where guesses were right, never over what was chosen."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from disc_project import small_starter

from napari_sam_tune import Project, Prompt, Session
from napari_sam_tune.core.answers.likely_class import LikelyClasses

SPOTS = {"bright": ((40, 40), (150, 60)), "dark": ((60, 150), (150, 150))}
MASK = np.ones((2, 2), bool)


# ---- how far a guess is trusted ----


class Known:
    """Accepted objects and what the classifier says next."""

    def __init__(self, path):
        self.classes, self.says = {}, ("pit", 0.5)
        instant = SimpleNamespace(leading_class=lambda _: self.says)
        project = SimpleNamespace(
            counting=lambda: [
                SimpleNamespace(id=i, label=c, created=0.0) for i, c in self.classes.items()
            ],
            class_now=lambda name, _: name,
        )
        self.likely = LikelyClasses(project, instant, path)

    def accept(self, label, *, guess, lead):
        self.says = guess, lead
        name = f"object {len(self.classes)}"
        self.likely.add(name, self.likely.guess(MASK))
        self.classes[name] = label
        self.likely.judge_anew()

    def is_clear(self, lead):
        self.says = "pit", lead
        return self.likely.guess(MASK).is_clear


@pytest.fixture
def known(tmp_path):
    return Known(tmp_path / "guesses.jsonl")


def test_a_guess_is_clear_once_its_like_were_right(known, tmp_path):
    for _ in range(7):
        known.accept("pit", guess="pit", lead=0.55)
    assert not known.is_clear(3.0)
    known.accept("pit", guess="pit", lead=0.55)
    assert known.is_clear(0.1)
    known.accept("crack", guess="pit", lead=0.15)
    assert [known.is_clear(lead) for lead in (0.1, 0.2)] == [False, True]
    again = Known(tmp_path / "guesses.jsonl")
    again.classes = known.classes
    assert [again.is_clear(lead) for lead in (0.1, 0.2)] == [False, True]
    again.classes = dict(list(known.classes.items())[1:])  # one was taken back
    again.likely.judge_anew()
    assert not again.is_clear(3.0)


def test_what_was_wrong_lately_is_not_said(known):
    for label in ["pit"] * 60 + ["crack"] * 10:
        known.accept(label, guess="pit", lead=2.0)
    assert not known.is_clear(2.0)


# ---- through a session ----


def spotted(number):
    """A grey picture with two bright spots and two dark ones."""
    rows, columns = np.mgrid[:200, :200]
    grey = np.random.default_rng(number).normal(120, 6, (200, 200))
    for sign, spots in ((70, SPOTS["bright"]), (-70, SPOTS["dark"])):
        for x, y in spots:
            grey[(columns - x) ** 2 + (rows - y) ** 2 <= 17**2] += sign
    return grey.clip(0, 255).astype(np.uint8)


def click(session, label, which=0):
    return session.propose(Prompt([SPOTS[label][which]], [1]))


def test_a_class_is_suggested_and_one_that_was_chosen_wins(tmp_path):
    torch.set_num_threads(1)
    model = small_starter()
    options = {"zoom": False, "recall": False}
    with Session(Project.open(tmp_path / "p"), model, **options) as session:
        for number in range(5):
            session.open_image(spotted(number), f"{number}.png")
            for which in range(2):
                for label in SPOTS:
                    click(session, label, which)
                    if session.state.label != label:
                        session.choose_class(label)
                    session.accept()
        assert session.suggested_class is None
        session.choose_class("dark")
        session.open_image(spotted(5), "5.png")
        click(session, "bright")  # chosen after the last accept
        assert session.state.label == "dark"
        session.accept(label="bright")

        assert click(session, "bright", 1).class_guess.is_clear
        assert session.state.label == session.suggested_class == "bright"
        session.undo()
        assert (session.state.label, session.suggested_class) == ("dark", None)
        session.redo()
        assert session.suggested_class == "bright"
        session.open_image(spotted(6), "6.png")
        assert session.state.label == "dark"
        session.show("5.png")
        assert session.suggested_class == "bright"
        assert session.accept().label == "bright"
        assert (session.state.label, session.suggested_class) == ("dark", None)

        session.undo()
        session.choose_class("scratch")
        assert session.suggested_class is None
        assert session.accept().label == session.state.label == "scratch"
        session.undo()
        assert session.state.label == "scratch"
        assert session.accept().label == "scratch"
        session.choose_class("dark")

    with Session(Project.open(tmp_path / "p"), model, **options) as session:
        session.open_image(spotted(7), "7.png")
        assert session.state.label == "dark"
        click(session, "bright")
        assert session.suggested_class == "bright"
        session.reject()
        assert session.state.label == "dark"
        session.chain.learns = False
        assert click(session, "bright").class_guess is None
        assert session.state.label == "dark"
