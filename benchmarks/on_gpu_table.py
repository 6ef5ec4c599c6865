"""Write table.md and figures.json of a run of `on_gpu.sh`, of whatever parts have ended by now.

    python benchmarks/on_gpu_table.py OUT SCRATCH

`OUT` holds log.jsonl and best.safetensors, `SCRATCH` what the parts left: machine, parts,
tests.xml, round.json and swap.json. Needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ASKED_ROUND_S, ASKED_CLICK_MS, ASKED_SWAP_MS, ASKED_MB = 5.0, 50.0, 100.0, 15.0
ASKED_SHAPE = {"model": "vit_b", "masks": 64, "steps": 100}
FIGURES = ("iou_1", "iou_3", "iou_5", "iou_box")

Row = tuple[str, str, str, str]


def main() -> None:
    """Write both files."""
    out, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    device, machine = (scratch / "machine").read_text(encoding="utf-8").splitlines()
    parts = dict(line.split() for line in lines_of(scratch / "parts"))
    figures = {name: json_of(scratch / f"{name}.json") for name in ("round", "swap")}
    curve = [json.loads(line) for line in lines_of(out / "log.jsonl")]
    rows = [of_tests(scratch / "tests.xml", parts), *of_round(figures["round"])]
    rows += [of_swap(figures["swap"]), of_weights(out / "best.safetensors")]
    text = [f"# {machine}", ""]
    if not device.startswith("cuda"):
        text += ["Only tried on the CPU: this says nothing about a GPU.", ""]
    text += ["| what | asked | seen | |", "|---|---|---|---|"]
    text += ["| " + " | ".join(row) + " |" for row in rows]
    text += ["", *of_phases(figures["round"]), *of_training(curve, parts)]
    (out / "table.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    written = {"machine": machine, "device": device, "parts": parts, **figures, "curve": curve}
    (out / "figures.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


def lines_of(path: Path) -> list[str]:
    """The lines of a file; none if it is not there yet."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def json_of(path: Path) -> dict[str, Any]:
    """What a part measured; nothing if it has not ended."""
    content: dict[str, Any] = json.loads("\n".join(lines_of(path)) or "{}")
    return content


def verdict(seen: float, asked: float, *, as_asked: bool = True) -> str:
    """Whether a figure is what was asked, if what was measured is."""
    if not as_asked:
        return "of something else"
    return "met" if seen <= asked else "**missed**"


def of_tests(path: Path, parts: dict[str, str]) -> Row:
    """The row of the tests."""
    if not path.is_file():
        return "tests marked cuda", "all pass", "none ended", "**missed**" if parts else ""
    suite = ElementTree.fromstring(path.read_text(encoding="utf-8")).find("testsuite")
    counted = {n: int(suite.get(n, 0)) for n in ("tests", "failures", "errors", "skipped")}
    bad = counted["failures"] + counted["errors"] + counted["skipped"]
    seen = (
        f"{counted['tests'] - bad} of {counted['tests']} pass, {float(suite.get('time', 0)):.0f} s"
    )
    return "tests marked cuda", "all pass", seen, "met" if not bad else "**missed**"


def of_round(found: dict[str, Any]) -> list[Row]:
    """The rows of the rounds and of the clicks during them."""
    if "rounds_s" not in found:
        seen = "no round ended" if found else "not measured"
        return [("a round, and clicks during it", "≤ 5 s; ≤ 50 ms", seen, "")]
    as_asked = all(found[name] == value for name, value in ASKED_SHAPE.items())
    what = f"{found['model']} shape, {found['masks']} masks, {found['steps']} steps"
    each = ", ".join(f"{seconds:.2f}" for seconds in found["rounds_s"])
    seconds, click = found["round_s"], found["click_p95_ms"]
    return [
        (
            f"a round, {what}",
            f"≤ {ASKED_ROUND_S:g} s",
            f"median {seconds:.2f} s without the worker's first ({each})",
            verdict(seconds, ASKED_ROUND_S, as_asked=as_asked),
        ),
        (
            "a click during it, p95",
            f"≤ {ASKED_CLICK_MS:g} ms",
            f"{click:.0f} ms, median {found['click_median_ms']:.0f}, {found['clicks']} clicks; "
            f"p95 with no round {found['idle_click_p95_ms']:.0f}",
            verdict(click, ASKED_CLICK_MS, as_asked=as_asked),
        ),
        ("a closer look, median", "", f"{found['closer_look_median_ms']:.0f} ms", ""),
    ]


def of_swap(found: dict[str, Any]) -> Row:
    """The row of the hot swap."""
    if not found:
        return "hot swap above one click", f"≤ {ASKED_SWAP_MS:g} ms", "not measured", ""
    return (
        f"hot swap above one click, {found['model']} shape",
        f"≤ {ASKED_SWAP_MS:g} ms",
        f"{found['swap_ms']:.0f} ms (a click {found['click_ms']:.0f} ms)",
        verdict(found["swap_ms"], ASKED_SWAP_MS, as_asked=found["model"] == ASKED_SHAPE["model"]),
    )


def of_weights(path: Path) -> Row:
    """The row of the weights' size."""
    if not path.is_file():
        return "weights, float16", f"≤ {ASKED_MB:g} MB", "not written", ""
    size = path.stat().st_size / 1e6
    return "weights, float16", f"≤ {ASKED_MB:g} MB", f"{size:.1f} MB", verdict(size, ASKED_MB)


def of_phases(found: dict[str, Any]) -> list[str]:
    """Where the seconds of the rounds went."""
    if not found.get("phases_s"):
        return []
    whole = [f"{seconds:.2f}" for seconds in found.get("rounds_s", [])] + ["not ended"]
    names = list(dict.fromkeys(name for phases in found["phases_s"] for name in phases))
    text = ["Seconds of each round:", "", "| round | all | " + " | ".join(names) + " |"]
    text.append("|---|---|" + "---|" * len(names))
    for number, phases in enumerate(found["phases_s"], start=1):
        cells = [f"{phases.get(name, 0):.2f}" for name in names]
        text.append(f"| {number} | {whole[number - 1]} | {' | '.join(cells)} |")
    return [*text, ""]


def of_training(curve: list[dict[str, Any]], parts: dict[str, str]) -> list[str]:
    """The curve of the training: mean IoU after clicks and from a box."""
    if not curve:
        return ["No examination has ended: the weights are those that training was to begin from."]
    first, last = curve[0], curve[-1]
    steps, seconds = last["step"] - first["step"], 3600 * (last["hours"] - first["hours"])
    pace = f", {steps / seconds:.2f} a second of training" if seconds else ""
    how = {"0": "ended by itself", "124": "was stopped at its limit"}
    ended = how.get(parts.get("training", ""), "has not ended, or failed")
    text = [f"The training {ended}: {steps} steps{pace}.", ""]
    text += ["| step | minutes | quality | made up, 1 / 3 / 5 clicks, box | real, held out |"]
    text += ["|---|---|---|---|---|"]
    best = max(line["quality"] for line in curve)
    for line in curve:
        quality = f"{line['quality']:.4f}"
        cells = [f"{line['step']}", f"{60 * (line['hours'] - first['hours']):.1f}"]
        cells.append(f"**{quality}**" if line["quality"] == best else quality)
        for prefix in ("", "real_"):
            found = [line.get(prefix + name) for name in FIGURES]
            known = [f"{value:.3f}" for value in found if value is not None]
            cells.append(" / ".join(known[:-1]) + f", {known[-1]}" if known else "")
        text.append("| " + " | ".join(cells) + " |")
    return text


if __name__ == "__main__":
    main()
