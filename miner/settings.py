"""Every setting of the mining stages: one TOML file, one section per stage."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from audio.asr.options import HowToRun
from miner.detect import DetectConfig
from miner.ingest.ingest import IngestConfig
from miner.listen import ListenConfig
from miner.pairs import PairsConfig
from miner.redact import resolved
from miner.tokens import TokensConfig
from miner.transcribe import TranscribeConfig
from miner.turns import TurnsConfig


class AsrExecution(BaseModel):
    """How the recogniser does its work."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs; `auto` takes a GPU if there is one."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of one worker on the CPU; without it cores / workers."""
    batch_size: int = Field(default=8, ge=1)
    """Clips at once in faster-whisper's batched mode."""
    download: bool = False
    """Whether Whisper's weights may be fetched when they are not on this machine."""


class Execution(BaseModel):
    """How the work is done. Nothing here can change a row."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or Ray."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Tasks at once."""
    ray_address: str | None = None
    """Ray cluster to join; without it Ray is started here."""
    buckets: int = Field(default=64, ge=1, le=4096)
    """Buckets of a new store; fixed once it is made."""
    asr: AsrExecution = Field(default_factory=AsrExecution)
    """How the recogniser does its work."""

    def asr_work(self) -> HowToRun:
        """The same for one worker's recogniser."""
        cores = os.cpu_count() or 1
        threads = self.asr.threads or max(1, cores // self.workers)
        return HowToRun(**{**self.asr.model_dump(), "threads": threads})


class Settings(BaseModel):
    """The settings file as a whole."""

    model_config = ConfigDict(extra="forbid")

    ingest: IngestConfig = IngestConfig()
    listen: ListenConfig = ListenConfig()
    tokens: TokensConfig = TokensConfig()
    transcribe: TranscribeConfig = TranscribeConfig()
    turns: TurnsConfig = TurnsConfig()
    detect: DetectConfig = DetectConfig()
    pairs: PairsConfig = PairsConfig()
    execution: Execution = Field(default_factory=Execution)

    def resolved(self) -> Settings:
        """The same with what depends on this machine filled in. Raises MissingBackendError."""
        redact = resolved(self.transcribe.redact)
        return self.model_copy(update={"transcribe": self.transcribe.model_copy(update={"redact": redact})})
