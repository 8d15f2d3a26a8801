"""How much of the prompts of a dialogue's calls is a common prefix, which a server with prefix caching reads once.

python bench/judge_prompt.py [STORE]      # without a store: the sample logs that have words

Tokens are counted without any model's tokenizer, which would have to be fetched: a token is a run of up to 6 letters, a
run of up to 3 digits, a mark, or a line break; about what byte-pair tokenizers make of English.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import polars as pl  # noqa: E402

import cli  # noqa: E402
from judges.dialogue import Dialogue, dialogues_of  # noqa: E402
from judges.rubric import Rubric  # noqa: E402
from judges.settings import JudgeConfig  # noqa: E402
from judges.templates import Templates  # noqa: E402
from judges.transcript import transcript  # noqa: E402
from schemas.dialogues import DIALOGUES  # noqa: E402
from schemas.turns import TURNS  # noqa: E402
from store.layout import Store  # noqa: E402
from store.parts import read_rows  # noqa: E402
from store.resolve import Resolver  # noqa: E402
from store.runs import active_run  # noqa: E402

TOKEN = re.compile(r"[^\W\d_]{1,6}|\d{1,3}|\n+|[^\w\s]|_")


def prompts(rubric: Rubric, dialogue: Dialogue) -> list[list[str]]:
    """Tokens of every call's prompt, system message first."""
    ask = tuple(turn.index for turn in dialogue.replies() if turn.text.strip())
    shown = transcript(dialogue, ask, rubric.config.transcript)
    asked = [rubric.ask(dialogue, shown, axes).request.messages for axes in rubric.axes_of_calls()]
    return [TOKEN.findall("\n".join(message.text for message in messages)) for messages in asked]


def common_prefix(calls: list[list[str]]) -> int:
    """Tokens that all calls begin with."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*calls, strict=False)))


def read(address: str) -> list[Dialogue]:
    """The dialogues of a store's active run."""
    store = Store.open(address)
    resolver = Resolver(store, cli.CHAIN.flow, active_run(store).tables)
    headers, turns = (read_rows(store, table, resolver.done(table.name)) for table in (DIALOGUES, TURNS))
    return list(dialogues_of(headers, turns))


def mined_samples() -> list[Dialogue]:
    """The sample logs, mined into a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cli", "run", "data_samples/manifest.jsonl", "--store", f"{folder}/store"]
        subprocess.run([*command, "--json"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        return read(f"{folder}/store")


def main() -> None:
    """Print a row per dialogue (the longest 20) and the whole."""
    dialogues = read(sys.argv[1]) if len(sys.argv) > 1 else mined_samples()
    rubric = Rubric.of(JudgeConfig(client="mock"), Templates.load())
    rows = []
    for dialogue in dialogues:
        if any(turn.text.strip() for turn in dialogue.replies()):
            calls = prompts(rubric, dialogue)
            total = sum(map(len, calls))
            shared = common_prefix(calls)
            rows.append((dialogue.dialogue_id, len(dialogue.turns), total, shared, 100 * shared * len(calls) / total))
    frame = pl.DataFrame(
        rows, schema=["dialogue", "turns", "prompt_tokens", "prefix_tokens", "shared_percent"], orient="row"
    )
    with pl.Config(tbl_rows=20, float_precision=1):
        print(frame.sort("prompt_tokens", descending=True).head(20))
    calls = len(rubric.axes_of_calls())
    share = 100 * calls * frame["prefix_tokens"].sum() / frame["prompt_tokens"].sum()
    least = frame["shared_percent"].min()
    print(f"{frame.height} dialogues, {calls} calls each: {share:.1f} % of the prompt tokens are a common prefix")
    print(f"least: {least:.1f} %; sent without a prefix cache: {frame['prompt_tokens'].mean():,.0f} tokens a dialogue")


if __name__ == "__main__":
    main()
