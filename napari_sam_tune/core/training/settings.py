"""A training's config as a person writes it: YAML files, and `key=value` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from napari_sam_tune.core.config import TrainConfig
from napari_sam_tune.core.documents import parse_yaml, read_yaml
from napari_sam_tune.core.errors import SamTuneError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo


def read_config(path: Path) -> TrainConfig:
    """Read a YAML file over the defaults of a run.

    Raises:
        TrainingError: it cannot be read, or a key or a value in it is wrong; names them.

    """
    try:
        values = read_yaml(path)
    except SamTuneError as error:
        raise TrainingError(f"The config {error}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise TrainingError(f"The config {path} must be a list of `key: value`, one a line.")
    return _checked(TrainConfig.for_a_run(), values, str(path))


def with_settings(config: TrainConfig, settings: Iterable[str]) -> TrainConfig:
    """Return a config with settings such as "lora.rank=8" or "parts=lora,decoder" in it.

    Values are YAML; a list may be written with commas alone.

    Raises:
        TrainingError: a setting has no "=", or its key or value is wrong.

    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise TrainingError(f"--set wants key=value, such as steps=200, not {setting!r}.")
        config = _checked(config, _nested(key.strip(), _value(key, text)), f"--set {setting}")
    return config


def _value(key: str, text: str) -> Any:
    try:
        value = parse_yaml(text, f"The value of {key}, {text!r:.200},")
    except SamTuneError as error:
        raise TrainingError(str(error)) from error
    # YAML 1.1 takes 1e-4 for a word
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if key.strip() in _LISTS:
        return [part.strip() for part in text.strip(" []").split(",") if part.strip()]
    return value


_LISTS = ("parts", "lora.targets")


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _checked(config: TrainConfig, values: Mapping[str, Any], where: str) -> TrainConfig:
    try:
        return TrainConfig.model_validate(_over(config.model_dump(), values))
    except ValidationError as error:
        wrong = "; ".join(_said(problem) for problem in error.errors())
        raise TrainingError(
            f"{where}: {wrong}. `napari-sam-tune config` prints all keys with their meaning."
        ) from error


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        both = isinstance(value, dict) and isinstance(lower, dict)
        merged[key] = _over(lower, value) if both else value  # type: ignore[arg-type]
    return merged


def _said(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"there is no key {key} (it may be of an older version)"
    return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}, not {problem['input']!r}"


def commented(config: TrainConfig) -> str:
    """Return a config as YAML, each key under a comment that says what it is."""
    return "\n".join(_lines(config, "")) + "\n"


def _lines(model: BaseModel, indent: str) -> Iterable[str]:
    for name, field in type(model).model_fields.items():
        yield from (f"{indent}# {line}" for line in _comment(field))
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        else:
            plain = model.model_dump(mode="json")[name]
            text = yaml.safe_dump(plain, default_flow_style=True, width=1000).strip()
            yield f"{indent}{name}: {text.removesuffix('...').strip()}"


def _comment(field: FieldInfo) -> list[str]:
    return [line.strip() for line in (field.description or "").splitlines()]
