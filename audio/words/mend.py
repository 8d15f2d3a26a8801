"""Word times mended: every word where its own channel speaks, in order, as long as it can be.

In turn: times that are off as a whole (``drift``); words without times; words outside the speech (``hold``); words that
run on into silence or last longer than anyone draws them out; words without width. The text is never touched.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from audio.words.channels import APART_MS, Mask, Speech, in_order, neighbours_differ, number, on_axis
from audio.words.config import MendConfig
from audio.words.drift import offsets
from audio.words.hold import hold_to_speech
from audio.words.language import letters, of_dialogues
from schemas.clock import IntMs, array_to_s, to_ms

_SEVERAL_WORDS = r"\S\s+\S"
_SENTENCE_END = r"[.?!。？！…][\"'”’)\]]*$"
_ROUNDS = 3
"""Each round of ``_widen`` gives width to one more word of a row without; what then has none stays without."""


def mend(words: pl.DataFrame, activity: pl.DataFrame, dialogues: pl.DataFrame, config: MendConfig) -> pl.DataFrame:
    """Words of a batch with mended times, ``timing_source``, ``word_index`` and, where held by no speech, ``dropped``.

    ``words``: ``HEARD`` and dialogue_id, more columns pass through; a start may be null or NaN (the word then lies
    between its neighbours in the order of the rows), so may an end. ``activity``: rows of that table. ``dialogues``:
    dialogue_id and language. Afterwards starts ascend on every channel, no word is left out, and words overlap only
    where they came so.
    """
    words, activity = number(words, activity)
    words = words.with_columns(pl.col("start_s", "end_s").fill_nan(None)).with_columns(
        pl.col("start_s").alias("was_start_s"),
        pl.col("end_s").alias("was_end_s"),
        pl.Series("letters", letters(words["text"])),
    )
    speech = Speech.of(activity).bridged(to_ms(config.bridge_s))
    timed = _with_times(in_order(words), activity, dialogues, speech, config)
    held = hold_to_speech(timed, speech, to_ms(config.speech_tolerance_s))
    fitted = _fitted(held, activity, dialogues, speech, config)
    group = fitted["group"].to_numpy()
    position = np.arange(len(group)) - np.searchsorted(group, group, side="left")
    indexed = fitted.with_columns(pl.Series("word_index", position, dtype=pl.Int64))
    return indexed.drop("was_start_s", "was_end_s", "letters", "group")


def _with_times(
    words: pl.DataFrame, activity: pl.DataFrame, dialogues: pl.DataFrame, speech: Speech, config: MendConfig
) -> pl.DataFrame:
    """The words, every one with times that fit the speech as a whole."""
    group = words["group"].to_numpy()
    has_start = words["start_s"].is_not_null().to_numpy()
    start = on_axis(group, words["start_s"].fill_null(0.0))
    end = np.maximum(on_axis(group, words["end_s"].fill_null(-1.0)), start)
    shift = np.zeros(len(words), dtype=np.int64)
    shift[has_start] = offsets(start[has_start], end[has_start], speech, config)
    start, end = (np.maximum(time + shift, group * APART_MS) for time in (start, end))
    usual = _usual_ms(words, dialogues)
    if not has_start.all():
        start, end = _between_neighbours(start, end, has_start, usual, group, _log_end(words, activity), speech)
    guessed = pl.Series(~has_start) | pl.col("was_end_s").is_null()
    source = pl.when(guessed).then(pl.lit("interpolated")).when(pl.Series(shift != 0)).then(pl.lit("snapped"))
    return words.with_columns(
        pl.Series("start_s", array_to_s(start - group * APART_MS)),
        pl.Series("end_s", array_to_s(end - group * APART_MS)),
        source.otherwise("timing_source").alias("timing_source"),
    )


def _between_neighbours(
    start: IntMs, end: IntMs, has_start: Mask, usual: IntMs, group: IntMs, log_end: IntMs, speech: Speech
) -> tuple[IntMs, IntMs]:
    """Words without a start, spread over the own speech between the words around them by their usual length.

    At the beginning and end of a channel they lie next to the word that has a time; without any, over all its speech.
    """
    n = len(start)
    here = np.arange(n)
    before = np.maximum.accumulate(np.where(has_start, here, -1))
    after = np.minimum.accumulate(np.where(has_start, here, n)[::-1])[::-1]
    has_before = (before >= 0) & (group[np.maximum(before, 0)] == group)
    has_after = (after < n) & (group[np.minimum(after, n - 1)] == group)
    # A row of such words: they share both neighbours.
    opens, _ = neighbours_differ(group)
    row = np.cumsum(opens | has_start | np.append(True, has_start[:-1])) - 1
    needed = np.bincount(row, usual).astype(np.int64)[row]
    upto = np.cumsum(usual)
    share_from = (upto - usual - (upto - usual)[np.searchsorted(row, row)]) / needed
    share_to = share_from + usual / needed

    first = group * APART_MS
    high = np.where(has_after, start[np.minimum(after, n - 1)], log_end)
    low = np.minimum(np.where(has_before, end[np.maximum(before, 0)], first), high)
    spoken_low, spoken_high = speech.until(low), speech.until(high)
    spoken_low = np.where(~has_before & has_after, np.maximum(spoken_low, spoken_high - needed), spoken_low)
    spoken_high = np.where(has_before & ~has_after, np.minimum(spoken_high, spoken_low + needed), spoken_high)
    silent_low = np.where(~has_before & has_after, np.maximum(low, high - needed), low)
    silent_high = np.where(has_after & has_before, high, np.minimum(high, silent_low + needed))

    def spread(lowest: IntMs, highest: IntMs, share: np.ndarray[tuple[int], np.dtype[np.float64]]) -> IntMs:
        return np.asarray(lowest + np.floor((highest - lowest) * share + 1e-6), dtype=np.int64)

    spread_start, spread_end = (spread(silent_low, silent_high, share) for share in (share_from, share_to))
    if len(speech):
        said = spoken_high > spoken_low
        said_start = speech.place(spread(spoken_low, spoken_high, share_from), "start")
        said_end = speech.place(spread(spoken_low, spoken_high, share_to), "end")
        spread_start = np.where(said, np.clip(said_start, low, high), spread_start)
        spread_end = np.where(said, np.clip(said_end, low, high), spread_end)
    spread_end = np.maximum(spread_end, spread_start)
    return np.where(has_start, start, spread_start), np.where(has_start, end, spread_end)


def _fitted(
    words: pl.DataFrame, activity: pl.DataFrame, dialogues: pl.DataFrame, speech: Speech, config: MendConfig
) -> pl.DataFrame:
    """Held words no longer than they can be, no shorter than there is room for, within the log."""
    group = words["group"].to_numpy()
    start, end = on_axis(group, words["start_s"]), on_axis(group, words["end_s"])
    held = words["dropped"].is_null().to_numpy()
    log_end = _log_end(words, activity)
    usual = _usual_ms(words, dialogues)
    least = to_ms(config.min_word_s)

    speech_end = _speech_end(start, speech)
    runs_on = held & (start < speech_end) & (end > speech_end + to_ms(config.run_on_s))
    end = np.where(runs_on, np.maximum(speech_end, start + least), end)
    start, end = _not_drawn_out(words, dialogues, start, end, held, config)
    start, end = np.minimum(start, log_end), np.minimum(end, log_end)
    start = _ascending(start, group)
    end = np.maximum(end, start)
    end = _apart(words, start, end, group)
    room_end = np.where(held, _speech_end(start, speech), log_end)
    start, end, widened = _widen(start, end, usual, room_end, log_end, least)
    start_s, end_s = (pl.Series(array_to_s(time - group * APART_MS)) for time in (start, end))
    moved = ((start_s != words["start_s"]) | (end_s != words["end_s"])) & pl.Series(held)
    no_width = (words["was_end_s"] <= words["was_start_s"]).fill_null(True) & pl.Series(widened)
    source = (
        pl.when(no_width | (words["timing_source"] == "interpolated"))
        .then(pl.lit("interpolated"))
        .when(moved)
        .then(pl.lit("snapped"))
        .otherwise("timing_source")
    )
    return words.with_columns(start_s.alias("start_s"), end_s.alias("end_s"), source.alias("timing_source"))


def _speech_end(start: IntMs, speech: Speech) -> IntMs:
    """End of the speech that each start lies in, else the start itself."""
    if not len(speech):
        return start
    index = speech.last_from(start)
    return np.where(index >= 0, np.maximum(speech.end[np.maximum(index, 0)], start), start)


def _not_drawn_out(
    words: pl.DataFrame, dialogues: pl.DataFrame, start: IntMs, end: IntMs, held: Mask, config: MendConfig
) -> tuple[IntMs, IntMs]:
    """Words cut to the longest they can be drawn out: at the start if first of a stretch or sentence, else at the end.

    A text of several words is left alone: there may be pauses in it.
    """
    seconds = of_dialogues(words, dialogues, "longest_word_s")
    seconds = seconds + words["letters"].to_numpy() * of_dialogues(words, dialogues, "longest_letter_s")
    longest = np.asarray(np.rint(seconds * 1000), dtype=np.int64)
    single = ~words["text"].str.contains(_SEVERAL_WORDS).to_numpy()
    drawn_out = held & single & (end - start > longest)
    opens, _ = neighbours_differ(words["group"].to_numpy())
    after_pause = np.append(True, start[1:] - end[:-1] > to_ms(config.apart_s))[: len(start)]
    after_stop = words["text"].str.contains(_SENTENCE_END).shift(1, fill_value=True).to_numpy()
    first = opens | after_pause | after_stop
    cut_start = np.where(drawn_out & first, end - longest, start)
    return cut_start, np.where(drawn_out & ~first, start + longest, end)


def _ascending(start: IntMs, group: IntMs) -> IntMs:
    """Starts that never go back: a word that keeps its end alone may not pass one that it came overlapping."""
    _, last = neighbours_differ(group)
    if not len(start) or not ((start[1:] < start[:-1]) & ~last[:-1]).any():
        return start
    return np.asarray(np.minimum.accumulate(start[::-1])[::-1], dtype=np.int64)


def _apart(words: pl.DataFrame, start: IntMs, end: IntMs, group: IntMs) -> IntMs:
    """Ends cut at the next word's start, but where both words came overlapping and were left where they were."""
    starts, ends = (
        on_axis(group, words[f"was_{edge}_s"].fill_null(-1.0)) == time
        for edge, time in (("start", start), ("end", end))
    )
    _, last = neighbours_differ(group)
    following = np.append(start[1:], 0)[: len(start)]
    untouched = starts & ends & np.append(starts[1:], False)[: len(start)]
    return np.where(last | untouched, end, np.minimum(end, np.maximum(following, start)))


