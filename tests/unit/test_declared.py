from __future__ import annotations

from datetime import timedelta

import pytest

from wfnb.declared import power, seconds_of
from wfnb.errors import OptionError
from wfnb.language import task


@pytest.mark.parametrize(
    ("k", "text"),
    [(0, "power:0"), (1, "power:1"), (2, "power:2"), (10, "power:10"), (0.5, "power:0.5")],
)
def test_a_power_is_a_text_that_io_takes(k, text):
    assert power(k) == text
    assert task(io=power(k))(abs).described.options.io == text


@pytest.mark.parametrize("k", [-1, float("nan"), float("inf"), "2", None, True, 10**400])
def test_what_is_no_power_is_refused(k):
    with pytest.raises(OptionError, match="give a number from 0 to 100"):
        power(k)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2s", 2.0),
        ("500ms", 0.5),
        ("1.5m", 90.0),
        ("1 min", 60.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        (" .5 S ", 0.5),
        (3, 3.0),
        (0, 0.0),
        (timedelta(minutes=1), 60.0),
    ],
)
def test_a_duration_is_read_however_it_is_written(value, seconds):
    assert seconds_of("duration", value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["2", "", "two", "-1s", "1y", "1e3s", -1, True, None, [], 10**400]
)
def test_what_is_no_duration_is_refused_with_the_forms_that_are(value):
    with pytest.raises(OptionError, match=r"duration=.*'500ms', '2s'"):
        seconds_of("duration", value)


def test_nothing_is_no_time_where_there_must_be_some():
    with pytest.raises(OptionError, match="more than 0"):
        seconds_of("timeout", "0s", above_zero=True)
