"""Held-out objects before a training, in between and after it, asked about by all processes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_tune.core.training.job import Progress
from napari_sam_tune.core.training.judge import paired

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_sam_tune.core.training.embedded_images import EmbeddedImages
    from napari_sam_tune.core.training.examples import Example
    from napari_sam_tune.core.training.job import ObjectScore
    from napari_sam_tune.core.training.judge import Judge, Scores
    from napari_sam_tune.core.training.placement import Mapped
    from napari_sam_tune.core.training.syllabus import Syllabus
    from napari_sam_tune.core.training.world import World


@dataclass(kw_only=True, eq=False)
class Exam:
    """Judges the weights in use, and what is trained from them, on the same objects.

    Attributes:
        syllabus: which objects.
        judge: asks the model about one of them.
        world: the processes that share the objects.
        before: scores of the weights that answer each object before the training, by annotation id.
        seconds: that judging all those took.

    """

    syllabus: Syllabus
    judge: Judge
    world: World
    before: dict[str, Scores] = field(default_factory=dict)
    seconds: float = 0.0

    def judge_before(
        self, images: EmbeddedImages, examples: Sequence[Example], mapped: Mapped
    ) -> Generator[Progress, None, None]:
        """Judge the model as it is, on embeddings made with the same weights."""
        began = monotonic()
        judge = replace(self.judge, images=images, encodes=False)
        self.before |= yield from self._judge(judge, examples, mapped, None)
        self.seconds += monotonic() - began

    def judge_after(
        self, mapped: Mapped
    ) -> Generator[Progress, None, tuple[tuple[ObjectScore, ...], float | None]]:
        """Judge what was trained; return all scores, and the last look."""
        judging = self.syllabus.judging
        after = yield from self._judge(self.judge, judging, mapped, self.seconds)
        return paired(judging, self.before, after), self._mean(after)

    def look_before(self) -> float | None:
        """Return what a look would have said before the training."""
        return self._mean(self.before)

    def look(self, mapped: Mapped) -> float | None:
        """Return the mean score of a few objects' first point and first box; None without any."""
        shared = self.world.share(self.syllabus.looked_at)
        looks = mapped(lambda share: self.judge.judge(share[1], draws=1, robot=False), shared)
        by_id = {e.annotation.id: scores for (_, e), scores in zip(shared, looks, strict=True)}
        return self._mean(self.world.gathered(by_id))

    def _judge(
        self, judge: Judge, examples: Sequence[Example], mapped: Mapped, seconds: float | None
    ) -> Generator[Progress, None, dict[str, Scores]]:
        shares = self.world.share(examples)
        draws = self.syllabus.config.draws
        asked = mapped(lambda share: judge.judge(share[1], draws=draws), shares)
        scores = {}
        for done, example in shares:
            left = None if seconds is None else seconds * (1 - done / len(examples))
            yield Progress(done, len(examples), None, None, left, "judging")
            scores[example.annotation.id] = next(asked)
        return self.world.gathered(scores)

    def _mean(self, known: Mapping[str, Scores]) -> float | None:
        looks = [known[example.annotation.id] for example in self.syllabus.looked_at]
        scores = [look[prompt, 0] for look in looks for prompt in ("point", "box")]
        return float(np.mean(scores)) if scores else None
