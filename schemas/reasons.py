"""Reason codes: why a dialogue stands in quarantine, carries a warning, an issue makes no pair or a word is dropped.

A code is part of the tables' contract: people query it. Add, never rename. ``WHAT_TO_DO`` says the next step of each.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a dialogue could not be processed (quarantine)."""

    MONO = "mono"
    IDENTICAL_CHANNELS = "identical_channels"
    SILENT_CHANNEL = "silent_channel"
    NON_FINITE_AUDIO = "non_finite_audio"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    EMPTY_AUDIO = "empty_audio"
    TOO_LONG = "too_long"
    TOO_MANY_CHANNELS = "too_many_channels"
    LENGTH_MISMATCH = "length_mismatch"
    DUPLICATE_ID = "duplicate_id"
    PATH_ESCAPES = "path_escapes"
    AUDIO_MISSING = "audio_missing"
    AUDIO_CHANGED = "audio_changed"
    BAD_MANIFEST_LINE = "bad_manifest_line"
    BAD_WORDS_FILE = "bad_words_file"
    BAD_TOKENS_FILE = "bad_tokens_file"
    NO_PII_RULES = "no_pii_rules"
    ASR_FAILED = "asr_failed"
    FORGOTTEN = "forgotten"
    WORKER_CRASHED = "worker_crashed"
    INTERNAL_ERROR = "internal_error"


class Warn(StrEnum):
    """What is odd about a dialogue that was processed all the same."""

    SWAPPED_ROLES = "probable_swapped_roles"
    NARROWBAND = "narrowband_8khz"
    CLIPPED = "clipped"
    MONO_DIALOGUE_SIDE = "one_side_nearly_silent"


class NoPair(StrEnum):
    """Why an issue has no ready pair (``pairs.status_reason``).

    The first three stand where nobody has rewritten the reply; the others are what the rewriter says
    (``rewrites.reason``).
    """

    NEEDS_REPLY = "no_reply_in_log"
    UNFINISHED_REQUEST = "unfinished_request"
    CONTENT_FAULT = "content_fault"
    RANK_OVER_BUDGET = "rank_over_budget"
    NO_IMPROVEMENT = "no_improvement"
    UNSPEAKABLE = "unspeakable"
    SAME_AS_ORIGINAL = "same_as_original"
    EMPTY = "empty"
    UNPARSABLE = "unparsable"
    REQUEST_FAILED = "request_failed"
    NO_USER_WORDS = "no_user_words"
    TOO_LONG = "too_long"


class WordDoubt(StrEnum):
    """Why a word that was heard is not believed (``words.dropped``)."""

    EMPTY_TEXT = "empty_text"
    NO_OWN_SPEECH = "no_own_speech"
    ECHO = "echo"
    SILENCE_PHRASE = "silence_phrase"
    REPETITION = "repetition"
    IMPOSSIBLE_RATE = "impossible_rate"
    LANGUAGE_UNKNOWN = "language_unknown"


WHAT_TO_DO: dict[Reason, str] = {
    Reason.MONO: "export the log with model and user on two channels",
    Reason.IDENTICAL_CHANNELS: "both channels hold the same sound: a mono recording was doubled; export two channels",
    Reason.SILENT_CHANNEL: "one channel holds no sound: check the recorder's routing, or, if the model really kept silent, "
    "--set ingest.allow_silent_model=true",
    Reason.NON_FINITE_AUDIO: "the file holds NaN or Inf samples: export it again",
    Reason.TRUNCATED: "the file ends before its header says: copy it again",
    Reason.UNDECODABLE: "no decoder reads this file: check that it is audio and not cut short",
    Reason.EMPTY_AUDIO: "the file holds no audio",
    Reason.TOO_LONG: "split the log or raise `max_duration_s` under [ingest]",
    Reason.TOO_MANY_CHANNELS: "name the two channels in a manifest (model_channel, user_channel)",
    Reason.LENGTH_MISMATCH: "the two channel files differ in length: export them from one clock",
    Reason.DUPLICATE_ID: "give every log its own id (manifest `id`, or another --source name)",
    Reason.PATH_ESCAPES: "a manifest may only name files under its own folder",
    Reason.AUDIO_MISSING: "put the source folder back, or ingest it again from its new place",
    Reason.AUDIO_CHANGED: "the file changed after ingest: run `duplex-miner ingest` again",
    Reason.BAD_MANIFEST_LINE: "mend the manifest line: one JSON object with `id`, `path` and channels that the file has",
    Reason.BAD_WORDS_FILE: "mend the words file that came with the log, or take it away (faults are still mined, from audio)",
    Reason.BAD_TOKENS_FILE: "mend the text stream that came with the log, or take it away (the log is still mined without)",
    Reason.NO_PII_RULES: "set `transcribe.redact.unknown_language=written`, or add the language to miner/pii",
    Reason.ASR_FAILED: "the recogniser failed on this log (faults are still mined, from audio): read the detail, try another --asr",
    Reason.FORGOTTEN: "the dialogue was forgotten on request and stays out",
    Reason.WORKER_CRASHED: "the process died on this dialogue alone (memory or a native crash): look at the file",
    Reason.INTERNAL_ERROR: "a defect of duplex-miner: please report it with the detail",
}

WHY_DROPPED: dict[WordDoubt, str] = {
    WordDoubt.EMPTY_TEXT: "the word has no text",
    WordDoubt.NO_OWN_SPEECH: "nobody spoke on its channel at that time",
    WordDoubt.ECHO: "the other side's words, heard again as the leak that was measured there",
    WordDoubt.SILENCE_PHRASE: "a phrase that recognisers write on silence, on speech too weak or too short to hold it",
    WordDoubt.REPETITION: "a phrase repeated more often than people do; the first time(s) stay",
    WordDoubt.IMPOSSIBLE_RATE: "more words or letters a second than the language can be spoken at",
    WordDoubt.LANGUAGE_UNKNOWN: "not heard: the recogniser does not know the log's language",
}
