"""Every threshold of the timing rules, with its default and where it comes from. Milliseconds, integers.

VAP = Voice Activity Projection; H&E = Heldner & Edlund 2010; Kyutai26 = arXiv 2606.11167; SWB = measured on the word
times of Switchboard. Split in two, so that a new limit for issues leaves the turns as they are.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from timing.lexicon import load


def _known(language: str) -> str:
    load(language)
    return language


Language = Annotated[str, AfterValidator(_known)]
"""A BCP-47 language with a lexicon."""


class TurnRules(BaseModel):
    """How speech becomes IPUs, backchannels, utterances and floor turns."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    language: Language = "en"
    """Language of dialogues that name none; its lexicon (timing/lexicon/LANGUAGE.toml) tells backchannels, closings and
    questions. A dialogue in a language without a lexicon is read by lengths and marks alone."""
    ipu_bridge_ms: int = Field(200, ge=1)
    """Own gaps below this are bridged into one inter-pausal unit (H&E: shorter ones are stop closures)."""
    blip_max_ms: int = Field(200, ge=0)
    """A wordless IPU below this at the edge of own speech or far from it is noise and makes no turn."""
    utterance_pause_ms: int = Field(1000, ge=0)
    """Own pauses up to this stay inside one utterance, whatever the other side does (Kyutai26)."""
    vad_tolerance_ms: int = Field(100, ge=0)
    """Uncertainty of each edge a VAD draws. The pauses inside an utterance and the silence around a wordless
    backchannel have two such edges and get twice this on top of their limit, its length gets it once."""
    backchannel_words_max_ms: int = Field(1500, ge=0)
    """Longest backchannel when its words are known and all in the lexicon (SWB)."""
    backchannel_max_ms: int = Field(1000, ge=0)
    """Longest backchannel when words are not known (VAP)."""
    backchannel_silence_ms: int = Field(1000, ge=0)
    """Own silence before a backchannel, and after it too when words are not known (VAP)."""
    backchannel_hold_ms: int = Field(500, ge=0)
    """Without words, the other side must hold the floor at least this long past a backchannel's onset."""
    goes_on_ms: int = Field(1000, ge=0)
    """The other side goes on when it speaks again within this time."""


class IssueRules(BaseModel):
    """When a turn is a fault (B, C), and when it is an event of the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cut_in_after_ms: int = Field(500, ge=0)
    """B cut_in, cut_off: the user has been speaking for more than this; below, both began at once."""
    terminal_overlap_ms: int = Field(500, ge=0)
    """An onset with at most this left of the user's utterance is terminal overlap (SWB p5 of FTO: -0.64 s)."""
    min_overlap_ms: int = Field(500, ge=0)
    """B cut_in: both sides speak at once for at least this long."""
    takeover_speech_ms: int = Field(1000, ge=0)
    """B pause_takeover: the model speaks for more than this; below, it gave way or only acknowledged."""
    takeover_pause_ms: int = Field(1000, ge=0)
    """B pause_takeover: the user's pause is at most this long, or ..."""
    reaction_ms: int = Field(750, ge=0)
    """... longer by VAD's uncertainty, and the user goes on sooner than people respond to what they hear."""
    hesitation_ms: int = Field(500, ge=0)
    """A pause shorter than this is hesitation inside speech; listeners do not respond that soon."""
    resume_speech_ms: int = Field(500, ge=0)
    """B pause_takeover without words: the user's next speech is longer than this, else it may be a backchannel."""
    no_response_ms: int = Field(3000, ge=1)
    """C: nobody starts for longer than this after the user's end (SWB: 0.35 % of transfers pass 2 s)."""
    vad_tolerance_ms: int = Field(100, ge=0)
    """Uncertainty of an utterance's length as a VAD draws it."""
    min_request_ms: int = Field(400, ge=0)
    """C: a wordless user utterance shorter than this asks nothing and is not speaking again. The first one of a log
    may be shorter by VAD's uncertainty."""
    min_answer_ms: int = Field(250, ge=0)
    """C: the limit where the user speaks next after the model, since answers ("Yeah.") are short."""
    talks_past_ms: int = Field(1000, ge=0)
    """C: a model that was barged in on answers for itself when it goes on longer than this past the user's end."""
    slow_answer_ms: int = Field(1000, ge=0)
    """Event slow_answer: a reply later than this but in time (SWB p95 of FTO: 0.82 s)."""
    barge_in_left_ms: int = Field(500, ge=0)
    """Event barge_in: the model has more than this left when the user starts; below, it is terminal overlap."""
    ignored_barge_in_ms: int = Field(2000, ge=0)
    """Event D1: the model talks on for longer than this after a barge-in."""
    false_yield_ms: int = Field(500, ge=0)
    """Event E: the model breaks off before this much time has passed since a user backchannel ended."""
    nobody_asked_ms: int = Field(3000, ge=0)
    """Event K: the model speaks again after its own silence of more than this, and the user said nothing."""
    talk_over_ms: int = Field(3000, ge=0)
    """Event L: two utterances overlap for at least this long."""
    loop_window_ms: int = Field(10_000, ge=0)
    """Event I: the repetitions lie within this time."""
    loop_repeats: int = Field(3, ge=2)
    """Event I: so many times the same three words in a row."""
    truncated_margin_ms: int = Field(2000, ge=0)
    """Event J: no user speech from this long before the model's unfinished end until shortly after it."""
    repeat_turns: int = Field(3, ge=1)
    """Event user_repeats: compared with so many own utterances before."""
    repeat_within_ms: int = Field(60_000, ge=0)
    """Event user_repeats: the earlier one ended at most this long before."""
    repeat_words: int = Field(3, ge=1)
    """Event user_repeats: both have at least so many different words (pairs of letters without spaces)."""
    repeat_words_percent: int = Field(60, ge=0, le=100)
    """Event user_repeats: share of words that both have (Dice, twice the common ones by the sum) is over this, ..."""
    repeat_content_percent: int = Field(80, ge=0, le=100)
    """... and that of the words which tell what is asked for over this."""
