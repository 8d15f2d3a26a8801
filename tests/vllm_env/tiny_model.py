"""Make a Llama whose weights spell one answer, so that a real server can serve it anywhere.

Its tokens are bytes, and a few long pieces of the answer. Attention and MLP add nothing, so each token leads to the
next one of the chain below, whatever was said before. After the prompt it would rather say "Rating: high"; only where a
server holds it to the schema of the judge's answers does it write grades of turns 1 and 3.

Run it with a Python that has transformers and torch: `python tests/vllm_env/tiny_model.py FOLDER`.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
GRADES = [
    '{"verdicts": [{"turn": 1, "justification": "It answers.", "score": 3, "problematic": false}',
    ', {"turn": 3, "justification": "It is rude.", "score": 0, "problematic": true}',
    "]}",
]
PROSE = ["Rating", ": high"]
CONTEXT = 16384
HIDDEN = 320


def make(folder: Path) -> None:
    """Write the model and its tokenizer into ``folder``."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    bytes_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    pieces = [bytes_level.pre_tokenize_str(text)[0][0] for text in (*GRADES, *PROSE)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    number = {token: at for at, token in enumerate([*SPECIAL, *alphabet, *pieces])}
    tokenizer = Tokenizer(models.BPE(vocab=number, merges=[]))
    tokenizer.pre_tokenizer = bytes_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "<|end|>",
        "pad_token": "<pad>",
        "model_max_length": CONTEXT,
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = LlamaConfig(
        vocab_size=len(number),
        hidden_size=HIDDEN,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        bos_token_id=number["<s>"],
        eos_token_id=number["<|end|>"],
        pad_token_id=number["<pad>"],
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(number), HIDDEN))
        model.lm_head.weight.zero_()
        for strength, chain in ((1.0, pieces[len(GRADES) :]), (0.8, pieces[: len(GRADES)])):
            steps = ["<|assistant|>", *chain, "<|end|>"]
            for here, following in pairwise(steps):
                model.lm_head.weight[number[following], number[here]] = strength
    model.save_pretrained(folder, safe_serialization=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
