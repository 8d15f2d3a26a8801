"""Stage ``transcribe``: the words of a log, heard or brought along, held against the speech of their own channel."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from audio.asr import HEARD, WordsError
from audio.asr.choose import AsrName, Choice
from audio.asr.clips import ClipConfig
from audio.asr.listening import RecogniserFailedError
from audio.asr.options import FasterWhisperOptions, HowToRun, PocketsphinxOptions, WhisperOptions
from audio.asr.tokens import TokenWords, words_of_tokens
from audio.decode import DecodeError
from audio.words.config import WordsConfig
from audio.words.doubt import doubt
from audio.words.mend import mend
from miner.log_words import Channel, DiarizeConfig, LogWords
from miner.redact import RedactConfig, redact
from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason, WordDoubt
from schemas.text_tokens import TEXT_TOKENS
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

GIVEN = "given"
TEXT_STREAM = "text_stream"
"""What stands for the backend where the model's own text stream gave the words."""

SAID = pl.Schema({"dialogue_id": pl.String(), **HEARD, "asr": pl.String()})


class TranscribeConfig(StageConfig):
    """Who hears the words, which are taken and which are believed."""

    asr: AsrName = "auto"
    """Recogniser: `auto` takes the best that works here (faster-whisper or openai-whisper with weights on this machine,
    else pocketsphinx); `given` hears nothing and takes only words that came with the log."""
    model: str | None = None
    """Weights for Whisper: a name (small, large-v3-turbo, ...), a folder or a file; without one `small`."""
    use_given: bool = True
    """Words that came with a log are taken for the channels they are of; false hears those channels as well."""
    align_given: bool = True
    """Given text without times of its words (sentences, or no times at all) is aligned with the audio (English)."""
    language: str | None = None
    """Language (BCP-47) of logs that do not name theirs; without one Whisper finds out, pocketsphinx reads English."""
    clips: ClipConfig = ClipConfig()
    """How own speech is cut into clips for the recogniser."""
    whisper: WhisperOptions = WhisperOptions()
    """Decoding of both Whisper backends."""
    faster_whisper: FasterWhisperOptions = FasterWhisperOptions()
    """What only faster-whisper has."""
    pocketsphinx: PocketsphinxOptions = PocketsphinxOptions()
    """Decoding of PocketSphinx."""
    words: WordsConfig = WordsConfig()
    """How words are placed on their channel's speech, and which are believed."""
    tokens: TokenWords = TokenWords()
    """Words from the model's own text stream."""
    diarize: DiarizeConfig = DiarizeConfig()
    """Who of several people on one channel speaks."""
    redact: RedactConfig = RedactConfig()
    """Personal data taken out of the words before they are stored."""


class HeardBy(TranscribeConfig):
    """The settings once the recogniser is chosen: what was asked for gives way to what it came to."""

    weights: str | None = None
    """Identity of the recogniser's weights: a revision or a hash of the content."""
    package: str | None = None
    """Version of the recogniser's package."""