def _widen(
    start: IntMs, end: IntMs, usual: IntMs, room_end: IntMs, log_end: IntMs, least: int
) -> tuple[IntMs, IntMs, Mask]:
    """Words without width get their usual one: from the room after them, else a share of the next word's.

    Returns starts, ends and which words got width.
    """
    start, end = start.copy(), end.copy()
    _, last = neighbours_differ(start // APART_MS)
    following = np.where(last, log_end, np.append(start[1:], 0)[: len(start)])
    room = np.minimum(np.minimum(start + usual, np.maximum(room_end, start + least)), following)
    widened = (end - start < least) & (room > end)
    end[widened] = room[widened]
    for _round in range(_ROUNDS):
        narrow = np.flatnonzero((end - start < least) & ~last)
        behind = narrow + 1
        shared = np.minimum(end[behind], np.where(last[behind], end[behind], start[(behind + 1) % len(start)]))
        shared = np.where(start[behind] == start[narrow], shared - start[behind], 0)
        able = shared >= 2 * least
        narrow, behind, shared = narrow[able], behind[able], shared[able]
        share = shared * usual[narrow] // (usual[narrow] + usual[behind])
        end[narrow] = start[narrow] + np.clip(share, least, shared - least)
        end[behind] = start[behind] + shared
        start[behind] = end[narrow]
        widened[narrow] = True
    return start, end, widened


def _usual_ms(words: pl.DataFrame, dialogues: pl.DataFrame) -> IntMs:
    """How long each word usually lasts, ms, at least 1."""
    seconds = np.maximum(words["letters"].to_numpy(), 1) / of_dialogues(words, dialogues, "usual_letters_per_s")
    return np.asarray(np.maximum(np.rint(seconds * 1000), 1), dtype=np.int64)


def _log_end(words: pl.DataFrame, activity: pl.DataFrame) -> IntMs:
    """Place of each word's end of log; a channel without activity ends where the axis has the next."""
    ends = activity.select("group", "duration_s")
    seconds = words.select("group").join(ends, on="group", how="left", maintain_order="left")["duration_s"]
    group = words["group"].to_numpy()
    return on_axis(group, seconds.fill_null(array_to_s(APART_MS // 2).item()))
