"""Events of the ledger that are no issues yet: they are counted and can be queried, and make no pairs."""

from __future__ import annotations

import numpy as np
import polars as pl

from schemas.timing_events import Event
from timing.batch import MODEL
from timing.config import IssueRules
from timing.found import Found
from timing.intervals import FAR, NONE, bridged, intersection, pick
from timing.talk import Talk

AROUND_WORDS = " .,;:?!…。？！、，\"'“”‘’()[]-–—"
"""What may stand around a word without making it another one."""


def barge_ins(talk: Talk, rules: IssueRules) -> list[Found]:
    """The user starts on a running model utterance; D1 where the model talks on for too long."""
    model, user = talk.model, talk.user
    # The model yields when it falls silent; an answer in a pause that the model made for it is no barge-in.
    talking = bridged(model.speech, rules.hesitation_ms - 1)
    run = talking.holding(user.turns.group, user.turns.start)
    left = pick(talking.end, run, 0) - user.turns.start
    m = model.turns.last_before(user.turns.group, user.turns.start)
    # A model that yields at once looks like one that was just ending; only its words tell that it was not.
    broken_off = pick(model.complete.astype(np.int64), m, 1) == 0
    u = np.flatnonzero((run != NONE) & ((left > rules.barge_in_left_ms) | broken_off))
    m, left = m[u], left[u]
    group, start = user.turns.group[u], user.turns.start[u]
    until = start + left
    evidence = {
        "yield_s": left,
        "since_model_start_s": start - model.turns.start[m],
        "user_utterance_s": user.turns.length[u],
    }
    barge_in = Found(Event.BARGE_IN, group, start, until, user.turn_index[u], model.turn_index[m], evidence)
    on = left > rules.ignored_barge_in_ms
    ignored = Found(
        Event.BARGE_IN_IGNORED,
        group[on],
        start[on],
        until[on],
        model.turn_index[m[on]],
        user.turn_index[u[on]],
        {name: values[on] for name, values in evidence.items()},
    )
    return [barge_in, ignored]


def false_yields(talk: Talk, rules: IssueRules) -> Found:
    """E: the model breaks off an unfinished utterance at a mere backchannel of the user. Needs the model's words."""
    model, user = talk.model, talk.user
    heard = user.backchannels
    m = model.turns.holding(heard.group, heard.start)
    stops = pick(model.turns.end, m, FAR)
    taken = user.turns.holding(heard.group, stops + 1) != NONE
    broke_off = (m != NONE) & (stops <= heard.end + rules.false_yield_ms) & ~taken
    broke_off &= pick(model.complete.astype(np.int64), m, 1) == 0
    b = np.flatnonzero(broke_off)
    return Found(
        Event.FALSE_YIELD,
        heard.group[b],
        heard.start[b],
        np.maximum(stops, heard.end)[b],
        model.turn_index[m[b]],
        user.backchannel_index[b],
        {"yield_s": (stops - heard.start)[b], "backchannel_s": heard.length[b]},
    )


def truncated_replies(talk: Talk, rules: IssueRules) -> Found:
    """J: a model utterance ends unfinished though nobody spoke and the log goes on. Needs the model's words."""
    model, user = talk.model, talk.user
    group, end = model.turns.group, model.turns.end
    low, high = end - rules.truncated_margin_ms, end + rules.truncated_margin_ms // 4
    disturbed = (user.speech.covered(group, low, high) > 0) | (user.backchannels.covered(group, low, high) > 0)
    left = talk.duration[group] - end
    m = np.flatnonzero((model.complete == 0) & ~disturbed & (left >= rules.truncated_margin_ms))
    return Found(
        Event.TRUNCATED_REPLY,
        group[m],
        model.turns.start[m],
        end[m],
        model.turn_index[m],
        np.full(len(m), NONE),
        {"log_left_s": left[m], "model_utterance_s": model.turns.length[m]},
    )


def replies_to_nobody(talk: Talk, rules: IssueRules) -> Found:
    """K: the model speaks again long after it ended, and the user said nothing in between."""
    model, user = talk.model, talk.user
    previous = model.turns.neighbours()[0]
    ended = pick(model.turns.end, previous, 0)
    group, start = model.turns.group, model.turns.start
    # An utterance under way when the model ended counts: it may be what the model answers now.
    asked = user.speech.covered(group, ended, start) + user.backchannels.covered(group, ended, start) > 0
    m = np.flatnonzero((previous != NONE) & (start - ended > rules.nobody_asked_ms) & ~asked)
    return Found(
        Event.REPLY_TO_NOBODY,
        group[m],
        start[m],
        model.turns.end[m],
        model.turn_index[m],
        model.turn_index[previous[m]],
        {"silence_s": (start - ended)[m], "model_utterance_s": model.turns.length[m]},
    )


def long_talk_overs(talk: Talk, rules: IssueRules) -> Found:
    """L: an utterance of each side run over each other for long, whoever began."""
    both, i, j = intersection(talk.model.speech, talk.user.speech)
    m, u = talk.model.of_speech[i], talk.user.of_speech[j]
    # Meetings of the same two utterances stand together, since they go by the time of the model's IPUs.
    first = np.flatnonzero(np.concatenate(([True], (m[1:] != m[:-1]) | (u[1:] != u[:-1])))[: len(m)])
    total = np.add.reduceat(both.length, first) if len(m) else both.length
    last = np.append(first[1:], len(m)) - 1
    long = total >= rules.talk_over_ms
    first, last = first[long], last[long]
    return Found(
        Event.LONG_TALK_OVER,
        both.group[first],
        both.start[first],
        both.end[last],
        talk.model.turn_index[m[first]],
        talk.user.turn_index[u[first]],
        {"overlap_s": total[long]},
    )


def self_loops(talk: Talk, rules: IssueRules) -> Found:
    """I: the model says the same three words in a row again and again. Needs the model's words; one event a turn."""
    words, model = talk.words, talk.model
    own = np.flatnonzero(words.group % 2 == MODEL)
    group, start, end = words.group[own] // 2, words.start[own], words.end[own]
    bare = pl.DataFrame({"text": words.text.gather(own)}).select(
        pl.col("text").str.to_lowercase().str.strip_chars(AROUND_WORDS).hash()
    )
    one = bare.to_series().to_numpy()
    # A number for three words in a row of one dialogue; equal ones are the same words but for one case in 2**64.
    three = (one[:-2] * np.uint64(3) + one[1:-1]) * np.uint64(5) + one[2:] + group[:-2].astype(np.uint64)
    again = pl.Series(three).is_duplicated().to_numpy() & (group[:-2] == group[2:])
    place = np.flatnonzero(again)
    order = place[np.lexsort((start[place], three[place], group[place]))]
    nth = rules.loop_repeats - 1
    a, b = order[: len(order) - nth], order[nth:]
    repeated = (three[a] == three[b]) & (group[a] == group[b]) & (start[b] - start[a] <= rules.loop_window_ms)
    a, b = a[repeated], b[repeated]
    m = model.turns.last_before(group[a], start[a] + 1)
    a, b, m = a[m != NONE], b[m != NONE], m[m != NONE]
    by_turn = np.lexsort((start[a], m))
    first = by_turn[np.searchsorted(m[by_turn], np.unique(m))]
    last_end = end[np.minimum(b + 2, len(end) - 1)]
    return Found(
        Event.SELF_LOOP,
        group[a[first]],
        start[a[first]],
        last_end[first],
        model.turn_index[m[first]],
        np.full(len(first), NONE),
        {"repeats_within_s": (last_end - start[a])[first]},
    )
