"""The whole `run`, from files to pairs, against the bare Silero pass over the same channels, same number of processes.

    python bench/run_vs_silero.py LOGS_FOLDER [--workers 2] [--rounds 3]

LOGS_FOLDER holds a manifest.jsonl (make one: python bench/generate_dialogues.py bench/out/two-hours --hours 2).
The bare pass is faster-whisper's own `SileroVADModel` over every channel, decoded and resampled to 16 kHz before the
clock starts. The run's clock includes process start, imports, both decodings, every stage and all writes; it hears no
words (`--asr given`), which run_vs_asr.py measures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from audio.decode import load_channels

ROOT = Path(__file__).parents[1]
RATE_HZ = 16000


def decode(folder: Path, channels: Path) -> float:
    """Write every channel as 16 kHz float32; returns seconds of dialogue."""
    channels.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        log = json.loads(line)
        path = str(folder / log["path"])
        both = load_channels(path, log["model_channel"], path, log["user_channel"], rate_hz=RATE_HZ)
        seconds += len(both[0]) / RATE_HZ
        for name, samples in zip(("model", "user"), both, strict=True):
            np.save(channels / f"{log['id']}.{name}.npy", samples)
    return seconds


def bare_silero(paths: list[str]) -> int:
    """The bare pass over some channels, in one process."""
    from faster_whisper.vad import SileroVADModel

    model = SileroVADModel(str(files("faster_whisper") / "assets" / "silero_vad_v6.onnx"))
    windows = 0
    for path in paths:
        samples = np.load(path)
        windows += len(model(np.pad(samples, (0, -len(samples) % 512))))
    return windows


def time_bare(channels: Path, workers: int) -> float:
    """Wall seconds of the bare pass."""
    paths = sorted(map(str, channels.glob("*.npy")))
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(bare_silero, [paths[:1]] * workers))  # imports and page cache, before the clock starts
        began = time.perf_counter()
        list(pool.map(bare_silero, [paths[i :: workers * 8] for i in range(workers * 8)]))
        return time.perf_counter() - began


def time_run(folder: Path, workers: int) -> float:
    """Wall seconds of `duplex-miner run` into a new store."""
    store = folder / "bench-store"
    shutil.rmtree(store, ignore_errors=True)
    command = [sys.executable, "-m", "cli", "run", str(folder / "manifest.jsonl"), "--asr", "given"]
    command += ["--store", str(store), "--workers", str(workers)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return seconds


def main() -> None:
    """Alternate the two and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    channels = options.folder / "bench-channels"
    seconds = decode(options.folder, channels)
    bare, whole = [], []
    for _ in range(options.rounds):
        bare.append(time_bare(channels, options.workers))
        whole.append(time_run(options.folder, options.workers))
        print(f"bare Silero {bare[-1]:6.2f} s   run {whole[-1]:6.2f} s   ratio {whole[-1] / bare[-1]:.2f}")
    shutil.rmtree(channels)
    ratio = float(np.median(whole) / np.median(bare))
    speed = seconds / float(np.median(whole))
    print(f"{seconds / 3600:.2f} h of dialogue, {options.workers} processes: run at {speed:,.0f}x real time")
    print(f"median ratio run / bare Silero: {ratio:.2f} (at most 1.3 wanted)")


if __name__ == "__main__":
    main()
