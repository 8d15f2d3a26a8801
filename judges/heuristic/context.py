"""What was said around a reply: what the user had asked, what the model had said before, what the user said next."""

from __future__ import annotations

import polars as pl

REPLY = (pl.col("channel") == "model") & (pl.col("kind") == "utterance")
_BREAK = r"[.,;:!?…。、！？，；：()\"“”«»「」『』—–]+"
_APOSTROPHES = r"[’‘ʼ`´]"
_NO_WORD = r"[^\p{L}\p{M}\p{N}'| ]+"
_QUOTED = r"[\"“«「『][^\"”»」』]{1,60}[\"”»」』]"
_HYPHENS = r"[-‐‑_/]"


def normalised(text: pl.Expr) -> pl.Expr:
    """Lower case, one space between words, no punctuation but apostrophes."""
    return unbroken(marked(text))


def unbroken(marked_text: pl.Expr) -> pl.Expr:
    """What ``marked`` gave, without the marks."""
    return _spaced(marked_text.str.replace_all("|", " ", literal=True))


def marked(text: pl.Expr) -> pl.Expr:
    """The same with `` | `` wherever punctuation makes a break, and at both ends."""
    lower = text.str.normalize("NFKC").str.to_lowercase().str.replace_all(_APOSTROPHES, "'")
    lower = lower.str.replace_all("|", " ", literal=True)
    broken = lower.str.replace_all(_BREAK, " | ").str.replace_all(_HYPHENS, " ").str.replace_all(_NO_WORD, " ")
    return _spaced(pl.concat_str(pl.lit("| "), broken, pl.lit(" |"))).str.replace_all(r"\|(?: \|)+", "|")


def unquoted(text: pl.Expr) -> pl.Expr:
    """Without what stands between quotation marks: said of words, not in them."""
    return text.str.replace_all(_QUOTED, " ; ")


def replies_in_context(turns: pl.DataFrame) -> pl.DataFrame:
    """Every utterance of the model (rows of ``turns``, backchannels aside) with what was said around it.

    Adds, as the text of the user's utterances in a row: ``asked`` (before the reply), ``asked_before`` (before the
    model spoke last) and ``reaction`` (next; only on the last of several replies in a row). And ``said_before`` (the
    reply before), ``same_run`` (nobody spoke between the two) and ``row``, the position. Null where there is none.
    """
    spoken = (
        turns.filter(pl.col("kind") == "utterance")
        .sort("dialogue_id", "turn_index")
        .with_columns(run=pl.struct("dialogue_id", "channel").rle_id())
    )
    runs = (
        spoken.group_by("run", maintain_order=True)
        .agg(
            pl.col("dialogue_id", "channel").first(),
            pl.col("text").drop_nulls().str.join(" ").replace("", None).alias("said"),
        )
        .with_columns(
            asked=pl.col("said").shift(1).over("dialogue_id"),
            asked_before=pl.col("said").shift(3).over("dialogue_id"),
            reaction=pl.col("said").shift(-1).over("dialogue_id"),
        )
        .select("run", "asked", "asked_before", "reaction")
    )
    return (
        spoken.filter(REPLY)
        .with_columns(
            said_before=pl.col("text").shift(1).over("dialogue_id"),
            same_run=(pl.col("run") == pl.col("run").shift(1)).over("dialogue_id").fill_null(False),
            last_of_run=pl.col("run").is_last_distinct(),
        )
        .join(runs, on="run", how="left", maintain_order="left")
        .with_columns(reaction=pl.when("last_of_run").then("reaction"))
        .drop("run", "last_of_run")
        .with_row_index("row")
    )


def _spaced(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars(" ")
