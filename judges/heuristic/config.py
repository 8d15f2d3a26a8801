"""Thresholds of the judge without an LLM."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from store.stage import StageConfig

Share = Annotated[float, Field(ge=0, le=1)]


class LoopConfig(StageConfig):
    """When repetition is a fault. A phrase is a run of words that comes again right after itself."""

    longest_phrase: PositiveInt = 40
    """Longest phrase that is looked for, words."""
    word_times: PositiveInt = 5
    """Times a single word is said in a row."""
    pair_times: PositiveInt = 4
    """Times two words are."""
    short_times: PositiveInt = 3
    """Times a phrase of three words or more is."""
    long_words: PositiveInt = 8
    """Phrases of as many words are a fault when they come twice."""
    whole_words: PositiveInt = 4
    """So are those of as many words, when they are the whole reply."""
    whole_share: Share = 0.8
    """Share of a reply that is its whole, in this sense."""
    asked_times: PositiveInt = 12
    """Times a phrase is repeated where the user asked for repetition (a song, numbers, "say it again")."""
    repeatable_times: PositiveInt = 8
    """Times a phrase of words that people do repeat ("no", numbers) comes."""
    repeatable_share: Share = 0.67
    """Share of such words that makes a phrase one of them."""
    sentence_words: PositiveInt = 3
    """Sentences of as many words that come `short_times` times, with others between them, are a fault."""
    varied_words: PositiveInt = 24
    """Replies of as many words are looked at for how few different word triples they hold."""
    varied_share: Share = 0.45
    """Smallest share of different word triples."""
    reply_words: PositiveInt = 5
    """Whole replies of as many words that come again, though the user said something else, are a fault."""
    run_words: PositiveInt = 3
    """So are those of as many words that come again before the user says anything."""
    word_characters: PositiveFloat = 2.5
    """Characters that make a word in a script without spaces."""


class GarbleConfig(StageConfig):
    """When a reply is no language."""

    foreign_share: Share = 0.5
    """Share of letters in a script the language is not written in."""
    foreign_letters: PositiveInt = 4
    """Fewer letters are not looked at for their script."""
    salad_share: Share = 0.4
    """Share of words that nobody can say."""
    salad_words: PositiveInt = 2
    """Fewer such words are no fault."""


class ReactionConfig(StageConfig):
    """What of the user's next words counts."""

    complaint_words: PositiveInt = 25
    """A complaint must begin among the first words; longer turns are not looked through for strong ones."""
    same_request: Share = 0.75
    """Share of the content words of a request that the one before had too, when it is the same."""
    request_words: NonNegativeInt = 3
    """Fewer words make no request."""


class HeuristicConfig(StageConfig):
    """The judge without an LLM."""

    language: str = "en"
    """Language of dialogues that do not say theirs."""
    loop: LoopConfig = LoopConfig()
    """Repetition."""
    garble: GarbleConfig = GarbleConfig()
    """Replies that are no language."""
    reaction: ReactionConfig = ReactionConfig()
    """The user's own next words."""
