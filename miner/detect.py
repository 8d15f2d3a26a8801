"""Stage ``detect``: turns to issues B and C and the events of the ledger."""

from __future__ import annotations

from schemas.activity import ACTIVITY
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.words import WORDS
from store.stage import Batch, Stage, StageConfig, StageOutput
from timing.config import IssueRules
from timing.detection import find_events


class DetectConfig(IssueRules, StageConfig):
    """The rules of issues and events, as a stage's semantic config."""


class Detect(Stage):
    """Reads turns; writes faults and events. Activity gives the length of the log, words what they alone can tell."""

    name = "detect"
    version = 2
    reads = (ACTIVITY, TURNS)
    optional_reads = (WORDS,)
    writes = TIMING_EVENTS
    batch_size = 2048

    def __init__(self, config: DetectConfig | None = None) -> None:
        super().__init__(config or DetectConfig())
        self.rules: IssueRules = config or DetectConfig()

    def process(self, batch: Batch) -> StageOutput:
        """Find the events of all dialogues of the batch at once."""
        words = batch.tables.get(WORDS.name)
        return StageOutput(find_events(batch[ACTIVITY], batch[TURNS], words, batch.dialogue_ids, self.rules))
