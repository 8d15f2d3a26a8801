"""Sources: where the logs of a store lie. Rows name a source and a path under it, never a place on this machine."""

from __future__ import annotations

from store.layout import Store, safe_name


def register_source(store: Store, source_id: str, kind: str, root: str) -> None:
    """Remember (or move) the folder a source's paths are relative to."""
    store.write_json(f"sources/{safe_name(source_id, 'source')}.json", {"kind": kind, "root": root})


def source_roots(store: Store) -> dict[str, str]:
    """Source id to folder."""
    names = [name.removesuffix(".json") for name in store.list("sources") if name.endswith(".json")]
    found = {name: store.read_json(f"sources/{name}.json") for name in names}
    return {name: str(value["root"]) for name, value in found.items() if value is not None}
