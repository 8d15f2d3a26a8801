"""Score the backchannel rule against human dialogue-act labels of telephone speech (Switchboard).

    python bench/score_backchannels.py FOLDER [--half dev]

FOLDER holds word-timed dialogue-act files as clp-research/deep_disfluency keeps them
(``deep_disfluency/data/disfluency_detection/switchboard/swbd_disf_{heldout,test}_data_timings.csv``): a line ``Speaker:
4519A`` before each side, then tab-separated id, start, end, word, part of speech and tags with ``<diact type="b"/>``.
The labels are those of SWBD-DAMSL, the times those of Mississippi State. The data are not ours and not kept here.

A unit is an IPU as ``timing`` makes it from the words' times. By the labels it is a backchannel when every act in it is
a listener's: continuer (b), its question form (bh), response acknowledgement (bk), appreciation (ba) or repeated phrase
(b^m). Agreement ("aa") claims the floor as little, and coders tell it from "b" by intonation: figures are given with it
among the backchannels, against, and with such units left out. Dialogues are halved by hash; a rule may be tuned on
``dev`` only.

The first word after a silence often starts seconds early in these times ("uh-huh" of 13 s). In the product words are
snapped to the VAD; ``--mend`` stands in for that and lets no word start more than 1 s before its end.

Prints precision, recall and F1 of the lexicon alone, of the whole rule, and of the whole rule with one part off.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from schemas.clock import array_to_ms, array_to_s
from schemas.ids import unit_draw
from timing.backchannels import backchannel_ipus
from timing.batch import by_side, number
from timing.config import TurnRules
from timing.intervals import Index, Mask, union
from timing.lexicon import Lexicon, load
from timing.transcript import Said, assign, only_backchannels, read_words, said_in

LISTENS = ("b", "bh", "bk", "ba", "b^m")
AGREES = ("aa",)
LONGEST_WORD_S = 1.0
"""With ``--mend``."""
EVER = 10**9
"""Milliseconds: longer than any dialogue."""


@dataclass(frozen=True)
class Labelled:
    """IPUs of all dialogues of one half, what was said in them, and what people called it."""

    said: Said
    listens: Mask
    agrees: Mask
    """All acts are a listener's or agreement, one at least is agreement."""


