"""Every threshold of mending and doubting word times, with its default and where it comes from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat


class MendConfig(BaseModel):
    """How word times are mended."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    speech_tolerance_s: NonNegativeFloat = 0.25
    """A word this close to own-channel speech belongs to it, seconds; one further away was not said there."""
    bridge_s: NonNegativeFloat = 0.2
    """Own gaps below this lie inside a word or between two words of one stretch, seconds (IPU; stop closures)."""
    run_on_s: NonNegativeFloat = 0.25
    """A word that lasts longer than this past the speech it began in is cut at that speech's end, seconds."""
    apart_s: NonNegativeFloat = 0.5
    """A word with this much before it and the word before stands first; if over-long, it keeps its end, seconds."""
    min_word_s: PositiveFloat = 0.02
    """A word shorter than this has no width of its own and gets its usual length, as far as there is room, seconds."""
    max_offset_s: NonNegativeFloat = 5.0
    """Furthest that words are moved as a whole to fit the speech, seconds either way; 0 leaves them."""
    offset_step_s: PositiveFloat = 0.04
    """Step of the search for that offset, seconds: half a frame."""
    offset_suspect: float = Field(0.08, ge=0, le=1)
    """Channels with at most this share of their words' time outside their speech keep their times, and others must
    come down to it; true words have at most 0.04 there."""
    offset_gain: float = Field(0.8, ge=0, le=1)
    """An offset must bring at least this share of that time into speech, or the times stay."""
    offset_fill: float = Field(0.6, ge=0, le=1)
    """Words moved by an offset must fill at least this share of the speech they come to lie in: what was said there."""
    offset_cost_s: NonNegativeFloat = 2.0
    """A change of the offset within a log must bring this many more seconds of words onto speech."""
    offset_runs: NonNegativeInt = 3
    """A new offset must hold for so many stretches of words, each with two edges to agree."""


class DoubtConfig(BaseModel):
    """Which words are not believed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    loop_words: int = Field(20, ge=1)
    """Longest phrase looked for in a loop, words."""
    loop_repeats: int = Field(4, ge=2)
    """So many times the same phrase in a row is a loop if its tempo is nobody's; people say things three times."""
    loop_word_repeats: int = Field(6, ge=2)
    """The same for a single word ("no no no no")."""
    loop_never_said: PositiveFloat = 1.5
    """This many times that often in a row, a recogniser's loop is not believed at any tempo."""
    loop_keep: int = Field(3, ge=1)
    """Repetitions that stay of a loop at a natural tempo, so that a speaker's own loop is still seen."""
    rate_words: int = Field(10, ge=2)
    """Words in a row whose rate is measured; fewer in a row are held against their whole stretch of speech."""
    stretch_s: NonNegativeFloat = 0.5
    """Words further apart than this belong to two stretches, seconds."""
    weak_db: NonNegativeFloat = 15.0
    """Speech this far below its channel's own level is weak, dB: known phrases on it are not believed."""
    hurry: PositiveFloat = 0.8
    """Known phrases are not believed from this share of the language's impossible rate on."""
    echo_lead_s: NonNegativeFloat = 0.15
    """A leaked word is heard at most this long before the other side's, seconds: the error of two word times."""
    echo_delay_s: NonNegativeFloat = 0.5
    """A leaked word is heard at most this long after the other side's, seconds (air and device: 30-120 ms)."""
    echo_margin_db: NonNegativeFloat = 6.0
    """Speech up to this far above the leak's measured level may be leak, dB."""
    echo_share: float = Field(0.5, gt=0, le=1)
    """Share of a stretch's words that must repeat the other side's for the stretch to be its echo."""


class WordsConfig(BaseModel):
    """How words are placed on their channel's speech, and which are believed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    mend: MendConfig = MendConfig()
    """Times."""
    doubt: DoubtConfig = DoubtConfig()
    """Texts."""
