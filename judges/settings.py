"""Every setting of the judges' room: what can change a row, one section per stage, and apart from it how the work is
done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from judges.heuristic.config import HeuristicConfig
from schemas.verdicts import CONTENT_AXES, Axis
from store.stage import StageConfig

ClientName = Literal["none", "heuristic", "mock", "openai", "recorded", "vllm"]
"""The clients there are: one module of judges/clients each."""


class TranscriptConfig(StageConfig):
    """How much of a dialogue a judge gets to read."""

    turn_chars: Annotated[int, Field(ge=100)] = 2000
    """Longest text of one turn, characters; the middle of a longer one is left out, visibly."""
    dialogue_chars: Annotated[int, Field(ge=1000)] = 40_000
    """Longest transcript, characters: of a longer dialogue the turns to evaluate are shown with what surrounds them."""
    around: NonNegativeInt = 3
    """Turns kept before and after each turn to evaluate where the whole dialogue is too long."""


class JudgeConfig(StageConfig):
    """Who judges, on what, and how it is asked."""

    client: ClientName = "none"
    """Client that judges; `none`: nobody, and no content faults (type A) are looked for."""
    model: str = ""
    """Model to ask for, as the server names it."""
    axes: Annotated[tuple[Axis, ...], Field(min_length=1), AfterValidator(lambda axes: tuple(dict.fromkeys(axes)))] = (
        tuple(Axis)
    )
    """Axes to judge on."""
    axes_per_call: Literal["one", "all"] = "one"
    """`one`: a request per axis; `all`: one request for all axes."""
    temperature: NonNegativeFloat = 0.0
    """Sampling temperature."""
    seed: int = 0
    """Seed of the sampling, where the server takes one."""
    max_tokens: PositiveInt = 2048
    """Longest answer, tokens; an answer that is cut off is asked for once more with four times as many."""
    attempt: NonNegativeInt = 0
    """Raise it to ask again where no answer came; answers that did come are kept and cost nothing."""
    transcript: TranscriptConfig = TranscriptConfig()
    """How much of a dialogue is shown."""
    audio: Literal["off", "turn", "dialogue"] = "off"
    """Sound that is sent to the judge, the user's voice in it (client `openai`, a model that takes audio): `off`: none;
    `turn`: each turn with what surrounds it, in a request of its own; `dialogue`: the talk from its start."""
    audio_around_s: NonNegativeFloat = 5.0
    """Sound before and after the turn (`turn`), seconds."""
    audio_max_s: Annotated[float, Field(ge=1)] = 120.0
    """Longest sound of one request, seconds; what lies beyond is judged by its transcript."""
    heuristic: HeuristicConfig = HeuristicConfig()
    """Thresholds of the client `heuristic`."""


class FlagConfig(StageConfig):
    """When a verdict makes a content fault."""

    max_score: Annotated[int, Field(ge=-1, le=4)] = 1
    """Scores up to this are faults, called problematic or not; -1: only what is called problematic."""
    axes: tuple[Axis, ...] = CONTENT_AXES
    """Axes that make content faults; those of timing cannot."""

    @field_validator("axes")
    @classmethod
    def _content_only(cls, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        if others := [axis.value for axis in axes if axis not in CONTENT_AXES]:
            raise ValueError(f"{', '.join(others)}: no axis of content; choose from {', '.join(CONTENT_AXES)}")
        return axes


class RewriteConfig(StageConfig):
    """Who writes better replies, for how many faults, and what a reply must be."""

    client: ClientName = "none"
    """Client that writes; `none`: nobody, and faults without a usable reply in the log make no pairs."""
    model: str = ""
    """Model to ask for, as the server names it."""
    budget: NonNegativeInt = 2
    """Faults of a dialogue that are put to the rewriter: those of the lowest ranks."""
    persona: str = ""
    """Who the model is: name, languages, manner. It takes the place of the log's own."""
    language: Annotated[str, Field(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*)?$")] = ""
    """BCP-47 tag of the language to write in; empty: the log's own, and English where that is not known."""
    max_words: PositiveInt = 60
    """Longest reply that may be spoken, words."""
    max_sentences: PositiveInt = 4
    """Longest reply that may be spoken, sentences."""
    adequate_score: Annotated[int, Field(ge=0, le=4)] = 2
    """A logged reply may stay when the judge gave it this much on helpfulness, and no less on any axis of content."""
    temperature: NonNegativeFloat = 0.0
    """Sampling temperature."""
    seed: int = 0
    """Seed of the sampling, where the server takes one."""
    max_tokens: PositiveInt = 1024
    """Longest answer, tokens; an answer that is cut off is asked for once more with four times as many."""
    attempt: NonNegativeInt = 0
    """Raise it to ask again where no answer came; answers that did come are kept and cost nothing."""
    context_chars: Annotated[int, Field(ge=6000)] = 20_000
    """Longest context, characters; of a longer one its end is shown."""
    turn_chars: Annotated[int, Field(ge=100, le=2000)] = 2000
    """Longest text of one turn, characters; the middle of a longer one is left out, visibly."""


class ClientSettings(BaseModel):
    """How judges and rewriters are reached. Nothing here can change a row."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    base_url: str = "http://127.0.0.1:8000/v1"
    """Where an OpenAI-compatible server answers."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key, if the server wants one."""
    concurrency: PositiveInt = 64
    """Requests in flight at once."""
    timeout_s: PositiveFloat = 120.0
    """Time one try of a request may take, seconds."""
    deadline_s: PositiveFloat = 600.0
    """Time one request may take with all its retries, seconds."""
    retries: NonNegativeInt = 5
    """Retries after 5xx, timeouts and cut connections; after 429 a request is sent again until the deadline."""
    gone_after: PositiveInt = 10
    """Dialogues in a row that a server answers nothing for, before it counts as gone and the run stops."""
    engine: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Arguments of `vllm.LLM` beside the model (client `vllm`): `max_model_len`, `tensor_parallel_size` ..."""
    prompts: Path | None = None
    """Folder of templates that take the place of those of the same name; what they say is part of the fingerprint."""
    answers: Path | None = None
    """File the answers come from (`mock`: rules; `recorded`: answers); what it says is part of the fingerprint."""
    record: Path | None = None
    """File that every new answer is appended to, for the client `recorded`."""


class JudgeSettings(BaseModel):
    """The sections of this room."""

    model_config = ConfigDict(extra="forbid")

    judge: JudgeConfig = JudgeConfig()
    flag: FlagConfig = FlagConfig()
    rewrite: RewriteConfig = RewriteConfig()
    clients: ClientSettings = Field(default_factory=ClientSettings)
