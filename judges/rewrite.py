"""Stage ``rewrite``: what the model should have said where it went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import polars as pl

from judges.clients import Client, open_client
from judges.clients.cache import Cached
from judges.faults import faults_of
from judges.judge import DIALOGUES_PER_SLOT, answers_hash
from judges.ladder import Outcome
from judges.rewriter import Rewriter, Written
from judges.rewriting import Rewritten, rewrite
from judges.settings import ClientSettings, RewriteConfig
from judges.templates import Templates
from schemas.content_issues import CONTENT_ISSUES
from schemas.dialogues import DIALOGUES
from schemas.rewrites import REWRITES
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS
from store.layout import Store, StoreError
from store.stage import Batch, Stage, StageOutput

NO_REWRITER = (
    "no rewriter is configured, so no replies are written, and faults without a usable reply in the log make no pairs: "
    "set rewrite.client (docs/rewrite.md) and run again"
)
_CANNOT_WRITE = frozenset({"heuristic"})
"""Clients that only judge."""


class RewrittenBy(RewriteConfig):
    """The settings of a rewriter, and what the files they name say."""

    prompts: str
    """Hash of the templates that are used."""
    answers: str
    """Hash of the file that answers come from; empty without one."""


class Rewrite(Stage):
    """Writes what the model should have said where it went wrong, or why there is no such reply.

    Verdicts are used where they are there; without a judge, faults of timing (B, C) are put to the rewriter all the
    same.
    Raises StoreError for templates or files that cannot be used.
    """

    name = "rewrite"
    version = 2
    reads = (DIALOGUES, TURNS, TIMING_EVENTS)
    optional_reads = (CONTENT_ISSUES, VERDICTS)
    writes = REWRITES
    in_one_process = True

    config: RewrittenBy

    def __init__(self, config: RewriteConfig, clients: ClientSettings, *, store: Store) -> None:
        if config.client == "none":
            raise StoreError(NO_REWRITER)
        if config.client in _CANNOT_WRITE:
            raise StoreError(f"the client {config.client} judges and cannot write: set rewrite.client to another one")
        self.rewriter = Rewriter.of(config, Templates.load(clients.prompts))
        super().__init__(RewrittenBy(**dict(config), prompts=self.rewriter.version, answers=answers_hash(clients)))
        self.clients = clients
        self.batch_size = max(32, DIALOGUES_PER_SLOT * clients.concurrency)
        self.store = store
        self._client: Client | None = None

    def open(self) -> None:
        """Open the client."""
        client = open_client(self.config.client, self.config.model, self.clients)
        self._client = Cached(client, self.store) if client.paid else client

    def close(self) -> None:
        """Let the client go, and with it a model that it may hold."""
        self._client = None

    def process(self, batch: Batch) -> StageOutput:
        """Look at every fault of a batch. Raises ServerGoneError."""
        assert self._client is not None
        faults = faults_of(
            batch[DIALOGUES],
            batch[TURNS],
            batch[TIMING_EVENTS],
            batch.tables.get(CONTENT_ISSUES.name, CONTENT_ISSUES.empty()),
            batch.tables.get(VERDICTS.name, VERDICTS.empty()),
            self.config.adequate_score,
        )
        found = asyncio.run(rewrite(self._client, self.rewriter, list(faults)))
        return StageOutput(pl.DataFrame([_row(one, self._client) for one in found], schema=REWRITES.schema))


def _row(one: Rewritten, client: Client) -> dict[str, Any]:
    fault, written = one.fault, one.written
    return {
        "issue_id": fault.issue_id,
        "dialogue_id": fault.dialogue.dialogue_id,
        "pair_type": fault.pair_type,
        "t0_s": fault.t0_s,
        "turn_index": None if fault.reply is None else fault.reply.index,
        "user_turn_index": None if fault.asked is None else fault.asked.index,
        "status": one.status,
        "reason": one.reason,
        "detail": one.detail,
        "original": None if fault.reply is None else fault.reply.text or None,
        "improved_response": None if written is None else written.improved_response,
        "explanation": None if written is None else written.explanation,
        "improvement": None if written is None else written.improvement,
        "edit_share": one.edit_share,
        "rewriter": client.name,
        "rewriter_model": client.model,
        **_cost(one.tries),
    }


def _cost(tries: Sequence[Outcome[Written]]) -> dict[str, Any]:
    """Tokens and time of all tries together."""
    cost: dict[str, Any] = {
        name: sum(numbers) if (numbers := [n for one in tries if (n := getattr(one, name)) is not None]) else None
        for name in ("prompt_tokens", "completion_tokens", "latency_s")
    }
    return {**cost, "cached": all(one.cached for one in tries) if tries else None}
