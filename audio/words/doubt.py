"""Words that are not believed: what recognisers write where nobody said it, each with its reason.

Every rule looks at the words that the rules before it left. None looks at the text alone: people repeat themselves,
speak fast and say "thank you for watching". What tells is whether the speech under the words can hold them.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from audio.words.channels import APART_MS, CHANNEL, Mask, Speech, in_order, number
from audio.words.config import WordsConfig
from audio.words.language import of_dialogues, plain, silence_pattern
from audio.words.loops import loops
from audio.words.said import Index, Said, Stretches
from schemas.clock import Seconds, to_ms
from schemas.reasons import WordDoubt

_OWN_TEXT = ("given", "text_stream")
_MODEL = "model"


def doubt(words: pl.DataFrame, activity: pl.DataFrame, dialogues: pl.DataFrame, config: WordsConfig) -> pl.DataFrame:
    """The same words with a reason (``WordDoubt``) in ``dropped`` for those that are not believed.

    ``words``: rows of ``mend`` with the column ``asr`` (`given`, `text_stream`: the log's
    own text). ``activity``: rows of that table.
    ``dialogues``: dialogue_id and language.
    """
    columns = words.columns
    words, activity = number(words, activity)
    words = in_order(words)
    said = Said.of(words)
    said = said.take(words["dropped"].is_null().to_numpy())
    rules = _Rules(words, activity, dialogues, config)
    dropped = words["dropped"]
    for reason, rule in (
        (WordDoubt.ECHO, rules.echo),
        (WordDoubt.SILENCE_PHRASE, rules.silence_phrase),
        (WordDoubt.REPETITION, rules.repetition),
        (WordDoubt.IMPOSSIBLE_RATE, rules.impossible_rate),
    ):
        if not len(said):
            break
        doubted = rule(said)
        rows = np.zeros(len(words), dtype=np.bool_)
        rows[said.row[doubted]] = True
        if doubted.any():
            new = pl.when(pl.Series(rows)).then(pl.lit(reason.value)).otherwise(dropped).alias("dropped")
            dropped = pl.select(new).to_series()
        said = said.take(~doubted)
    return words.with_columns(dropped.alias("dropped")).select(columns)


class _Rules:
    """The rules on one batch: each tells which of some words it doubts."""

    def __init__(
        self, words: pl.DataFrame, activity: pl.DataFrame, dialogues: pl.DataFrame, config: WordsConfig
    ) -> None:
        self.words, self.activity, self.dialogues = words, activity, dialogues
        channels = pl.concat([activity.select("group", *CHANNEL), words.select("group", *CHANNEL)])
        self.channels = channels.unique("group").sort("group")
        self._numbers: dict[str, Seconds] = {}
        self.config = config.doubt
        self.pieces = Speech.of(activity)
        self.speech = self.pieces.bridged(to_ms(config.mend.bridge_s))
        self.tolerance_s = config.mend.speech_tolerance_s

    def repetition(self, said: Said) -> Mask:
        """Loops at a tempo that nobody speaks at, and those of a recogniser that nobody would say."""
        rate_low = self._number(said, "slowest_letters_per_s")
        rate_high = self._number(said, "fastest_letters_per_s")
        given = self.words["asr"].is_in(_OWN_TEXT).to_numpy()[said.row]
        letters = np.concatenate(([0.0], np.cumsum(said.letters)))
        doubted = np.zeros(len(said) + 1, dtype=np.int64)
        for n in range(1, self.config.loop_words + 1):
            at_least = self.config.loop_repeats if n > 1 else self.config.loop_word_repeats
            found = loops(said, n, at_least)
            last = found.stop - 1
            spoken_ms = self.speech.until(said.end[last]) - self.speech.until(said.start[found.first])
            said_letters = letters[found.stop] - letters[found.first]
            # Short words take longer than their letters: at a slow tempo the space counts too.
            fast_enough = 1000 * (said_letters + found.stop - found.first) >= rate_low[found.first] * spoken_ms
            slow_enough = 1000 * said_letters <= rate_high[found.first] * spoken_ms
            natural = fast_enough & slow_enough
            never_said = (found.repeats >= math.ceil(self.config.loop_never_said * at_least)) & ~given[found.first]
            goes = ~natural | never_said
            keep = np.where(natural, self.config.loop_keep, 1)
            np.add.at(doubted, (found.first + keep * n)[goes], 1)
            np.add.at(doubted, found.stop[goes], -1)
        return np.asarray(np.cumsum(doubted)[:-1] > 0, dtype=np.bool_)

    def impossible_rate(self, said: Said) -> Mask:
        """Words that come faster, over some words in a row or over their whole speech, than the language is spoken."""
        most_words = self._number(said, "impossible_words_per_s")
        most_words = np.where(most_words > 0, most_words, np.inf)
        most_letters = self._number(said, "impossible_letters_per_s")
        doubted = np.zeros(len(said) + 1, dtype=np.int64)
        n = self.config.rate_words
        if len(said) >= n:
            first, last = np.arange(len(said) - n + 1), np.arange(n - 1, len(said))
            seconds = (said.end[last] - said.start[first]) / 1000
            letters = np.concatenate(([0.0], np.cumsum(said.letters)))
            fast = (n > most_words[first] * seconds) | (letters[n:] - letters[:-n] > most_letters[first] * seconds)
            fast &= said.group[first] == said.group[last]
            doubted[:-n] += fast
            doubted[n:] -= fast
        in_fast_row = np.cumsum(doubted)[:-1] > 0
        # Of a row that is too fast as a whole, the words that take their usual time may have been said.
        step = np.append(said.start[1:], said.end[-1]) - said.start
        step = np.where(np.append(said.group[1:] == said.group[:-1], False), step, said.end - said.start)
        in_fast_row &= step < 1000 * said.letters / self._number(said, "usual_letters_per_s")
        stretches = said.stretches(to_ms(self.config.stretch_s))
        seconds = self._spoken_s(stretches) + self.tolerance_s
        fast_stretch = (stretches.count > most_words[stretches.first] * seconds) | (
            stretches.total(said.letters) > most_letters[stretches.first] * seconds
        )
        return np.asarray(in_fast_row | fast_stretch[stretches.of_word], dtype=np.bool_)

    def silence_phrase(self, said: Said) -> Mask:
        """Stretches of nothing but known phrases on silence, where the speech is weak or too short to hold them."""
        stretches = said.stretches(to_ms(self.config.stretch_s))
        level = stretches.most(self._level_db(said))
        own = self._of_channel("level_db")[said.group[stretches.first]]
        hurried = stretches.total(said.letters) > (
            self.config.hurry
            * self._number(said, "impossible_letters_per_s")[stretches.first]
            * self._spoken_s(stretches)
        )
        suspect = hurried | (level < own - self.config.weak_db)
        word = np.flatnonzero(suspect[stretches.of_word])
        if not len(word):
            return np.zeros(len(said), dtype=np.bool_)
        texts = pl.DataFrame(
            {"stretch": stretches.of_word[word], "text": self.words["text"].gather(said.row[word])}
        ).with_columns(plain(pl.col("text")))
        known = (
            texts.group_by("stretch")
            .agg(pl.col("text").str.join(""))
            .filter(pl.col("text").str.contains(silence_pattern()))
        )
        return np.asarray(np.isin(stretches.of_word, known["stretch"].to_numpy()), dtype=np.bool_)

    def echo(self, said: Said) -> Mask:
        """Stretches that repeat the model's words a leak's delay later, on speech no louder than the leak."""
        leak_db = self._of_channel("leak_db")
        dialogue, is_model = self._sides()
        model_db = np.full(int(dialogue.max()) + 1, np.nan)
        model_db[dialogue[is_model]] = self._of_channel("level_db")[is_model]
        loudest = model_db[dialogue] + leak_db + self.config.echo_margin_db
        stretches = said.stretches(to_ms(self.config.stretch_s))
        quiet = stretches.most(self._level_db(said)) <= loudest[said.group[stretches.first]]
        if not quiet.any():
            return np.zeros(len(said), dtype=np.bool_)
        heard, source = np.flatnonzero(quiet[stretches.of_word]), np.flatnonzero(is_model[said.group])
        # One axis for every word of a dialogue, on the log's own clock.
        n_tokens = int(said.token.max()) + 1
        place = dialogue[said.group] * n_tokens + said.token
        _, place = np.unique(place, return_inverse=True)
        at = place * APART_MS + said.start - said.group * APART_MS
        sources = np.sort(at[source])
        earliest, latest = at[heard] - to_ms(self.config.echo_delay_s), at[heard] + to_ms(self.config.echo_lead_s)
        repeats = np.searchsorted(sources, latest, side="right") > np.searchsorted(sources, earliest, side="left")
        repeated = np.bincount(stretches.of_word[heard], repeats, minlength=len(stretches.first))
        echoed = quiet & (repeated >= self.config.echo_share * stretches.count)
        return np.asarray(echoed[stretches.of_word], dtype=np.bool_)

    def _number(self, said: Said, key: str) -> Seconds:
        """A number of the language of each word."""
        if key not in self._numbers:
            self._numbers[key] = of_dialogues(self.channels, self.dialogues, key)
        return self._numbers[key][said.group]

    def _of_channel(self, column: str) -> Seconds:
        """A number of ``activity`` by group, NaN where there is none."""
        values = np.full(len(self.channels), np.nan)
        values[self.activity["group"].to_numpy()] = self.activity[column].fill_null(np.nan).to_numpy()
        return values

    def _sides(self) -> tuple[Index, Mask]:
        """By group: the number of its dialogue, and whether it is the model's side."""
        dialogue = self.channels["dialogue_id"].rank("dense").cast(pl.Int64).to_numpy()
        return dialogue, (self.channels["channel"] == _MODEL).to_numpy()

    def _level_db(self, said: Said) -> Seconds:
        """Level of the piece of speech that each word ends in or comes after, else of the one it comes before."""
        before = self.pieces.last_from(np.maximum(said.end - 1, said.start))
        other = self.pieces.start[np.maximum(before, 0)] < said.group * APART_MS
        index = np.minimum(np.where(other, before + 1, before), len(self.pieces) - 1)
        return np.asarray(self.pieces.level_db[np.maximum(index, 0)], dtype=np.float64)

    def _spoken_s(self, stretches: Stretches) -> Seconds:
        """Length of all speech that the words of each stretch lie in or at."""
        tolerance = to_ms(self.tolerance_s)
        start, end, channel = stretches.start, stretches.end, stretches.said.group[stretches.first] * APART_MS
        most = len(self.speech) - 1
        begins = np.searchsorted(self.speech.end, np.maximum(start - tolerance, channel), side="right")
        stops = np.searchsorted(self.speech.start, end + tolerance, side="left") - 1
        low = np.minimum(start, self.speech.start[np.minimum(begins, most)])
        high = np.maximum(end, self.speech.end[np.maximum(stops, 0)])
        low, high = np.maximum(low, channel), np.minimum(high, channel + APART_MS)
        return np.asarray((self.speech.until(high) - self.speech.until(low)) / 1000, dtype=np.float64)
