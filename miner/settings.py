"""Every setting of the mining stages: one TOML file, one section per stage."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from miner.detect import DetectConfig
from miner.ingest.ingest import IngestConfig
from miner.listen import ListenConfig
from miner.pairs import PairsConfig
from miner.tokens import TokensConfig
from miner.transcribe import TranscribeConfig
from miner.turns import TurnsConfig


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
