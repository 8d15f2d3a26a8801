"""turns + detect + pairs, and figures, for many dialogues given as activity and words; then a rerun with nothing to do.

    python bench/mine_many.py WORK_FOLDER [--dialogues 150000] [--workers 2]

The dialogues come from bench/generate_activity.py (1-2 minutes each). They are put into a store as if `listen` and
`transcribe` had made them; that is not timed. Timed is the real runner with real processes, store IO included. Peak
memory is the sum of the resident sets of the command and its workers, sampled every 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from generate_activity import generate  # noqa: E402
from given import Given, write_given  # noqa: E402

from audio.asr.choose import choose  # noqa: E402
from miner.ingest.detect import open_source  # noqa: E402
from miner.ingest.ingest import Ingest  # noqa: E402
from miner.ingest.refs import refs_frame  # noqa: E402
from miner.listen import Listen  # noqa: E402
from miner.mine import FLOW  # noqa: E402
from miner.settings import Settings  # noqa: E402
from miner.tokens import Tokens  # noqa: E402
from miner.transcribe import Transcribe  # noqa: E402
from schemas.activity import ACTIVITY  # noqa: E402
from schemas.dialogues import DIALOGUES  # noqa: E402
from schemas.words import WORDS  # noqa: E402
from store.console import StageProgress  # noqa: E402
from store.engines.local import LocalEngine  # noqa: E402
from store.layout import Store  # noqa: E402
from store.runner import Runner  # noqa: E402
from store.runs import activate, open_run  # noqa: E402
from store.sources import register_source  # noqa: E402

ROOT = Path(__file__).parents[1]
AT_ONCE = 10_000


def prepare(work: Path, dialogues: int) -> tuple[Path, Path]:
    """Logs that are there by name (tiny files, linked), and a store that holds their activity and words."""
    logs, store_folder, given = work / "logs", work / "store", work / "given"
    for folder in (logs, store_folder, given):
        shutil.rmtree(folder, ignore_errors=True)
    logs.mkdir(parents=True)
    with (logs / "manifest.jsonl").open("w") as manifest:
        for number, first in enumerate(range(0, dialogues, AT_ONCE)):
            activity, words, rows = generate(min(AT_ONCE, dialogues - first), seed=number)
            file = logs / f"{number}.wav"  # one a round: a filesystem limits the links to a file
            file.write_bytes(b"RIFF")
            write_given(given, ACTIVITY, number, activity)
            write_given(given, WORDS, number, words)
            write_given(given, DIALOGUES, number, rows)
            for dialogue_id in rows["dialogue_id"]:
                path = f"{dialogue_id[:12]}/{dialogue_id}.wav"
                (logs / path).parent.mkdir(exist_ok=True)
                os.link(file, logs / path)
                line = {"id": dialogue_id, "path": path, "model_channel": 0, "user_channel": 1}
                manifest.write(json.dumps(line) + "\n")
    settings = Settings()
    source = open_source(str(logs / "manifest.jsonl"))
    store = Store.create(str(store_folder))
    register_source(store, source.source_id, source.kind, source.root)
    run = open_run(store, None)
    engine = LocalEngine(2)
    with StageProgress(quiet=True) as progress:
        runner = Runner(store, run, FLOW, engine, progress)
        ingest = Ingest(settings.ingest, root=source.root, source_id=source.source_id)
        runner.run_source(Given(ingest, given), chunks(source.refs()), source.source_id)
        runner.run_stage(Given(Listen(settings.listen, sources={}), given))
        runner.run_stage(Tokens(settings.tokens, sources={}))
        runner.run_stage(Given(Transcribe(settings.transcribe, choice=choose("given"), sources={}), given))
    engine.close()
    activate(store, run.name)
    shutil.rmtree(given)
    return logs / "manifest.jsonl", store_folder


def chunks(refs: Iterator[object]) -> Iterator[pl.DataFrame]:
    """Refs as frames."""
    yield refs_frame(refs)  # type: ignore[arg-type]


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory (GiB, command and workers together) of a duplex-miner command."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "cli", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(output)
    watcher.join()
    return seconds, peak[0]


def _watch(pid: int, peak: list[float]) -> None:
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            family = [parent, *parent.children(recursive=True)]
            peak[0] = max(peak[0], sum(_resident(process) for process in family) / 2**30)
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    """Prepare, run the three stages one by one, then the whole `run` with nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--dialogues", type=int, default=150_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()
    manifest, store = prepare(options.work, options.dialogues)
    print(f"prepared {options.dialogues:,} dialogues in {time.perf_counter() - began:.0f} s (not part of the figure)")
    total = peak = 0.0
    for stage in ("turns", "detect", "pairs"):
        seconds, memory = timed([stage, "--store", str(store), "--workers", str(options.workers), "--json"])
        total, peak = total + seconds, max(peak, memory)
        print(f"{stage:<8} {seconds:6.1f} s   peak {memory:.2f} GiB")
    print(f"together {total:6.1f} s   peak {peak:.2f} GiB   ({options.dialogues / total:,.0f} dialogues/s)")
    seconds, memory = timed(["figures", "--store", str(store), "--workers", str(options.workers), "--json"])
    print(f"figures, counted and summed up: {seconds:.1f} s   peak {memory:.2f} GiB")
    for _ in range(3):
        seconds, memory = timed(["run", str(manifest), "--store", str(store), "--asr", "given", "--json"])
        print(f"run with nothing to do: {seconds:.2f} s   peak {memory:.2f} GiB")


if __name__ == "__main__":
    main()
