"""How long peers take for timing figures of the same dialogues, next to the rules of ``timing``.

    python bench/peer_timing.py [--n 2000] [--get-timing PATH/get_timing.py] [--skip-scikit-talk]

- scikit-talk (PyPI, Apache-2.0) goes into a throwaway environment; it computes floor transfer offsets from utterances.
  Ours, beside it: the same from the same utterances, and (``all``) turns, issues and events from activity and words.
- Full-Duplex-Bench's ``get_timing.py`` (its repository, ``v1_v1.5/evaluation``) is used where a copy is named; it
  merges segments and lists overlaps and response gaps. Ours, beside it: the same three from the same segments.

Neither peer's code is part of this project. Prints one JSON object with seconds and ratios (peer / ours).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import types
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from generate_activity import generate

from schemas.clock import array_to_ms
from timing.batch import by_side, number
from timing.config import IssueRules, TurnRules
from timing.detection import find_events
from timing.floor import floor_transfers
from timing.intervals import FAR, Spans, in_order, intersection, pick, union
from timing.utterances import find_turns

SCIKIT_TALK = "scikit-talk==0.1.1"
USER_MERGE_GAP_MS, MODEL_MERGE_GAP_MS = 600, 500
"""As Full-Duplex-Bench sets them."""


def best_of(times: int, call: Callable[[], Any]) -> float:
    """Shortest wall time of some calls, seconds."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def throwaway_python(folder: Path) -> Path:
    """Interpreter of a new environment with scikit-talk."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", SCIKIT_TALK], check=True, capture_output=True)
    return python


def our_fto(utterances: pl.DataFrame, ids: list[str]) -> np.ndarray:
    """Floor transfer offsets in ms from utterances, as scikit-talk has them: no IPUs, no activity."""
    rows = by_side(number(utterances, ids))
    start, end = array_to_ms(rows["start_s"].to_numpy()), array_to_ms(rows["end_s"].to_numpy())
    turns = Spans(rows["group"].to_numpy(), start, end)
    order = in_order(turns.group, turns.start)
    _, fto, transfer = floor_transfers(turns, np.ones(len(turns), dtype=np.bool_), turns.take(order))
    return fto[transfer]


def against_scikit_talk(turns: pl.DataFrame, ours_s: float) -> dict[str, float]:
    """Time of scikit-talk's FTO on our utterances, and its ratio to ours and to all we find (``ours_s``)."""
    utterances = turns.filter(kind="utterance")
    ids = utterances["dialogue_id"].unique(maintain_order=True).to_list()
    fto_s = best_of(3, lambda: our_fto(utterances, ids))
    rows = utterances.select(
        "dialogue_id", "channel", (pl.col("start_s") * 1000).round(), (pl.col("end_s") * 1000).round(), "text"
    )
    dialogues: dict[str, list[list[Any]]] = {}
    for dialogue_id, channel, start, end, text in rows.iter_rows():
        dialogues.setdefault(dialogue_id, []).append([channel, int(start), int(end), text or ""])
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "dialogues.json"
        listed.write_text(json.dumps(list(dialogues.values())), encoding="utf-8")
        python = throwaway_python(Path(folder) / "env")
        script = Path(__file__).with_name("peer_scikit_talk.py")
        answer = subprocess.run([python, script, listed], check=True, capture_output=True, text=True)
    peer = json.loads(answer.stdout)
    return {
        "scikit_talk_s": round(peer["seconds"], 3),
        "scikit_talk_median_fto_ms": peer["median_fto_ms"],
        "our_median_fto_ms": float(np.median(turns["fto_s"].drop_nulls().to_numpy()) * 1000),
        "our_fto_s": round(fto_s, 4),
        "scikit_talk_ratio": round(peer["seconds"] / fto_s, 1),
        "scikit_talk_ratio_all": round(peer["seconds"] / ours_s, 1),
    }


def load_get_timing(path: Path) -> types.ModuleType:
    """Full-Duplex-Bench's script as a module, without the audio libraries that its interval code never calls."""
    for name in ("torch", "torchaudio"):
        sys.modules.setdefault(name, types.ModuleType(name))
    stub = types.ModuleType("silero_vad")
    stub.VoiceActivityDetector = lambda **_: None  # type: ignore[attr-defined]
    sys.modules.setdefault("silero_vad", stub)
    spec = importlib.util.spec_from_file_location("get_timing", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same_figures(segments: pl.DataFrame) -> tuple[Spans, np.ndarray]:
    """Merged segments' overlaps, and for every user segment the time to the model's next start (FAR: none)."""
    sides = []
    for channel, gap in (("user", USER_MERGE_GAP_MS), ("model", MODEL_MERGE_GAP_MS)):
        rows = segments.filter(channel=channel)
        start, end = array_to_ms(rows["start_s"].to_numpy()), array_to_ms(rows["end_s"].to_numpy())
        sides.append(union(rows["dialogue"].to_numpy(), start, end, gap)[0])
    user, model = sides
    overlaps = intersection(user, model)[0]
    gaps = pick(model.start, model.first_from(user.group, user.end + 1), FAR) - user.end
    return overlaps, gaps


def against_get_timing(activity: pl.DataFrame, path: Path) -> dict[str, float]:
    """Time of Full-Duplex-Bench's interval code and of ours on the same segments."""
    peer = load_get_timing(path)
    ids = activity["dialogue_id"].unique(maintain_order=True).to_list()
    flat = by_side(number(activity, ids)).select("dialogue", "channel", "speech").explode("speech").drop_nulls()
    segments = flat.unnest("speech")
    lists = {
        channel: [
            [(s["start_s"], s["end_s"]) for s in speech]
            for speech in activity.filter(channel=channel)["speech"].to_list()
        ]
        for channel in ("user", "model")
    }

    def theirs() -> int:
        found = 0
        for user, model in zip(lists["user"], lists["model"], strict=True):
            user_merged, model_merged = peer._merge(user, peer.USER_MERGE_GAP), peer._merge(model, peer.MODEL_MERGE_GAP)
            found += len(peer.overlaps(user_merged, model_merged)) + len(peer.response_gaps(user_merged, model_merged))
        return found

    theirs_s, ours_s = best_of(3, theirs), best_of(3, lambda: same_figures(segments))
    return {
        "get_timing_s": round(theirs_s, 4),
        "our_same_figures_s": round(ours_s, 4),
        "get_timing_ratio": round(theirs_s / ours_s, 1),
    }


def main() -> None:
    """Generate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2000, help="dialogues")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--get-timing", type=Path, help="a copy of Full-Duplex-Bench's get_timing.py")
    parser.add_argument("--skip-scikit-talk", action="store_true")
    options = parser.parse_args()
    activity, words, dialogues = generate(options.n, options.seed)
    ids = dialogues["dialogue_id"].to_list()

    def all_of_it() -> pl.DataFrame:
        turns = find_turns(activity, words, ids, TurnRules())
        find_events(activity, turns, words, ids, IssueRules())
        return turns

    ours_s = best_of(3, all_of_it)
    result: dict[str, float] = {"dialogues": options.n, "our_turns_and_events_s": round(ours_s, 3)}
    if not options.skip_scikit_talk:
        result |= against_scikit_talk(all_of_it(), ours_s)
    if options.get_timing:
        result |= against_get_timing(activity, options.get_timing)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
