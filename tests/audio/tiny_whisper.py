"""A Whisper of a few thousand random weights in CTranslate2's format: it writes nonsense, by the real code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH, MELS, HEADS = 32, 80, 2
ENGLISH_ONLY = ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>")
SPECIAL = (*ENGLISH_ONLY, "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
TIMES = tuple(f"<|{i * 0.02:.2f}|>" for i in range(1501))
STOPS, TELLS_TIME = -1.0, -8.0
"""How little it likes to stop, and to write times; with 0 it would write no words."""
WRITTEN = "etaoinĠ"
"""The only characters it writes; Ġ is the space of byte-level tokens."""


def make_tiny_whisper(folder: Path, seed: int = 0) -> Path:
    """Write the model's folder and give it back. English only."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *SPECIAL, *TIMES]
    draw = np.random.default_rng(seed)

    def weights(*shape: int, scale: float = 0.3) -> Any:
        return (scale * draw.standard_normal(shape)).astype(np.float32)

    def norm(spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)

    def linear(spec: Any, out: int, width: int = WIDTH) -> None:
        spec.weight, spec.bias = weights(out, width), np.zeros(out, dtype=np.float32)

    def attention(spec: Any, *outs: int) -> None:
        norm(spec.layer_norm)
        for part, out in zip(spec.linear, outs, strict=True):
            linear(part, out)

    def feed_forward(spec: Any) -> None:
        norm(spec.layer_norm)
        linear(spec.linear_0, 2 * WIDTH)
        linear(spec.linear_1, WIDTH, 2 * WIDTH)

    spec = WhisperSpec(1, HEADS, 2, HEADS)
    spec.encoder.conv1.weight, spec.encoder.conv2.weight = weights(WIDTH, MELS, 3), weights(WIDTH, WIDTH, 3)
    spec.encoder.conv1.bias = spec.encoder.conv2.bias = np.zeros(WIDTH, dtype=np.float32)
    spec.encoder.position_encodings.encodings = weights(1500, WIDTH)
    norm(spec.encoder.layer_norm)
    for layer in spec.encoder.layer:
        attention(layer.self_attention, 3 * WIDTH, WIDTH)
        feed_forward(layer.ffn)
    spec.decoder.embeddings.weight = weights(len(tokens), WIDTH)
    spec.decoder.position_encodings.encodings = weights(448, WIDTH)
    norm(spec.decoder.layer_norm)
    for layer in spec.decoder.layer:
        attention(layer.self_attention, 3 * WIDTH, WIDTH)
        attention(layer.attention, WIDTH, 2 * WIDTH, WIDTH)
        feed_forward(layer.ffn)
    linear(spec.decoder.projection, len(tokens))
    never = [token in letters and token not in WRITTEN for token in tokens]
    bias = np.where(never, -1e4, 0.0)
    bias[tokens.index("<|endoftext|>")] = STOPS
    bias[tokens.index(TIMES[0]) :] = TELLS_TIME
    spec.decoder.projection.bias = bias.astype(np.float32)

    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [tokens.index("<|en|>")]
    spec.config.alignment_heads = [(1, 0), (1, 1)]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    _tokenizer(letters).save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}))
    return folder


def _tokenizer(letters: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL, *TIMES])
    return tokenizer