def read_files(folder: Path) -> pl.DataFrame:
    """Words of all files: dialogue_id, channel (A is called model), start_s, end_s, text, act."""
    rows = [row for path in sorted(folder.glob("swbd_disf_*_data_timings.csv")) for row in _rows(path)]
    if not rows:
        raise SystemExit(f"no swbd_disf_*_data_timings.csv in {folder}; see this script's head for where they are")
    columns = ["dialogue_id", "channel", "start_s", "end_s", "text", "act"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    frame = frame.unique(["dialogue_id", "channel", "start_s", "text"], maintain_order=True)
    return frame.sort("dialogue_id", "channel", "start_s", maintain_order=True)


def _rows(path: Path) -> Iterator[tuple[str, str, float, float, str, str]]:
    dialogue, channel = "", ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("Speaker: "):
            name = line.removeprefix("Speaker: ").strip()
            dialogue, channel = name[:-1], "model" if name.endswith("A") else "user"
        elif line.strip():
            _, start, end, word, _, tags = line.split("\t")[:6]
            act = tags.split('<diact type="')[-1].split('"/>')[0] if "<diact" in tags else ""
            yield dialogue, channel, float(start), float(end), word.replace("$unc$", ""), act


def labelled(words: pl.DataFrame, rules: TurnRules) -> Labelled:
    """IPUs from the words' own times, with the labels of the words in them."""
    ids = words["dialogue_id"].unique().sort().to_list()
    numbered = by_side(number(words, ids)).with_columns(dropped=pl.lit(None, dtype=pl.String))
    heard = read_words(numbered)
    ipus, _ = union(heard.group, heard.start, np.maximum(heard.end, heard.start + 10), rules.ipu_bridge_ms - 1)
    owner = assign(heard, ipus)
    said = said_in(ipus, heard, owner)
    acts = pl.DataFrame(
        {
            "group": numbered["group"],
            "start": array_to_ms(numbered["start_s"].to_numpy()),
            "listens": numbered["act"].is_in(LISTENS),
            "agrees": numbered["act"].is_in(AGREES),
        }
    ).sort("group", "start", maintain_order=True)
    listener = (acts["listens"] | acts["agrees"]).to_numpy()
    agrees = _any(owner, acts["agrees"].to_numpy(), len(ipus))
    other = _any(owner, ~listener, len(ipus))
    return Labelled(said, ~other & ~agrees, ~other & agrees)


def _any(owner: Index, flag: Mask, n: int) -> Mask:
    return np.asarray(np.bincount(owner, weights=flag, minlength=n) > 0, dtype=np.bool_)


def answers(data: Labelled, rules: TurnRules, lexicon: Lexicon) -> dict[str, Mask]:
    """Which IPUs are backchannels: by the lexicon alone, by the whole rule, and by the rule with one part off."""
    said = data.said
    unasked = lexicon.model_copy(update={"question_openers": (), "question_inversions": ()})

    def rule(words: Lexicon = lexicon, **changed: int) -> Mask:
        return backchannel_ipus(said, rules.model_copy(update=changed), words)

    return {
        "lexicon alone": only_backchannels(said.text, lexicon),
        "whole rule": rule(),
        "without the length limit": rule(backchannel_words_max_ms=EVER),
        "without own silence before": rule(backchannel_silence_ms=1),
        "without the other side": rule(goes_on_ms=EVER),
        "without the question": rule(unasked),
    }


def f1_row(found: Mask, truth: Mask, counted: Mask) -> str:
    """``P R F1`` over the counted units."""
    hits, right, wanted = (int(np.count_nonzero(mask & counted)) for mask in (found & truth, found, truth))
    return f"{hits / max(right, 1):.3f} {hits / max(wanted, 1):.3f} {2 * hits / max(right + wanted, 1):.3f}"


def confusions(data: Labelled, found: Mask, n: int) -> None:
    """The commonest texts on the wrong side of the rule."""
    for name, which in (("missed", data.listens & ~found), ("false", found & ~data.listens & ~data.agrees)):
        top = data.said.text.filter(pl.Series(which)).value_counts(sort=True).head(n)
        print(f"{name}: " + ", ".join(f"{text} {count}" for text, count in top.rows()))


def main() -> None:
    """Read, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("dev", "held-out", "all"), default="held-out")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print the N commonest errors (dev only)")
    parser.add_argument("--mend", action="store_true", help="shorten words whose start lies in the silence before")
    options = parser.parse_args()
    words = read_files(options.folder)
    if options.mend:
        words = words.with_columns(start_s=pl.max_horizontal("start_s", pl.col("end_s") - LONGEST_WORD_S))
    ids = words["dialogue_id"].unique().sort()
    dev = [name for name in ids.to_list() if unit_draw("backchannels", name) < 0.5]
    if options.half != "all":
        keep = pl.col("dialogue_id").is_in(dev)
        words = words.filter(keep if options.half == "dev" else ~keep)
    rules = TurnRules()
    data = labelled(words, rules)
    everything = np.ones(len(data.listens), dtype=np.bool_)
    seconds = array_to_s(np.array([data.said.ipus.length.sum()]))[0]
    print(
        f"{options.half}: {words['dialogue_id'].n_unique()} dialogues of {len(ids)}, {len(everything)} units, "
        f"{np.count_nonzero(data.listens)} backchannels, {np.count_nonzero(data.agrees)} agreements, {seconds:.0f} s"
    )
    print(f"{'P R F1':28} {'agreement among them':22} {'against':22} {'left out':22}")
    for name, found in answers(data, rules, load(rules.language)).items():
        among = f1_row(found, data.listens | data.agrees, everything)
        against = f1_row(found, data.listens, everything)
        print(f"{name:28} {among:22} {against:22} {f1_row(found, data.listens, ~data.agrees):22}")
    if options.show and options.half == "dev":
        confusions(data, answers(data, rules, load(rules.language))["whole rule"], options.show)


if __name__ == "__main__":
    main()
