"""Sources: where the logs of a store lie. Rows name a source and a path under it, never a place on this machine."""

from __future__ import annotations

from store.layout import Store, StoreError, safe_name


def register_source(store: Store, source_id: str, kind: str, root: str, *, moved: bool = False) -> None:
    """Remember the folder a source's paths are relative to.

    Raises StoreError when the name stands for another folder already, unless the folder ``moved``.
    """
    path = f"sources/{safe_name(source_id, 'source')}.json"
    known = store.read_json(path)
    if known is not None and known["root"] != root and not moved:
        raise StoreError(
            f"source {source_id!r} of this store lies at {known['root']}, not at {root}: name other logs with "
            "--source NAME, or say --moved if it is the same folder in a new place"
        )
    store.write_json(path, {"kind": kind, "root": root})


def source_roots(store: Store) -> dict[str, str]:
    """Source id to folder."""
    names = [name.removesuffix(".json") for name in store.list("sources") if name.endswith(".json")]
    found = {name: store.read_json(f"sources/{name}.json") for name in names}
    return {name: str(value["root"]) for name, value in found.items() if value is not None}
