"""wfnb beside its peers: the same task graphs on every engine (`python -m benchmarks`)."""

from __future__ import annotations
