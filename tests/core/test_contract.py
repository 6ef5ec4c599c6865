"""The endpoint keeps to what its OpenAPI description promises, whatever it is sent.

`SAM_TUNE_FUZZ` says how many requests each operation gets; `tox -e stress` sends thousands.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import running, small_app

from napari_sam_tune.service.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from schemathesis import Case

MANY = int(os.environ.get("SAM_TUNE_FUZZ", "5"))
# whether a picture is one, and a prompt lies in it, no schema says
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
GROWN = 1.1
"""Memory may end at so many times of what it was half-way."""

pytestmark = pytest.mark.usefixtures("at_128_px")


@pytest.mark.parametrize("generation", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_server_fuzz(tmp_path: Path, generation: GenerationMode) -> None:
    limits = Limits(
        waiting_each=64, waiting_rounds=100_000, kept_images=16, mirrors=8, round_seconds=5
    )
    sizes: list[int] = []
    with running(small_app(tmp_path / "served", limits)) as client:
        schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
        # what is told without end is not waited for
        operations = [o.ok() for o in schema.exclude(path="/v1/events").get_all_operations()]
        if generation is GenerationMode.NEGATIVE:  # what takes nothing can be sent nothing wrong
            operations = [o for o in operations if o.body or o.path_parameters]
        for operation in operations:

            @settings(
                max_examples=MANY,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=generation))
            def send(case: Case) -> None:
                case.call_and_validate(base_url=str(client.base_url), timeout=60, checks=CHECKS)
                sizes.append(psutil.Process().memory_info().rss)
                if len(sizes) % 1000 == 0:  # what `-s` shows of a long run
                    print(f"{len(sizes)} requests, {sizes[-1] / 2**20:.0f} MiB", flush=True)

            send()
    print(f"{len(sizes)} requests to {len(operations)} operations", flush=True)
    assert len(sizes) >= len(operations)
    if MANY >= 100:  # before that memory is what the first requests of each kind need
        assert max(sizes) < GROWN * max(sizes[: len(sizes) // 2])
