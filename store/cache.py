"""What a stage keeps of a dialogue beside the tables, so that it need not pay for it again.

    cache/b0012/<hash of the dialogue's id>/<name>.json

It lies under the dialogue's own hash, so that `forget` removes it without knowing what it is.
"""

from __future__ import annotations

from schemas.ids import bucket_of
from store.layout import Store
from store.resolve import tombstone_key


def cache_folder(store: Store, dialogue_id: str) -> str:
    """Folder of what is kept of a dialogue, relative to the store."""
    return f"cache/b{bucket_of(dialogue_id, store.n_buckets):04d}/{tombstone_key(dialogue_id)}"


def drop_cache(store: Store, dialogue_id: str) -> int:
    """Remove everything that is kept of a dialogue. Returns how many files that were."""
    folder = cache_folder(store, dialogue_id)
    names = store.list(folder)
    for name in names:
        store.remove(f"{folder}/{name}")
    if names and store.is_local:
        store.fs.rmdir(store.path(folder))
    return len(names)
