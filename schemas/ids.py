"""Stable ids and draws: functions of what a thing is, never of how or when it was made.

Everything random in the toolkit is ``unit_draw(seed, id)``, so a rerun, another machine or another thread count draws
the same. Python's and DuckDB's own ``hash`` change between processes and are never used.
"""

from __future__ import annotations

import xxhash

from schemas.clock import seconds_to_frame


def stable_hash(*parts: object) -> str:
    """16 hex digits (xxh3, 64 bits) of the parts' text, separated so that ("ab", "c") and ("a", "bc") differ."""
    return xxhash.xxh3_64_hexdigest("\x1f".join(str(part) for part in parts).encode())


def bytes_hash(*parts: bytes) -> str:
    """``stable_hash`` of what is bytes already."""
    return xxhash.xxh3_64_hexdigest(b"\x1f".join(parts))


def bucket_of(dialogue_id: str, n_buckets: int) -> int:
    """The bucket a dialogue lives in, in every table of a store."""
    return xxhash.xxh64_intdigest(dialogue_id.encode()) % n_buckets


def issue_id(dialogue_id: str, issue_type: str, t_s: float) -> str:
    """Id of an issue or event: its dialogue, type and the 80 ms frame where it begins."""
    return stable_hash("issue", dialogue_id, issue_type, seconds_to_frame(t_s))


def pair_id(dialogue_id: str, pair_type: str, t0_s: float) -> str:
    """Id of a pair: its dialogue, type and the 80 ms frame where the sides part."""
    return stable_hash("pair", dialogue_id, pair_type, seconds_to_frame(t0_s))


def context_id(dialogue_id: str, t0_s: float) -> str:
    """Id of a context: pairs with equal ids share everything before the sides part."""
    return stable_hash("context", dialogue_id, seconds_to_frame(t0_s))


def unit_draw(seed: int | str, identity: str) -> float:
    """A number in [0, 1), uniform over ids and fixed for one (seed, id)."""
    return xxhash.xxh3_64_intdigest(f"{seed}\x1f{identity}".encode()) / 2**64
