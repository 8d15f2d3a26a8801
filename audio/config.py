"""Every threshold of hearing, with its default. Apart from what hears, so that reading settings loads no numerics."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LeakConfig(BaseModel):
    """How the leak is found."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_delay_ms: int = 300
    """Latest arrival that counts as leak."""
    tail_ms: int = 160
    """Reflections after the first arrival that are modelled."""
    clear_ratio: float = 10.0
    """Peak of the path's energy over the mean of the lags where no leak can be, above which there is a leak."""
    max_windows: int = 400
    """Windows of about one second that take part in the estimate (spread evenly over the log)."""
    decay_db_s: float = 120.0
    """Fall of the room's late reverberation, which the filter leaves over."""
    strong_db: float = 10.0
    """Frames in which the model's voice is this close to its loudest tell what stays of the leak."""
    spread: float = 2.0
    """How far above its middle the share that stays is bounded, in units of its lower spread (q40 - q10)."""
    peak_db: float = 10.0
    """How far above its usual power (q60) what stays may rise."""
    max_share_db: float = -10.0
    """Upper bound of that share: more than this of the model's voice is no leak."""


class RefineConfig(BaseModel):
    """How VAD output becomes segments."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    on: float = 0.5
    """Probability at which speech begins."""
    off: float = 0.35
    """Probability below which it ends."""
    above_floor_db: float = 5.0
    """A band holds speech only this far above noise and remaining leak."""
    below_speech_db: float = 30.0
    """Frames this far below the speaker's level are silence, in quiet surroundings ..."""
    onset_below_speech_db: float = 36.0
    """... but right before speech, where no room can ring, a first sound may be this soft ("wh", "f")."""
    below_noise_db: float = 15.0
    """In noise, the frames' energy above the floor may lie this far below the noise itself, not farther."""
    below_residue_db: float = 3.0
    """The same below what may remain of a leak, which is no steadier than speech."""
    tail_below_speech_db: float = 22.0
    """... and after what the VAD calls speech, where a room rings on, a last sound must be this loud."""
    noise_quantile: float = 0.99
    """Nor below this quantile of what the noise itself, where nobody speaks, holds above its floor (babble)."""
    least_below_speech_db: float = 12.0
    """Whatever the noise does, frames this close to the speaker's level are speech."""
    reach_before_ms: int = 250
    """How far before the VAD's onset the energy may put the true one."""
    reach_after_ms: int = 250
    """How far after the VAD's end the energy may put the true one."""
    pause_ms: int = 200
    """Shorter dips belong to the speech around them (stop closures)."""
    min_speech_ms: int = 70
    """Shorter stretches above the floor are clicks and breaths."""
    min_sound_ms: int = 30
    """Shorter sounds are the noise's own chance peaks."""
    min_core_ms: int = 40
    """Of which the VAD must have called speech."""
    loud_below_speech_db: float = 15.0
    """Frames this near to the speaker's level, in which the VAD found nobody, are shown to it again, alone."""
    doubtful_ms: int = 60
    """So long must such a stretch be."""
    stand_out_db: float = 7.0
    """The loud parts of a segment lie this far above what is silence there, else it is not the speaker."""


class VoiceConfig(BaseModel):
    """How a channel is shown to the VAD, and what is made of its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    refine: RefineConfig = RefineConfig()
    """From VAD output to segments."""
    worth_db: float = 7.0
    """Frames in which no band stands out this far from its low values around are not shown to the VAD."""
    silent_dbfs: float = -75.0
    """Frames below this level hold no speech."""
    vad_level_dbfs: float = -26.0
    """Level to which a channel is scaled for the VAD."""
    faded_db: float = 40.0
    """The other side's echo is gone when it is this far below its loudest."""
    max_gain_db: float = 36.0
    """Upper bound of that scaling."""
    least_quiet: float = 0.15
    """Nobody leaves less of a dialogue than this share to the other: the VAD then hears voices in the background."""
    background_db: float = 9.0
    """Then what stays this far below the speaker's level ..."""
    background_ms: int = 300
    """... for this long is not the speaker."""


class HearConfig(BaseModel):
    """All thresholds of hearing."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    leak: LeakConfig = LeakConfig()
    """Leak of the model's voice into the user's channel."""
    voice: VoiceConfig = VoiceConfig()
    """VAD and the edges of speech."""
    audible_leak_db: float = 3.0
    """Leak counts as heard this far above the noise."""
