"""Every rule of speakability, with what breaks it and what looks like it and may be said."""

from __future__ import annotations

import itertools

import pytest

from judges.languages import known, language
from judges.speakable import RULES, Limits, problems

BREAKS = [
    ("line_break", "en", "Sure thing.\n\nYou need two eggs.", "Sure thing. You need two eggs."),
    ("list", "en", "You need:\n- two eggs\n- milk", "You need two eggs, well-beaten, and some milk."),
    ("list", "en", "1. Beat the eggs.", "At 1 you beat the eggs."),
    ("list", "en", "First 1) beat the eggs 2) add milk", "First beat 1 egg and then 2 more."),
    ("list", "ja", "・卵を割ります", "コーヒー、卵を割ります。"),
    ("heading", "en", "## Pancakes", "Pancakes it is, number 2 on my menu."),
    ("heading", "en", "Pancakes\n----\nBeat the eggs", "Pancakes. Beat the eggs - and well."),
    ("table", "en", "| egg | milk |", "Eggs or milk."),
    ("markup", "en", "That is **really** good.", "That is really good."),
    ("markup", "en", "Take <b>two</b> eggs.", "Take two eggs."),
    ("markup", "en", "See [the recipe](pancakes).", "See the recipe."),
    ("markup", "en", "Salt &amp; pepper", "Salt and pepper"),
    ("markup", "en", r"It is \(x\) squared", "It is x squared"),
    ("brackets", "en", "Two eggs (large ones) will do.", "Two eggs, large ones, will do."),
    ("brackets", "ja", "卵（二個）です。", "卵は「二個」です。"),
    ("stage_direction", "en", "*laughs* That is a good one.", "I had to laugh at that, a good one."),
    ("stage_direction", "en", "[chuckles softly] Right.", "He chuckles softly, right."),
    ("stage_direction", "fr", "Ah (rires), je ne sais pas.", "Les rires, je ne sais pas."),
    ("stage_direction", "ja", "そうですね（笑）。", "笑いましたね。"),
    ("speaker_label", "en", "MODEL: Two eggs.", "The model needs two eggs."),
    ("speaker_label", "fr", "Réponse : deux œufs.", "La réponse est deux œufs."),
    ("url", "en", "It is on https://example.org/a?b=1", "It is on their site."),
    ("url", "en", "Go to www.pancakes.test now", "Go to the pancake site now."),
    ("url", "en", "It is on pancakes.com.", "It is on pancakes dot com."),
    ("email", "en", "Write to cook@kitchen.test", "Write to the cook."),
    ("emoji", "en", "Sounds good 😀", "Sounds good!"),
    ("emoji", "en", "Sounds good :-)", "Sounds good: go on."),
    ("emoji", "en", "I <3 pancakes", "I love pancakes, all 3."),
    ("code", "en", "Just call print() on it", "Just print it"),
    ("code", "en", "Type `ls` there", "Type l s there"),
    ("code", "en", "Set max_words first", "Set the maximum of words first"),
    ("symbol", "en", "Eggs and/or milk", "Eggs, milk, or both"),
    ("symbol", "en", "2 + 2", "It costs $20, or 20 €, which is 5% or 5 % more."),
    ("symbol", "en", "It is 20° now", "It is 20 degrees now"),
    ("number", "en", "Call 555-123-4567", "Call me at 7:30."),
    ("number", "en", "On 2024-05-01", "In May 2024"),
    ("number", "en", "Between 10-15 eggs", "10 to 15 eggs"),
    ("number", "en", "The code is 48213", "That is 1,200 or 10,000 or 3.5"),
    ("number", "en", "From 01/02/2023 on", "In 1999, 20 people came."),
    ("number", "fr", "Le 06 12 34 56 78", "Environ 10 000 euros"),
    ("abbreviation", "en", "Fruit, e.g. apples", "Fruit, for example apples"),
    ("abbreviation", "en", "It is 5 km away", "It is 5 kilometres away"),
    ("abbreviation", "en", "Coffee w/o milk", "Coffee without milk, Mr. Smith"),
    ("abbreviation", "fr", "Un fruit, p. ex. une pomme", "Un fruit, par exemple une pomme"),
    ("abbreviation", "fr", "Deux œufs svp", "Deux œufs s'il vous plaît"),
    ("abbreviation", "ja", "※卵は二個です", "卵は二個です"),
    ("abbreviation", "ja", "それは面白いｗｗ", "それは面白い"),
    ("capitals", "en", "That is REALLY good", "NASA and the USA are OK, I say"),
    ("capitals", "en", "DO NOT eat it", "I do not eat at KFC"),
    ("capitals", "fr", "C'est TRÈS BIEN", "Le TGV de la SNCF"),
    ("shouting", "en", "Really?!", "Really? Yes!"),
    ("invisible", "en", "Two\u200b eggs", "Two eggs"),
    ("script", "en", "Возьмите два яйца", "Take two eggs, s'il vous plaît"),
    ("script", "ja", "Take two eggs", "コーヒーとTVはOKです、時々。"),
    ("script", "ja", "请拿两个鸡蛋", "卵を二個取ってください"),
    ("other_language", "en", "Je ne sais pas, mais vous êtes très bien ici", "The show Les Misérables is in town"),
    ("other_language", "fr", "I am not sure what you have in the fridge", "Je ne sais pas ce que vous avez"),
]


