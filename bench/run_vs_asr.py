"""The stage `transcribe` against the bare recogniser on the same speech, and its memory on a long log.

    python bench/run_vs_asr.py LOGS_FOLDER [--workers 2] [--rounds 3]
    python bench/run_vs_asr.py --memory

LOGS_FOLDER holds a manifest.jsonl (python bench/generate_dialogues.py bench/out/asr --n 8 --voices flite). The
bare pass is the same backend with the same options in as many processes, over the same clips, cut and kept in files
before the clock starts. The stage's clock includes process start, imports, loading the model, decoding, cutting, all
bookkeeping and all writes; the bare pass's begins when its processes have loaded theirs.

--memory: peak memory of the stage's own work (`hear_words` over a decoded file) on a log of 30 minutes and one of 10
hours with the same density of speech, 1.5 s every five minutes, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from audio.asr import open_recogniser
from audio.asr.choose import choose
from audio.asr.clips import ClipConfig, Cutter
from audio.asr.listening import hear_words, speech_of
from audio.decode import channel_blocks, load_channels
from audio.frames import RATE_HZ, Samples

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data_samples" / "late-answer.ogg"
EVERY_S, SPEECH_S = 300, 1.5


def command(*arguments: str) -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "cli", *arguments]


def checked(*arguments: str) -> None:
    """Run a command; what it printed is shown where it fails."""
    done = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)


def cut_all(folder: Path, store: Path, clips_folder: Path) -> float:
    """Write the clips of every channel, as the stage cuts them; returns seconds of sound in them."""
    choice = choose("auto")
    if choice.name == "given":
        raise SystemExit(choice.told)
    recogniser = open_recogniser(choice.name, choice.model)
    query = "SELECT dialogue_id, channel, speech FROM activity"
    checked(
        "sql", query, "--store", str(store), "--format", "parquet", "--output", str(clips_folder / "activity.parquet")
    )
    activity = pl.read_parquet(clips_folder / "activity.parquet")
    seconds = 0.0
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        log = json.loads(line)
        path = str(folder / log["path"])
        both = load_channels(path, log["model_channel"], path, log["user_channel"], rate_hz=RATE_HZ)
        spans = speech_of(activity.filter(pl.col("dialogue_id") == log["id"]))
        for channel, samples in zip(("model", "user"), both, strict=True):
            cutter = Cutter(spans[channel], recogniser.max_clip_s, recogniser.apart_s, ClipConfig())
            clips = [clip.samples for clip in (*cutter.add(samples), *cutter.finish())]
            seconds += sum(map(len, clips)) / RATE_HZ
            (clips_folder / f"{log['id']}.{channel}.pickle").write_bytes(pickle.dumps(clips))
    return seconds


def bare(paths: list[str]) -> int:
    """The bare pass over some channels, in one process. Without paths it loads the model."""
    if not hasattr(bare, "recogniser"):
        choice = choose("auto")
        assert choice.name != "given"
        bare.recogniser = open_recogniser(choice.name, choice.model)  # type: ignore[attr-defined]
    return sum(len(bare.recogniser.words(pickle.loads(Path(path).read_bytes()), "en")) for path in paths)  # type: ignore[attr-defined]


def time_bare(clips_folder: Path, workers: int) -> float:
    """Wall seconds of the bare pass."""
    paths = sorted(map(str, clips_folder.glob("*.pickle")), key=lambda path: -Path(path).stat().st_size)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver")) as pool:
        list(pool.map(bare, [[]] * workers))
        began = time.perf_counter()
        list(pool.map(bare, [[path] for path in paths]))
        return time.perf_counter() - began


def time_stage(store: Path, workers: int) -> float:
    """Wall seconds of `transcribe` into a copy of the store."""
    with TemporaryDirectory() as folder:
        shutil.copytree(store, Path(folder) / "store")
        began = time.perf_counter()
        checked(
            "transcribe", "--store", f"{folder}/store", "--workers", str(workers), "--set", "transcribe.use_given=false"
        )
        return time.perf_counter() - began


def memory(hours: float) -> None:
    """Peak memory in MiB of one log, printed; to be run in a process of its own."""
    voice = load_channels(str(SAMPLE), 0, str(SAMPLE), 1)[1][round(1.2 * RATE_HZ) : round((1.2 + SPEECH_S) * RATE_HZ)]
    n_times = round(hours * 3600 / EVERY_S)

    def write(path: Path) -> None:
        with soundfile.SoundFile(path, "w", RATE_HZ, 2) as file:
            stretch = np.zeros((EVERY_S * RATE_HZ, 2), dtype=np.float32)
            stretch[: len(voice)] = voice[:, None]
            for _ in range(n_times):
                file.write(stretch)

    def pieces(path: Path) -> Iterator[tuple[Samples, Samples]]:
        yield from channel_blocks(str(path), 0, str(path), 1, rate_hz=RATE_HZ, block_s=3.0)

    starts = np.arange(n_times)[:, None] * float(EVERY_S)
    speech = {"user": np.concatenate([starts, starts + SPEECH_S], axis=1)}
    with TemporaryDirectory() as folder:
        write(Path(folder) / "log.flac")
        began = time.perf_counter()
        words = hear_words(
            pieces(Path(folder) / "log.flac"), speech, open_recogniser("pocketsphinx"), "en", ClipConfig()
        )
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"log of {hours:g} h, {words.height} words in {seconds:.0f} s: peak {peak:.0f} MiB", flush=True)


def main() -> None:
    """Alternate the two and print medians and their ratio, or measure memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.memory:
        for hours in (0.5, 10.0):
            process = multiprocessing.get_context("spawn").Process(target=memory, args=(hours,))
            process.start()
            process.join()
        return
    if options.folder is None:
        parser.error("name a folder of logs, or --memory")
    with TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        checked("ingest", str(options.folder / "manifest.jsonl"), "--store", str(store))
        checked("listen", "--store", str(store))
        seconds = cut_all(options.folder, store, Path(scratch))
        alone, whole = [], []
        for _ in range(options.rounds):
            alone.append(time_bare(Path(scratch), options.workers))
            whole.append(time_stage(store, options.workers))
            print(
                f"bare {alone[-1]:6.1f} s   transcribe {whole[-1]:6.1f} s   ratio {whole[-1] / alone[-1]:.2f}",
                flush=True,
            )
    ratio = float(np.median(whole) / np.median(alone))
    print(f"{seconds:.0f} s of clips, {options.workers} processes: {choose('auto').told}")
    print(f"median ratio transcribe / bare: {ratio:.2f} (at most 1.1 wanted)")


if __name__ == "__main__":
    main()