class Transcribe(Stage):
    """Writes the words of each channel: those that came with the log, else those that a recogniser hears in its speech.

    ``choice``: the recogniser (``audio.asr.choose``). ``sources`` says where the source of each ``source_id`` lies now.
    """

    name = "transcribe"
    version = 3
    reads = (DIALOGUES, ACTIVITY)
    optional_reads = (TEXT_TOKENS,)
    writes = WORDS
    batch_size = 4

    config: HeardBy

    def __init__(
        self,
        config: TranscribeConfig,
        *,
        choice: Choice,
        sources: Mapping[str, str],
        how: HowToRun | None = None,
    ) -> None:
        chosen = {"asr": choice.name, "model": None, "weights": choice.identity, "package": choice.package_version}
        super().__init__(HeardBy.model_validate(config.model_dump(include=_matters(config, choice)) | chosen))
        self.choice = choice
        self.told = choice.told
        self.sources = dict(sources)
        self.how = how or HowToRun()
        if choice.name == GIVEN:
            self.batch_size = 256
        self._log_words: LogWords | None = None

    def open(self) -> None:
        """Load the recogniser."""
        options = self.config.whisper, self.config.faster_whisper, self.config.pocketsphinx
        self._log_words = LogWords(
            self.choice,
            {key: value for part in options for key, value in part.model_dump().items()},
            self.how,
            self.config.clips,
            self.config.diarize,
            self.sources,
            language=self.config.language,
            align=self.config.align_given,
        )

    def process(self, batch: Batch) -> StageOutput:
        """The words of every dialogue. One that cannot be heard, or whose own words are broken, is quarantined.

        A channel in a language that the recogniser does not know gets one row without text, dropped for that reason.
        """
        if self._log_words is None:
            self.open()
        assert self._log_words is not None
        streamed = self._text_stream(batch)
        has_stream = frozenset(streamed["dialogue_id"])
        activity = batch[ACTIVITY].partition_by("dialogue_id", as_dict=True)
        said, unread, people = [streamed], [_unread("", {}, "")], []
        quarantined: list[Quarantined] = []
        for row in batch[DIALOGUES].iter_rows(named=True):
            dialogue_id = row["dialogue_id"]
            try:
                log = self._log_words.of(
                    row,
                    activity[dialogue_id,],
                    known=("model",) if dialogue_id in has_stream else (),
                    use_given=self.config.use_given or self.choice.name == GIVEN,
                )
            except WordsError as error:
                quarantined.append(Quarantined(dialogue_id, Reason.BAD_WORDS_FILE, str(error)))
            except DecodeError as error:
                quarantined.append(Quarantined(dialogue_id, error.reason, error.detail))
            except RecogniserFailedError as error:
                quarantined.append(Quarantined(dialogue_id, Reason.ASR_FAILED, str(error)))
            else:
                said += [_said(dialogue_id, log.given, GIVEN), _said(dialogue_id, log.heard, self.choice.label)]
                unread.append(_unread(dialogue_id, log.unread, self.choice.label))
                people += [(dialogue_id, channel, turns) for channel, turns in log.speakers.items()]
        failed = [one.dialogue_id for one in quarantined]
        words = pl.concat(said).filter(~pl.col("dialogue_id").is_in(failed))
        mended = mend(words, batch[ACTIVITY], batch[DIALOGUES], self.config.words.mend)
        rows = doubt(mended, batch[ACTIVITY], batch[DIALOGUES], self.config.words)
        rows = self._log_words.with_speakers(rows, people)
        rows = pl.concat([rows, *unread], how="diagonal")
        if self.config.redact.enabled:
            rows, without_rules = redact(rows, batch[DIALOGUES], self.config.redact)
            quarantined += without_rules
        return StageOutput(rows, quarantined)

    def _text_stream(self, batch: Batch) -> pl.DataFrame:
        """Words of the model's own text stream, where there is one: they are the words of its channel."""
        if TEXT_TOKENS.name not in batch.tables:
            return SAID.to_frame()
        words = words_of_tokens(batch[TEXT_TOKENS], batch[ACTIVITY], self.config.tokens)
        return words.with_columns(pl.lit(TEXT_STREAM).alias("asr")).select(SAID.names())


def _matters(config: TranscribeConfig, choice: Choice) -> set[str]:
    """The settings that can change a word with this recogniser."""
    always = {"words", "tokens", "redact", "diarize", "align_given", "language"}
    if choice.name == GIVEN:
        return always
    own = {
        "faster-whisper": {"whisper", "faster_whisper"},
        "openai-whisper": {"whisper"},
        "pocketsphinx": {"pocketsphinx"},
    }
    return always | {"use_given", "clips"} | own[choice.name]


def _said(dialogue_id: str, words: pl.DataFrame, asr: str) -> pl.DataFrame:
    """Words of a log (``HEARD``) with whose they are and who heard them, columns ``SAID``."""
    return words.select(pl.lit(dialogue_id).alias("dialogue_id"), pl.all(), pl.lit(asr).alias("asr"))


def _unread(dialogue_id: str, channels: Mapping[Channel, tuple[float, float]], asr: str) -> pl.DataFrame:
    """A row for each channel whose language the recogniser does not know, from its first speech to its last."""
    rows = [
        (dialogue_id, channel, 0, "", start_s, end_s, "asr", WordDoubt.LANGUAGE_UNKNOWN.value, asr)
        for channel, (start_s, end_s) in channels.items()
    ]
    names = ("dialogue_id", "channel", "word_index", "text", "start_s", "end_s", "timing_source", "dropped", "asr")
    return pl.DataFrame(rows, schema={name: WORDS.schema[name] for name in names}, orient="row")