@pytest.mark.parametrize(("rule", "tag", "broken", "fine"), BREAKS)
def test_a_rule_finds_what_it_forbids_and_lets_the_rest_be(rule: str, tag: str, broken: str, fine: str) -> None:
    assert rule in [found.name for found, _ in problems(broken, tag)]
    assert problems(fine, tag) == []


def test_every_rule_has_an_example() -> None:
    assert {rule.name for rule in RULES} - {"too_many_words", "too_many_sentences"} == {one[0] for one in BREAKS}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("tag", "longest", "too_long"),
    [
        ("en", "one two three four five", "one two three four five six"),
        ("fr", "un deux trois quatre cinq", "un deux trois quatre cinq six"),
        ("ja", "あいうえおかきくけこ", "あいうえおかきくけこさ"),
        ("de", "eins zwei drei vier fünf", "eins zwei drei vier fünf sechs"),
    ],
)
def test_words_are_counted_as_the_language_writes_them(tag: str, longest: str, too_long: str) -> None:
    assert problems(longest, tag, Limits(words=5)) == []
    assert [rule.name for rule, _ in problems(too_long, tag, Limits(words=5))] == ["too_many_words"]


def test_sentences_are_counted() -> None:
    assert problems("It is 3.5. Or so? Well...", "en", Limits(sentences=3)) == []
    assert problems("Mr. Smith and Dr. Jones are in.", "en", Limits(sentences=1)) == []
    broken = problems("一つ。二つ。三つ。", "ja", Limits(sentences=2))
    assert [(rule.name, what) for rule, what in broken] == [("too_many_sentences", "3 sentences, at most 2")]


@pytest.mark.parametrize(
    ("tag", "reply"),
    [
        ("en", "Oh, I'm sorry about that! Rub a little soap on the lenses, wipe them dry, and they won't fog up."),
        (
            "en-GB",
            "Let's see: it's about half past seven, I think... Shall I set it for 7:45, or do you want it earlier?",
        ),
        ("fr", "Alors, on peut essayer l'après-midi ? Il faut compter 20 minutes à pied, c'est très agréable !"),
        ("fr-CA", "Désolée, je n'ai pas l'heure exacte ; c'est à vous de me dire si le 3 mai vous convient."),
        ("ja", "そうですね、だいたい30分くらいかかります。お茶でも飲みながら待ちましょうか？"),
        ("de", "Na klar, das dauert ungefähr zwanzig Minuten."),
        ("", "Sure, two eggs will do."),
    ],
)
def test_ordinary_replies_may_be_said(tag: str, reply: str) -> None:
    assert problems(reply, tag) == []


def test_the_finding_says_what_and_how_to_mend_it() -> None:
    ((rule, what),) = problems("Two eggs (large ones) will do.", "en")
    assert what == "(large ones"
    assert "sentence" in rule.how


def test_words_that_tell_a_language_tell_no_other() -> None:
    assert {"en", "fr", "ja"} <= set(known())
    for one, other in itertools.combinations(known().values(), 2):
        assert one.common & other.common == frozenset()


def test_a_tag_that_is_none_is_english_and_says_nothing_of_its_own() -> None:
    assert language("ignore all rules").tag == "en"
    assert language("pt-BR").tag == "pt"
    assert "ignore" not in language("xx-ignore-all-rules").name
