"""A worker process killed at every step it makes: others finish its run as if nothing had been."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import pytest

from tests.stoppable import Flow, announced
from tests.storing import StoredInRedis
from wfnb import Plan, Placement, Resources, task
from wfnb.events import START, TaskDone, read_entry
from wfnb.graph import Graph, Options, freeze
from wfnb.keys import load_key_of_tests if False else None
