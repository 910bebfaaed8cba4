"""What a worker keeps of outputs, and when it copies them."""

from __future__ import annotations

import numpy as np

from wfnb import codec
from wfnb.codec import Encoded
from wfnb.workers import memory
from wfnb.workers.call import call
from wfnb.workers.memory import Memory, settled

KEPT = np.zeros(1000)


def fresh():
    return np.ones(1000)


def kept():
    return KEPT


def part_of_kept():
    return KEPT[:500]


def output_of(function):
    outcome = call(function, (), {}, None)
    encoded = codec.encode(outcome.value)
    return encoded, settled(encoded, outcome)


def test_an_array_that_nobody_else_has_is_not_copied():
    encoded, taken = output_of(fresh)
    assert taken is encoded


def test_an_array_that_its_module_keeps_is_copied():
    for function in (kept, part_of_kept):
        KEPT[:] = 1.0
        encoded, taken = output_of(function)
        KEPT[:] = 2.0
        assert taken is not encoded
        assert set(codec.decode(taken)) == {1.0}


def test_the_oldest_outputs_are_forgotten_first_but_never_the_only_copy(monkeypatch):
    monkeypatch.setattr(memory, "MOST_BYTES", 1000)
    kept_here = Memory()
    kept_here.keep(0, Encoded(b"x" * 400), is_elsewhere=False)
    kept_here.keep(1, Encoded(b"x" * 400), is_elsewhere=True)
    kept_here.keep(2, Encoded(b"x" * 400), is_elsewhere=True)
    kept_here.make_room([2])
    assert [at in kept_here for at in range(3)] == [True, False, True]
    kept_here.saved(0)
    kept_here.make_room([2])
    assert [at in kept_here for at in range(3)] == [False, False, True]
