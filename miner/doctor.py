"""`duplex-miner doctor`: what is installed, which backends really work here, and what to install."""

from __future__ import annotations

import io
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import get_args

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table as RichTable

from audio.asr import RecogniserName, open_recogniser
from audio.asr.choose import choose
from audio.frames import RATE_HZ
from audio.vad import VadName, open_vad
from miner.redact import RedactConfig, how_names_are_found, resolved
from store.console import EXIT_USAGE, JsonOption, out, print_json


@dataclass(frozen=True)
class Check:
    """One thing to try: ``probe`` returns what it saw, or raises. ``install`` mends it; optional things may fail."""

    name: str
    what_for: str
    probe: Callable[[], str]
    install: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Finding:
    """What came of a check."""

    name: str
    what_for: str
    works: bool
    optional: bool
    detail: str


def checks() -> list[Check]:
    """Every check, in the order they are printed."""
    core = "pip install duplex-miner"
    return [
        Check("python", "3.11 or newer", lambda: f"{platform.python_version()} on {platform.machine()}"),
        Check("machine", "speed", _machine),
        *(Check(name, what, _installed(name), core) for name, what in _CORE.items()),
        Check("soundfile formats", "WAV, FLAC, OGG, Opus", _soundfile, core),
        Check("PyAV formats", "MP3, M4A, WebM", _pyav, core),
        *(Check(f"vad {name}", "listen", _vad(name), core) for name in get_args(VadName)),
        Check("asr auto", "transcribe", lambda: choose("auto").told),
        *(Check(f"asr {name}", "transcribe", _asr(name), optional=True) for name in get_args(RecogniserName)),
        Check("pyannote", "transcribe.diarize", _pyannote, "pip install 'duplex-miner[pyannote]'", optional=True),
        Check("presidio", "transcribe.redact", _presidio, "pip install 'duplex-miner[pii]'", optional=True),
        Check("vllm", "judge.client vllm", _installed("vllm"), "pip install 'duplex-miner[vllm]'", optional=True),
        Check("ray", "engine ray", _installed("ray"), "pip install 'duplex-miner[ray]'", optional=True),
        Check(
            "sentencepiece",
            "words from token ids",
            _installed("sentencepiece"),
            "pip install 'duplex-miner[tokens]'",
            optional=True,
        ),
        Check("s3fs", "stores on s3://", _installed("s3fs"), "pip install 'duplex-miner[s3]'", optional=True),
        Check("gcsfs", "stores on gs://", _installed("gcsfs"), "pip install gcsfs", optional=True),
    ]


_CORE = {"polars": "tables", "pyarrow": "Parquet", "duckdb": "sql", "fsspec": "stores on any filesystem"}


def examine(check: Check) -> Finding:
    """Try one thing; whatever goes wrong is the finding."""
    try:
        return Finding(check.name, check.what_for, True, check.optional, check.probe())
    except Exception as error:
        hint = f"; install: {check.install}" if check.install else ""
        return Finding(check.name, check.what_for, False, check.optional, f"{error}{hint}")


def doctor(as_json: JsonOption = False) -> None:
    """Say what is installed, which backends work on this machine and what to install."""
    findings = [examine(check) for check in checks()]
    broken = [finding for finding in findings if not finding.works and not finding.optional]
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        table = RichTable("", "what", "for", "found", box=None, pad_edge=False, header_style="bold")
        for finding in findings:
            mark = "[green]ok[/]" if finding.works else "[dim]--[/]" if finding.optional else "[red]BAD[/]"
            table.add_row(mark, finding.name, finding.what_for, escape(finding.detail))
        out().print(table)
        out().print("all that mining needs works" if not broken else f"{len(broken)} things mining needs do not work")
    raise typer.Exit(EXIT_USAGE if broken else 0)


def _machine() -> str:
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    disk = shutil.disk_usage(".").free / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB memory, {disk:.0f} GiB free here"


def _installed(package: str) -> Callable[[], str]:
    def probe() -> str:
        if find_spec(package) is None:
            raise ImportError("not installed")
        try:
            return version(package)
        except PackageNotFoundError:
            return "installed"

    return probe


def _presidio() -> str:
    versions = resolved(RedactConfig(enabled=True)).versions
    return f"{versions}; {how_names_are_found(RedactConfig())}"


def _pyannote() -> str:
    from importlib import import_module

    import_module("audio.diarize.pyannote")
    return _installed("pyannote.audio")()


def _soundfile() -> str:
    import soundfile

    for container, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.zeros((4800, 2)), 48000, format=container, subtype=subtype)
        buffer.seek(0)
        soundfile.read(buffer)
    return f"soundfile {soundfile.__version__}, {soundfile.__libsndfile_version__}"


def _pyav() -> str:
    import av

    for codec in ("mp3", "aac", "opus"):
        av.Codec(codec, "r")
    return f"PyAV {av.__version__}"


def _asr(name: RecogniserName) -> Callable[[], str]:
    def probe() -> str:
        choice = choose(name)
        recogniser = open_recogniser(name, choice.model)
        recogniser.words([np.zeros(RATE_HZ // 2, dtype=np.float32)], "en")
        return ", ".join(f"{key} {value}" for key, value in recogniser.effective.items())

    return probe


def _vad(name: VadName) -> Callable[[], str]:
    def probe() -> str:
        samples = np.zeros(RATE_HZ, dtype=np.float32)
        found = open_vad(name).probabilities(samples, np.ones(100, dtype=bool))
        if float(found.max()) > 0.5:
            raise RuntimeError("hears speech in silence: the model file is damaged")
        return "runs"

    return probe
