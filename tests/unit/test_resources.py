"""How much of a machine: sizes in words, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from wfnb.errors import OptionError
from wfnb.resources import Resources


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [
        ("512MB", 512 * 10**6),
        ("512 mb", 512 * 10**6),
        (" 1.5 GiB ", 3 * 2**29),
        ("2KiB", 2048),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("100B", 100),
        ("100", 100),
        (4096, 4096),
        (None, None),
    ],
)
def test_sizes_are_read_as_they_are_written(size: Any, size_bytes: int | None) -> None:
    assert Resources(memory=size).memory_bytes == size_bytes


@pytest.mark.parametrize(
    "size", ["", "MB", "1XB", "-1MB", "1 2MB", "1e3", 0, -5, "0MB", "0.1B", 1.5, True, [], b"1MB"]
)
def test_a_size_that_is_none_is_refused_with_an_example(size: Any) -> None:
    with pytest.raises(OptionError, match=r"memory=.*512MB"):
        Resources(memory=size)


@pytest.mark.parametrize(
    "cpus", [0, -1, True, "2", None, float("nan"), float("inf"), float("-inf"), [1]]
)
def test_cpus_that_cannot_be_are_refused(cpus: Any) -> None:
    with pytest.raises(OptionError, match="cpus="):
        Resources(cpus=cpus)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (Resources(), "1 cpu"),
        (Resources(0.5), "0.5 cpus"),
        (Resources(4, "2GiB"), "4 cpus, 2GiB"),
    ],
)
def test_resources_are_said_in_words(resources: Resources, words: str) -> None:
    assert str(resources) == words


def test_equal_resources_are_equal() -> None:
    assert Resources(1, "1GB") == Resources(1, "1GB")
    assert len({Resources(), Resources(1)}) == 1
