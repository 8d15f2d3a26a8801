"""Trouble in the user's own words: a request said again, and complaints. Events of the ledger; they need words.

They make no pairs: a judge and a report see by them which of the model's turns the user was not content with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.timing_events import Event
from timing.config import IssueRules
from timing.found import Found
from timing.intervals import NONE, Index, pick
from timing.lexicon import Lexicon
from timing.talk import Talk
from timing.transcript import matches, normalised


def repeats(talk: Talk, rules: IssueRules) -> Found:
    """The user says what an own utterance shortly before said. ``other`` is the model's last turn in between."""
    user, model = talk.user, talk.model
    words = _words(user.text, talk.lexicon)
    best = np.zeros(len(user.turns), dtype=np.int64)
    first = np.full(len(user.turns), NONE, dtype=np.int64)
    for back in range(1, rules.repeat_turns + 1):
        later = np.arange(back, len(user.turns))
        earlier = later - back
        since = user.turns.start[later] - user.turns.end[earlier]
        near = (user.turns.group[later] == user.turns.group[earlier]) & (since <= rules.repeat_within_ms)
        later, earlier = later[near], earlier[near]
        alike = _alike(words, later, earlier, rules)
        better = alike > best[later]
        best[later[better]], first[later[better]] = alike[better], earlier[better]
    u = np.flatnonzero(first != NONE)
    group, start, ended = user.turns.group[u], user.turns.start[u], user.turns.end[first[u]]
    m = model.turns.last_before(group, start)
    between = (m != NONE) & (pick(model.turns.end, m, 0) > ended)
    return Found(
        Event.USER_REPEATS,
        group,
        start,
        user.turns.end[u],
        user.turn_index[u],
        np.where(between, pick(model.turn_index, m, NONE), NONE),
        {"similarity_percent": best[u], "since_first_s": start - ended, "first_turn_index": user.turn_index[first[u]]},
    )


def complaints(talk: Talk) -> list[Found]:
    """The user complains of how the model talks. ``other`` is the model's last turn, running or over."""
    user, model = talk.user, talk.model
    group, start = user.turns.group, user.turns.start
    m = model.turns.last_before(group, start)
    opens = user.turns.neighbours()[0] == NONE
    patterns = talk.lexicon.complaint_patterns
    some = np.flatnonzero(matches(user.text, "|".join(patterns.values()), talk.lexicon.joiner))
    found = []
    for kind, pattern in patterns.items():
        # Whoever tries the line says "can you hear me" first; whoever speaks of an answer has had one.
        about = ~opens[some] if kind == "unheard" else m[some] != NONE
        u = some[matches(user.text.gather(some), pattern, talk.lexicon.joiner) & about]
        silent = np.maximum(start[u] - pick(model.turns.end, m[u], 0), 0)
        evidence = {"model_silent_s": silent, "user_utterance_s": user.turns.length[u]}
        other = pick(model.turn_index, m[u], NONE)
        found.append(
            Found(
                Event.USER_COMPLAINS, group[u], start[u], user.turns.end[u], user.turn_index[u], other, evidence, kind
            )
        )
    return found


def _words(text: pl.Series, lexicon: Lexicon) -> pl.DataFrame:
    """Different words of every text, all of them and those that tell something: columns ``all``, ``content``."""
    frame = pl.DataFrame({"text": text.fill_null("")}).select(plain=normalised(pl.col("text"), lexicon.joiner))
    plain = pl.col("plain")
    if lexicon.joiner:
        split = plain.str.replace_all("'", "", literal=True).str.split(" ").list.unique()
        idle = [word.replace("'", "") for word in lexicon.function_words]
        telling = split.list.eval(pl.element().filter(~pl.element().is_in(idle)))
        return frame.select(all=split, content=telling)
    # Without spaces, pairs of neighbouring letters stand for words.
    telling_text = plain.str.replace_all(lexicon.function_pattern, "")
    return frame.select(all=_pairs(plain), content=_pairs(telling_text))


def _pairs(text: pl.Expr) -> pl.Expr:
    letters = text.str.split("")
    return letters.list.eval((pl.element() + pl.element().shift(-1)).drop_nulls().unique())


def _alike(words: pl.DataFrame, later: Index, earlier: Index, rules: IssueRules) -> npt.NDArray[np.int64]:
    """Percent of telling words that both texts have (Dice), 0 where it is no repetition."""
    a, b = words[later], words[earlier].rename({"all": "all_b", "content": "content_b"})

    def percent(column: str) -> pl.Expr:
        one, two = pl.col(column), pl.col(f"{column}_b")
        return 200 * one.list.set_intersection(two).list.len() // (one.list.len() + two.list.len()).clip(lower_bound=1)

    enough = pl.min_horizontal(pl.col("all", "all_b").list.len()) >= rules.repeat_words
    same = enough & (percent("all") > rules.repeat_words_percent) & (percent("content") > rules.repeat_content_percent)
    alike = a.hstack(b).select(pl.when(same).then(percent("content")).otherwise(0).cast(pl.Int64))
    return alike.to_series().to_numpy()
