"""One writer at a time: two commands that mine into one store would compact files from under each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from store.layout import Store, StoreError


@contextmanager
def writing(store: Store) -> Iterator[None]:
    """Hold the store for writing; readers need nothing. Raises StoreError when another process holds it.

    The operating system frees the lock of a killed process. Object storage has no locks: there, starting one writer
    at a time is up to the user.
    """
    if not store.is_local:
        yield
        return
    lock = FileLock(store.path("writer.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"another duplex-miner command is writing to {store.url}: wait for it, or stop it; what it did is kept"
        ) from None
    try:
        yield
    finally:
        lock.release()
