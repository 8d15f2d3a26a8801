"""Backchannels: short responses of a listener who leaves the floor to the other side.

With words the lexicon decides (Switchboard: F1 .79), without words length and isolation do (VAP: F1 .66). Either way
the other side must hold the floor: a short "yeah" after a question is an answer, a short "okay" after a request is a
reply.
"""

from __future__ import annotations

import numpy as np

from timing.config import TurnRules
from timing.intervals import FAR, NONE, Index, Mask, Spans, pick, union
from timing.lexicon import Lexicon
from timing.transcript import COMMA, Said, ends_asking, only_backchannels


def backchannel_ipus(said: Said, rules: TurnRules, lexicon: Lexicon) -> Mask:
    """Which IPUs are (part of) a backchannel."""
    ipus = said.ipus
    floors, _ = union(ipus.group, ipus.start, ipus.end, rules.goes_on_ms)
    # What may be one utterance, for all the VAD knows, is not told apart by length alone.
    sure = rules.backchannel_silence_ms + 2 * rules.vad_tolerance_ms
    runs, run = union(ipus.group, ipus.start, ipus.end, sure)
    # Recognisers often write nothing for "mm": what has no words is judged by its length on every side. So is all where
    # words of the language tell nothing.
    told = said.n_words if lexicon.backchannels else np.zeros_like(said.n_words)
    wordless = np.bincount(run, weights=told, minlength=len(runs)) == 0
    by_length = (wordless & _short_and_held(runs, floors, rules))[run]
    runs, run = union(ipus.group, ipus.start, ipus.end, rules.backchannel_silence_ms - 1)
    by_words = np.zeros(len(ipus), dtype=np.bool_)
    listening = _listening(said, runs, run, rules, lexicon)
    by_words[listening[_to_one_who_goes_on(said, listening, floors, rules, lexicon)]] = True
    return np.asarray(by_length | by_words, dtype=np.bool_)


def _short_and_held(runs: Spans, floors: Spans, rules: TurnRules) -> Mask:
    """Which stretches of speech are short, and begin and end while the other side holds the floor with a longer one."""
    floor = floors.last_before(runs.group ^ 1, runs.start)
    held = pick(floors.end, floor, -FAR) - runs.start >= rules.backchannel_hold_ms
    longer = pick(floors.length, floor, 0) > runs.length
    short = runs.length <= rules.backchannel_max_ms + rules.vad_tolerance_ms
    return np.asarray(short & held & longer, dtype=np.bool_)


def _listening(said: Said, runs: Spans, run: Index, rules: TurnRules, lexicon: Lexicon) -> Index:
    """IPUs that open a stretch of own speech (``run``) with nothing but the lexicon's responses."""
    short = np.flatnonzero((said.n_words > 0) & (said.ipus.length <= rules.backchannel_words_max_ms))
    texts = said.text.gather(short)
    # "No," with more to come begins a sentence.
    last_of_run = np.append(run[1:] != run[:-1], True)[: len(run)][short]
    begins = texts.str.contains(COMMA).fill_null(False).to_numpy() & ~last_of_run
    listening = short[only_backchannels(texts, lexicon) & ~begins]
    # Only an unbroken row of them from the stretch's first IPU on has the silence before it.
    nth_of_run = listening - np.searchsorted(run, run[listening], side="left")
    nth_listening = np.arange(len(listening)) - np.searchsorted(run[listening], run[listening], side="left")
    return np.asarray(listening[nth_of_run == nth_listening], dtype=np.int64)


def _to_one_who_goes_on(said: Said, own: Index, floors: Spans, rules: TurnRules, lexicon: Lexicon) -> Mask:
    """For which IPUs the other side is speaking at the onset or goes on soon, and has asked nothing."""
    ipus = said.ipus
    other, onset, end = ipus.group[own] ^ 1, ipus.start[own], ipus.end[own]
    before, after = floors.last_before(other, onset), floors.first_from(other, onset)
    speaking = pick(floors.end, before, -FAR) > onset
    goes_on = (before != NONE) & (pick(floors.start, after, FAR) <= end + rules.goes_on_ms)

    last = ipus.last_before(other, onset)
    ended = (last != NONE) & (pick(ipus.end, last, 0) <= onset + rules.backchannel_hold_ms)
    index = np.maximum(last, 0)
    asked = ended & ends_asking(said.text.gather(index), said.punctuated[index], lexicon)
    return np.asarray((speaking | goes_on) & ~asked, dtype=np.bool_)
