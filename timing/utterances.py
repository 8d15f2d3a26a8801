"""From activity and words to turns: IPUs, backchannels set aside, utterances, floor turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl

from schemas.clock import array_to_s
from schemas.turns import TURNS
from timing.backchannels import backchannel_ipus
from timing.batch import CHANNELS, by_side, number, span_lists, speech
from timing.config import TurnRules
from timing.floor import floor_transfers
from timing.intervals import FAR, NONE, Index, Mask, Spans, pick, union
from timing.lexicon import Lexicon, spoken
from timing.transcript import assign, joined, read_words, said_in, traits


def find_turns(
    activity: pl.DataFrame,
    words: pl.DataFrame | None,
    dialogue_ids: Sequence[str],
    rules: TurnRules,
    languages: Mapping[str, str | None] = MappingProxyType({}),
) -> pl.DataFrame:
    """Rows of the table ``turns`` for all dialogues of a batch.

    ``activity`` and ``words`` are rows of these tables, ``languages`` maps a dialogue's id to its language where it is
    known. A side without undropped words is read by its activity alone, and so are words of a language that has no
    lexicon; its dialogues have no ``lexicon``.
    """
    lexicons = {language: spoken(language, rules.language) for language in {None, *languages.values()}}
    by_name = {lexicon.language: lexicon for lexicon in lexicons.values()}
    groups: dict[str, list[str]] = {}
    for dialogue_id in dialogue_ids:
        groups.setdefault(lexicons[languages.get(dialogue_id)].language, []).append(dialogue_id)
    parts = [_turns_in(activity, words, ids, rules, by_name[name]) for name, ids in groups.items()]
    return pl.concat(parts) if parts else TURNS.empty()


def _turns_in(
    activity: pl.DataFrame, words: pl.DataFrame | None, dialogue_ids: Sequence[str], rules: TurnRules, lexicon: Lexicon
) -> pl.DataFrame:
    """``find_turns`` of dialogues that share a lexicon."""
    heard = read_words(by_side(number(words, dialogue_ids)) if words is not None else None)
    ipus = speech(by_side(number(activity, dialogue_ids)), rules.ipu_bridge_ms - 1)
    owner = assign(heard, ipus)
    ipus, owner = _without_blips(ipus, owner, rules)
    said = said_in(ipus, heard, owner, lexicon.joiner)
    aside = backchannel_ipus(said, rules, lexicon)
    turns, aside_turn, turn = _merge(ipus, aside, rules)

    # From here on IPUs stand by turn, and turns as the table has them: by start, both sides mixed.
    order = np.argsort(turn, kind="stable")
    turn, first = turn[order], np.searchsorted(turn[order], np.arange(len(turns)))
    texts, counts = said.text.gather(order), said.n_words[order]
    text = joined(turn, texts, len(turns), lexicon.joiner)
    dialogue = turns.group // 2
    floor_turn, fto_ms, transfer = floor_transfers(turns, ~aside_turn, ipus.take(~aside))
    n_words = np.bincount(turn, weights=counts, minlength=len(turns)).astype(np.int64)
    rows = pl.DataFrame(
        {
            "dialogue_id": pl.Series(dialogue_ids, dtype=pl.String).gather(dialogue),
            "turn_index": np.arange(len(turns)) - np.searchsorted(dialogue, dialogue),
            "channel": pl.Series(CHANNELS, dtype=pl.String).gather(turns.group % 2),
            "kind": pl.Series(["utterance", "backchannel"]).gather(aside_turn.astype(np.int64)),
            "start_s": array_to_s(turns.start),
            "end_s": array_to_s(turns.end),
            "ipus": span_lists(turn, ipus.start[order], ipus.end[order], len(turns)),
            "text": text,
            "n_words": n_words,
            "worded": said.worded[order][first],
            "floor_turn": floor_turn,
            "fto_s": array_to_s(fto_ms),
            "transfer": transfer,
            "lexicon": pl.Series([lexicon.language or None], dtype=pl.String).new_from_index(0, len(turns)),
        }
    ).hstack(traits(text, _last_said(turn, texts, counts, len(turns)), said.punctuated[order][first], lexicon))
    return rows.with_columns(
        pl.when("worded").then("n_words").alias("n_words"),
        pl.when(pl.col("floor_turn") != NONE).then("floor_turn").alias("floor_turn"),
        pl.when("transfer").then("fto_s").alias("fto_s"),
        pl.when(pl.col("kind") == "utterance").then("is_complete").alias("is_complete"),
    ).select(TURNS.schema.names())


def _without_blips(ipus: Spans, owner: Index, rules: TurnRules) -> tuple[Spans, Index]:
    """Take out what is too short for a word, has none, and does not lie amid own speech; word owners follow."""
    short = ipus.length < rules.blip_max_ms
    short[owner[owner != NONE]] = False
    solid = ipus.take(~short)
    before = solid.last_before(ipus.group, ipus.start)
    after = solid.first_from(ipus.group, ipus.end)
    alone_before = ipus.start - pick(solid.end, before, -FAR) > rules.utterance_pause_ms
    alone_after = pick(solid.start, after, FAR) - ipus.end > rules.utterance_pause_ms
    keep = ~(short & (alone_before | alone_after))
    new_index = np.cumsum(keep) - 1
    return ipus.take(keep), pick(new_index, owner, NONE)


def _merge(ipus: Spans, aside: Mask, rules: TurnRules) -> tuple[Spans, Mask, Index]:
    """Turns in the table's order, which of them are backchannels, and the turn of every IPU."""
    utterances, in_utterance = union(
        ipus.group[~aside],
        ipus.start[~aside],
        ipus.end[~aside],
        rules.utterance_pause_ms + 2 * rules.vad_tolerance_ms,
    )
    backchannels, in_backchannel = union(
        ipus.group[aside], ipus.start[aside], ipus.end[aside], rules.backchannel_silence_ms - 1
    )
    group = np.concatenate((utterances.group, backchannels.group))
    start = np.concatenate((utterances.start, backchannels.start))
    end = np.concatenate((utterances.end, backchannels.end))
    order = np.lexsort((group, end, start, group // 2))
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    turn = np.empty(len(ipus), dtype=np.int64)
    turn[~aside] = position[in_utterance]
    turn[aside] = position[len(utterances) + in_backchannel]
    return Spans(group[order], start[order], end[order]), order >= len(utterances), turn


def _last_said(turn: Index, texts: pl.Series, counts: Index, n: int) -> pl.Series:
    """Text of the last IPU with words of every turn, null where there is none. IPUs stand by turn."""
    last = np.full(n, NONE, dtype=np.int64)
    with_words = np.flatnonzero(counts > 0)
    last[turn[with_words]] = with_words
    return texts.gather(pl.Series(last).replace(NONE, None))
