"""Stage ``judge``: what a judge says of every reply, axis by axis."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import polars as pl

from judges.clients import Client, open_client
from judges.clients.cache import Cached
from judges.dialogue import dialogues_of
from judges.grading import Verdict, grade
from judges.heuristic.config import HeuristicConfig
from judges.heuristic.lexicon import lexicons_hash
from judges.rubric import Rubric
from judges.settings import ClientSettings, JudgeConfig
from judges.sound import Sound
from judges.templates import Templates
from schemas.dialogues import DIALOGUES
from schemas.ids import bytes_hash
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS
from store.layout import Store, StoreError
from store.stage import Batch, Stage, StageOutput

NO_JUDGE = (
    "no judge is configured, so no content faults (type A) are looked for: "
    "set judge.client (docs/judge.md) and run again"
)
_CAN_HEAR = frozenset({"openai"})
"""Clients that send sound along."""

DIALOGUES_PER_SLOT = 8
"""Dialogues of a task for each request in flight: enough that the slow end of a task does not count, and no more, since
progress is told task by task."""


class JudgedBy(JudgeConfig):
    """The settings of a judge, and what the files they name say."""

    prompts: str
    """Hash of the templates that are used."""
    answers: str
    """Hash of what answers come from beside a model, the file or the word lists; empty without."""


class Judge(Stage):
    """Puts every utterance of the model to a judge and writes down its grades, or why there are none.

    Requests wait on a server far more than they work here, so all of a task's are in flight together, and what is
    answered is kept in ``store``. ``sources`` says where the source of each ``source_id`` lies now, for judges that
    hear. Raises StoreError for templates or files that cannot be used, and for a client that cannot hear.
    """

    name = "judge"
    version = 2
    reads = (DIALOGUES, TURNS)
    writes = VERDICTS
    in_one_process = True

    config: JudgedBy

    def __init__(
        self,
        config: JudgeConfig,
        clients: ClientSettings,
        *,
        store: Store,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        if config.client == "none":
            raise StoreError(NO_JUDGE)
        if config.audio != "off" and config.client not in _CAN_HEAR:
            raise StoreError(
                f"judge.audio is {config.audio}, and the client {config.client} cannot hear: set judge.client to "
                f"{' or '.join(sorted(_CAN_HEAR))} with a model that takes audio, or judge.audio to off"
            )
        self.rubric = Rubric.of(config, Templates.load(clients.prompts))
        by_words = config.client == "heuristic"
        # Thresholds of a client that does not judge change no row.
        own = config if by_words else config.model_copy(update={"heuristic": HeuristicConfig()})
        answers = lexicons_hash() if by_words else answers_hash(clients)
        super().__init__(JudgedBy(**dict(own), prompts=self.rubric.version, answers=answers))
        self.clients = clients
        self.batch_size = max(32, DIALOGUES_PER_SLOT * clients.concurrency)
        self.store = store
        self.sources = dict(sources or {})
        if config.audio != "off":
            self.told = (
                f"judge.audio is {config.audio}: sound of the logs, the user's voice in it, is sent to the judge's "
                "server (clients.base_url)"
            )
        self._client: Client | None = None

    def open(self) -> None:
        """Open the client."""
        own = self.config.heuristic if self.config.client == "heuristic" else None
        client = open_client(self.config.client, self.config.model, self.clients, own)
        self._client = Cached(client, self.store) if client.paid else client

    def close(self) -> None:
        """Let the client go, and with it a model that it may hold."""
        self._client = None

    def process(self, batch: Batch) -> StageOutput:
        """Judge the dialogues of a batch. Raises ServerGoneError."""
        assert self._client is not None
        dialogues = list(dialogues_of(batch[DIALOGUES], batch[TURNS]))
        sound = None if self.config.audio == "off" else Sound(batch[DIALOGUES], self.sources, self.config)
        verdicts = asyncio.run(grade(self._client, self.rubric, dialogues, sound))
        rows = [_row(verdict, self._client) for verdict in verdicts]
        times = batch[TURNS].select("dialogue_id", "turn_index", pl.col("start_s").alias("t_s"), "end_s")
        frame = pl.DataFrame(rows, schema={k: t for k, t in VERDICTS.schema.items() if k not in ("t_s", "end_s")})
        return StageOutput(frame.join(times, on=["dialogue_id", "turn_index"], how="left"))


def _row(verdict: Verdict, client: Client) -> dict[str, Any]:
    given, outcome = verdict.given, verdict.outcome
    row: dict[str, Any] = {
        "dialogue_id": verdict.dialogue.dialogue_id,
        "turn_index": verdict.turn_index,
        "axis": verdict.axis.value,
        "unscored": verdict.unscored,
        "judge": client.name,
        "judge_model": client.model,
        "note": verdict.note,
    }
    if given is not None:
        row |= {
            "score": given.score,
            "problematic": given.problematic,
            "justification": given.justification,
            "confidence": given.confidence,
        }
    if outcome is not None:
        notes = [*outcome.notes, *(outcome.value.notes if outcome.value is not None else ())]
        row |= {
            "raw_text": outcome.raw_text if given is None else None,
            "note": "; ".join(notes) or None,
            "request": outcome.key,
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "latency_s": outcome.latency_s,
            "cached": outcome.cached,
        }
    return row


def answers_hash(clients: ClientSettings) -> str:
    """Hash of the file that answers come from; empty without one. Raises StoreError when it cannot be read."""
    if clients.answers is None:
        return ""
    try:
        return bytes_hash(clients.answers.read_bytes())
    except OSError as error:
        raise StoreError(f"cannot read {clients.answers} ({error.strerror}): check clients.answers") from None
