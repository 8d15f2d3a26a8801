"""Stage ``figures``: counts and seconds of turn taking per dialogue."""

from __future__ import annotations

from schemas.activity import ACTIVITY
from schemas.figures import FIGURES
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from store.stage import Batch, Stage, StageConfig, StageOutput
from timing.figures import dialogue_figures


class Figures(Stage):
    """Reads activity, turns and events; writes one row per dialogue of what adds up. There is nothing to set."""

    name = "figures"
    version = 1
    reads = (ACTIVITY, TURNS, TIMING_EVENTS)
    writes = FIGURES
    batch_size = 4096

    def __init__(self) -> None:
        super().__init__(StageConfig())

    def process(self, batch: Batch) -> StageOutput:
        """Count what happened in all dialogues of the batch at once."""
        return StageOutput(dialogue_figures(batch[ACTIVITY], batch[TURNS], batch[TIMING_EVENTS], batch.dialogue_ids))
