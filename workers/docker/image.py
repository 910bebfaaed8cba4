"""An image, as a daemon tells of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Image:
    """One image that a daemon has."""

    id: str
    tags: tuple[str, ...]
    size_bytes: int
    created_seconds: float
    architecture: str = ""
    """As Go names it: amd64, arm64."""
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return self.tags[0] if self.tags else self.id


def image_of(about: Mapping[str, Any]) -> Image:
    """Of an inspected one."""
    config = about.get("Config") or {}
    variables = (text.partition("=") for text in config.get("Env") or ())
    return Image(
        id=about["Id"],
        tags=tuple(about.get("RepoTags") or ()),
        size_bytes=about["Size"],
        created_seconds=_epoch(about["Created"]),
        architecture=about.get("Architecture", ""),
        labels=config.get("Labels") or {},
        environment={name: value for name, _, value in variables},
    )


def listed_image(about: Mapping[str, Any]) -> Image:
    """Of a line of the list, which tells less."""
    tags = tuple(tag for tag in about.get("RepoTags") or () if tag != "<none>:<none>")
    labels = about.get("Labels") or {}
    return Image(about["Id"], tags, about["Size"], float(about["Created"]), labels=labels)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text)).timestamp()
