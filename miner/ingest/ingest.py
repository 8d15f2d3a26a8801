"""Stage ``ingest``: every log of a source is opened once, checked, and written down in ``dialogues`` or quarantined."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

import polars as pl
import xxhash
from pydantic import Field, NonNegativeFloat, NonNegativeInt, NonPositiveFloat, PositiveFloat

from audio.asr import WordsError
from audio.asr.given import words_bytes
from audio.asr.token_files import TokensError, tokens_bytes
from audio.decode import AudioInfo, DecodeError, channel_blocks, is_remote, probe
from miner.ingest.check import LogSummary, Samples, follows, summarise
from miner.ingest.refs import REFS
from miner.ingest.tree import join, open_binary
from schemas.clock import samples_to_seconds
from schemas.dialogues import DIALOGUES
from schemas.ids import bytes_hash, stable_hash
from schemas.reasons import Reason, Warn
from store.resolve import tombstone_key
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

BLOCK_S = 3.0
HASH_BYTES = 1 << 20
Share = Annotated[float, Field(ge=0, le=1)]
COPIED = [name for name in DIALOGUES.schema if name in REFS.schema]


class IngestConfig(StageConfig):
    """What makes a log unusable or odd."""

    max_duration_s: PositiveFloat = 4 * 3600.0
    """Longest log taken in, seconds: a longer one should be split."""
    silent_peak_db: NonPositiveFloat = -80.0
    """A channel whose samples never leave this range (dBFS, without DC) holds no sound."""
    allow_silent_model: bool = False
    """Take in logs whose model channel is silent. A mute model is a fault worth mining, a dead wire is not."""
    identical_correlation: Share = 0.99
    """Channels with this correlation (either sign, zero lag) are one recording doubled; AAC leaves 0.998 of it."""
    max_length_difference_s: NonNegativeFloat = 30.0
    """Two channel files may differ by this much before they are taken for different recordings, seconds."""
    narrowband_rate_hz: NonNegativeInt = 8_000
    """Warn at this sample rate and below: words and VAD are less exact on telephone sound."""
    clipped_share: Share = 0.001
    """Warn when more than this share of a channel's samples is at full scale."""
    nearly_silent_db: NonPositiveFloat = -65.0
    """Warn when the RMS of a whole channel is below this, dBFS."""
    swapped_follow: Share = 0.35
    """Warn of swapped roles when the model's channel follows the user's with this correlation of 10 ms levels."""
    swapped_follow_back: Share = 0.15
    """... and the user's follows the model's by less than this: crosstalk both ways says nothing of roles."""


