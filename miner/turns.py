"""Stage ``turns``: activity and words to utterances and backchannels."""

from __future__ import annotations

from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.turns import TURNS
from schemas.words import WORDS
from store.stage import Batch, Stage, StageConfig, StageOutput
from timing.config import TurnRules
from timing.utterances import find_turns


class TurnsConfig(TurnRules, StageConfig):
    """The rules of turns, as a stage's semantic config."""


class Turns(Stage):
    """Reads who speaks when; writes turns. Words are used on the channels that have any, by the dialogue's language.

    The language comes from the dialogue's row. Whatever changes there has already computed ``listen`` again, which
    costs a hundred times as much, so that reading the row costs nothing that counts.
    """

    name = "turns"
    version = 2
    reads = (ACTIVITY, DIALOGUES)
    optional_reads = (WORDS,)
    writes = TURNS
    batch_size = 2048

    def __init__(self, config: TurnsConfig | None = None) -> None:
        super().__init__(config or TurnsConfig())
        self.rules: TurnRules = config or TurnsConfig()

    def process(self, batch: Batch) -> StageOutput:
        """Find the turns of all dialogues of the batch at once."""
        words = batch.tables.get(WORDS.name)
        languages = dict(batch[DIALOGUES].select("dialogue_id", "language").iter_rows())
        return StageOutput(find_turns(batch[ACTIVITY], words, batch.dialogue_ids, self.rules, languages))
