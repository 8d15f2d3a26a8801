"""What a stage is: the tables it reads, the table it writes, and a pure function from a batch to rows.

A stage holds a frozen *semantic config*: everything that can change a row, and nothing else. Paths, URLs, worker
counts and batch sizes are execution options and live on the stage object beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl
from pydantic import BaseModel, ConfigDict

from schemas.ids import stable_hash
from schemas.reasons import Reason
from schemas.table import Table


class StopRunError(Exception):
    """Raised by a stage when going on is of no use, whatever the dialogue: a server that is gone, a full quota.

    The run stops with the message; nothing is quarantined, and the same command goes on where it was.
    """


class StageConfig(BaseModel):
    """Base of every semantic config: frozen, and no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class Quarantined:
    """A dialogue a stage could not process, with the reason code and what exactly was found."""

    dialogue_id: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Batch:
    """Some dialogues of one bucket and their rows of every table the stage reads (without the store's own columns).

    ``variants`` maps a table's name to its variant in this run, for lineage columns.
    """

    dialogue_ids: Sequence[str]
    tables: Mapping[str, pl.DataFrame]
    variants: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, table: Table) -> pl.DataFrame:
        return self.tables[table.name]


@dataclass(frozen=True)
class StageOutput:
    """Rows of the stage's table, and the dialogues of the batch that could not be processed.

    A dialogue with no rows and no quarantine is done with zero rows.
    """

    rows: pl.DataFrame
    quarantined: Sequence[Quarantined] = field(default_factory=tuple)


class Stage(ABC):
    """One arrow of the house. Subclasses are picklable, cheap to construct and open what is heavy in ``open``."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raise it when the code changes what rows come out."""
    reads: ClassVar[tuple[Table, ...]]
    optional_reads: ClassVar[tuple[Table, ...]] = ()
    """Tables used where they are there: a dialogue without them is processed all the same, and again once they come."""
    writes: ClassVar[Table]
    batch_size: int = 1024
    """Dialogues per task: many for columnar stages, few for stages that take seconds a dialogue."""
    told: str = ""
    """What a person should know of how the work will be done, one line; printed before it begins."""
    in_one_process: ClassVar[bool] = False
    """Its tasks run one after another in the command's own process: for stages that wait on others more than they
    work, and do many things at once within a task."""

    def __init__(self, config: StageConfig) -> None:
        self.config = config

    @property
    def variant(self) -> str:
        """Fingerprint of (stage, version, semantic config): names the variant of the table it writes."""
        return stable_hash(self.name, self.version, self.config.model_dump_json())

    def open(self) -> None:  # noqa: B027 - most stages have nothing to open
        """Load heavy resources. Called once per worker, before the first batch."""

    def close(self) -> None:  # noqa: B027 - most stages have nothing to close
        """Let go of what ``open`` loaded. Called before this worker opens another stage."""

    @abstractmethod
    def process(self, batch: Batch) -> StageOutput:
        """Turn a batch into rows. An exception costs the dialogues it is raised for, one by one, never the run."""