class Ingest(Stage):
    """Fed with the refs of one source; ``root`` is where it lies now, which is no part of what a log is.

    ``forgotten``: tombstones of the store. A recording that was forgotten stays out, whatever it is called now.
    """

    name = "ingest"
    version = 2
    reads = ()
    writes = DIALOGUES
    batch_size = 8

    config: IngestConfig

    def __init__(
        self, config: IngestConfig, *, root: str, source_id: str, forgotten: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(config)
        self.forgotten = forgotten
        self.root = root
        self.source_id = source_id

    def process(self, batch: Batch) -> StageOutput:
        """A row or a reason for every row of the batch's ``refs``."""
        rows: list[dict[str, Any]] = []
        quarantined: list[Quarantined] = []
        for ref in batch[REFS].iter_rows(named=True):
            if ref["problem_reason"] is not None:
                reason, detail = Reason(ref["problem_reason"]), ref["problem_detail"] or ""
                quarantined.append(Quarantined(ref["dialogue_id"], reason, detail))
                continue
            try:
                rows.append(self._row(ref))
            except DecodeError as error:
                quarantined.append(Quarantined(ref["dialogue_id"], error.reason, error.detail))
        return StageOutput(pl.DataFrame(rows, schema=DIALOGUES.schema), quarantined)

    def _row(self, ref: dict[str, Any]) -> dict[str, Any]:
        paths = list(dict.fromkeys((ref["model_path"], ref["user_path"])))
        info = check_headers(ref, {path: probe(join(self.root, path)) for path in paths}, self.config)
        with _local_copy(join(self.root, ref["model_path"])) as model:
            if len(paths) == 1:
                summary = self._summary(ref, model, model, info.rate_hz)
                audio_hash = _hash_of(model)
            else:
                with _local_copy(join(self.root, ref["user_path"])) as user:
                    summary = self._summary(ref, model, user, info.rate_hz)
                    audio_hash = _hash_of(model, user)
        if tombstone_key(audio_hash) in self.forgotten:
            raise DecodeError(Reason.FORGOTTEN, "this recording was forgotten, under this name or another")
        check_sound(summary, self.config)
        return {name: ref[name] for name in COPIED} | {
            "source_id": self.source_id,
            "audio_hash": audio_hash,
            "words_hash": self._words_hash(ref["words_path"]),
            "tokens_hash": self._tokens_hash(ref["tokens_path"]),
            "sample_rate_hz": info.rate_hz,
            "duration_s": samples_to_seconds(summary.n, info.rate_hz),
            "model_level_db": round(summary.model.level_db, 2),
            "user_level_db": round(summary.user.level_db, 2),
            "channel_correlation": round(summary.correlation, 4) + 0.0,
            "warnings": [str(warning) for warning in warnings_of(summary, info.rate_hz, self.config)],
        }

    def _words_hash(self, words_path: str | None) -> str | None:
        """Part of the row, so that words that change are read again."""
        try:
            contents = words_bytes(join(self.root, words_path)) if words_path is not None else {}
        except WordsError as error:
            return stable_hash(error)
        return stable_hash(*(xxhash.xxh3_64_hexdigest(content) for content in contents.values())) if contents else None

    def _tokens_hash(self, tokens_path: str | None) -> str | None:
        """Part of the row for the same reason."""
        try:
            content = tokens_bytes(join(self.root, tokens_path)) if tokens_path is not None else None
        except TokensError as error:
            return stable_hash(error)
        return None if content is None else bytes_hash(content)

    def _summary(self, ref: dict[str, Any], model: str, user: str, rate_hz: int) -> LogSummary:
        blocks = channel_blocks(
            model, ref["model_channel"], user, ref["user_channel"], rate_hz=rate_hz, block_s=BLOCK_S
        )
        return summarise(self._limited(blocks, rate_hz), rate_hz)

    def _limited(self, blocks: Iterator[tuple[Samples, Samples]], rate_hz: int) -> Iterator[tuple[Samples, Samples]]:
        n = 0
        for model, user in blocks:
            n += len(model)
            _check_duration(samples_to_seconds(n, rate_hz), self.config)
            yield model, user


def check_headers(ref: dict[str, Any], headers: dict[str, AudioInfo], config: IngestConfig) -> AudioInfo:
    """What the headers alone show to be unusable raises DecodeError. Returns the header of the model's file."""
    model, user = headers[ref["model_path"]], headers[ref["user_path"]]
    for role, info in (("model", model), ("user", user)):
        channel = ref[f"{role}_channel"]
        if info.duration_s is not None:
            _check_duration(info.duration_s, config)
        if channel >= info.channels and info.channels == 1:
            raise DecodeError(Reason.MONO, f"the file has one channel, the {role} should be on channel {channel}")
        if channel >= info.channels:
            raise DecodeError(
                Reason.BAD_MANIFEST_LINE, f"{role}_channel is {channel}, the file has channels 0..{info.channels - 1}"
            )
        if info.channels > 2 and not ref["channels_named"]:
            raise DecodeError(Reason.TOO_MANY_CHANNELS, f"the file has {info.channels} channels")
    if model.duration_s is not None and user.duration_s is not None:
        difference_s = abs(model.duration_s - user.duration_s)
        if difference_s > config.max_length_difference_s:
            detail = f"model {model.duration_s:.1f} s, user {user.duration_s:.1f} s"
            raise DecodeError(Reason.LENGTH_MISMATCH, detail)
    return model


def check_sound(summary: LogSummary, config: IngestConfig) -> None:
    """What only the samples show to be unusable raises DecodeError."""
    if not summary.finite:
        raise DecodeError(Reason.NON_FINITE_AUDIO, f"NaN or Inf within {BLOCK_S:.0f} s after sample {summary.n}")
    silent = {
        role: levels.peak_db
        for role, levels in (("model", summary.model), ("user", summary.user))
        if levels.peak_db < config.silent_peak_db
    }
    if silent.keys() - ({"model"} if config.allow_silent_model else set()):
        detail = ", ".join(f"the {role}'s channel peaks at {peak_db:.0f} dBFS" for role, peak_db in silent.items())
        raise DecodeError(Reason.SILENT_CHANNEL, detail)
    if abs(summary.correlation) >= config.identical_correlation:
        raise DecodeError(Reason.IDENTICAL_CHANNELS, f"correlation {summary.correlation:.4f}")


def warnings_of(summary: LogSummary, rate_hz: int, config: IngestConfig) -> list[Warn]:
    """What is odd about a usable log."""
    sides = (summary.model, summary.user)
    swapped = (
        follows(summary.user_frames_db, summary.model_frames_db) >= config.swapped_follow
        and follows(summary.model_frames_db, summary.user_frames_db) < config.swapped_follow_back
    )
    found = {
        Warn.SWAPPED_ROLES: swapped,
        Warn.NARROWBAND: rate_hz <= config.narrowband_rate_hz,
        Warn.CLIPPED: max(side.clipped for side in sides) > config.clipped_share,
        Warn.MONO_DIALOGUE_SIDE: min(side.level_db for side in sides) < config.nearly_silent_db,
    }
    return [warning for warning, is_so in found.items() if is_so]


def _check_duration(seconds: float, config: IngestConfig) -> None:
    if seconds > config.max_duration_s:
        raise DecodeError(Reason.TOO_LONG, f"at least {seconds:.0f} s, the limit is {config.max_duration_s:.0f} s")


def _hash_of(*paths: str) -> str:
    digest = xxhash.xxh3_64()
    for path in paths:
        with Path(path).open("rb") as file:
            while chunk := file.read(HASH_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _local_copy(path: str) -> Iterator[str]:
    """The file itself, or for a URL a temporary copy: hash and samples then cost one transfer."""
    if not is_remote(path):
        yield path
        return
    with NamedTemporaryFile(prefix="duplex-miner-") as copy:
        try:
            with open_binary(path) as remote:
                shutil.copyfileobj(remote, copy, HASH_BYTES)
        except OSError as error:
            raise DecodeError(Reason.AUDIO_MISSING, str(error)) from error
        copy.flush()
        yield copy.name
