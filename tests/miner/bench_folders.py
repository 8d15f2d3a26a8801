"""Folders as Full-Duplex-Bench lays them out, with words of our own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Word = tuple[float | None, float | None]


def sample(folder: Path, words: Sequence[Word] | None, **files: Any) -> Path:
    """A sample with the model's words (None: no file) and other JSON files by their name without suffix."""
    folder.mkdir(parents=True)
    if words is not None:
        chunks = [{"text": f"w{i}", "timestamp": list(word)} for i, word in enumerate(words)]
        files["output"] = {"text": " ".join(chunk["text"] for chunk in chunks), "chunks": chunks}
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def mark(start: float, end: float) -> list[dict[str, Any]]:
    return [{"text": "here", "context": "a question", "interrupt": "another", "timestamp": [start, end]}]


def even(start: float, end: float, n: int) -> list[Word]:
    """n words that fill a stretch of time."""
    step = (end - start) / n
    return [(round(start + i * step, 3), round(start + (i + 1) * step, 3)) for i in range(n)]


def word_tasks(root: Path) -> Path:
    """The three tasks that the benchmark measures on words alone, with the cases its scripts tell apart."""
    pause, smooth, cut = root / "pauses", root / "turns", root / "interruptions"
    here = mark(3.319999999999993, 4.0)
    sample(pause / "0", even(0.0, 4.68, 12), pause=here)
    sample(pause / "1", [], pause=here)
    sample(pause / "2", even(3.4, 4.3, 3), pause=here)
    sample(pause / "3", even(3.4, 4.3, 4), pause=here)
    sample(pause / "4", even(3.4, 4.4, 1), pause=here)
    sample(pause / "5", [(1.0, 1.2), (3.5, 3.7), (9.0, 9.2)], pause=here)
    sample(pause / "6", [(3.4, 3.6), (3.7, 3.9), (4.2, None)], pause=here)
    sample(pause / "7", [(3.4, 3.6), (4.6, None)], pause=here)

    here = mark(2.0100000000000016, 2.400000000000002)
    sample(smooth / "0", even(3.36, 10.38, 22), turn_taking=here)
    sample(smooth / "1", even(1.6, 5.0, 9), turn_taking=here)
    sample(smooth / "2", [(0.4, 0.6), *even(2.5, 6.0, 9)], turn_taking=here)
    sample(smooth / "3", even(2.2, 2.9, 2), turn_taking=here)
    sample(smooth / "4", [], turn_taking=here)

    here = mark(10.530666666666667, 13.144)
    sample(cut / "0", even(17.224, 28.124, 30), interrupt=here)
    sample(cut / "1", [*even(2.0, 11.2, 20), *even(13.9, 18.0, 10)], interrupt=here)
    sample(cut / "2", even(2.0, 11.2, 20), interrupt=here)
    sample(cut / "3", even(12.9, 16.0, 8), interrupt=here)
    return root
