"""faster-whisper behind the Protocol: a random Whisper of Hugging Face's, converted as users convert theirs."""

from pathlib import Path

import ctranslate2
import numpy as np
import polars as pl
import pytest
import torch
import whisper
from tokenizers import AddedToken
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.convert_slow_tokenizer import TikTokenConverter
from whisper.tokenizer import get_tokenizer

from audio.asr import CLIP_WORDS, Recogniser, open_recogniser
from audio.frames import RATE_HZ, Samples

GREEDY = {"temperatures": (0.0,), "beam_size": 1, "device": "cpu", "no_speech_threshold": 1.0}
COPIED = ["tokenizer.json", "preprocessor_config.json"]


@pytest.fixture(scope="session")
def ct2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper in CTranslate2's format: random weights, OpenAI's vocabulary."""
    torch.manual_seed(0)
    source, converted = tmp_path_factory.mktemp("huggingface"), tmp_path_factory.mktemp("ctranslate2") / "tiny"
    encoding = get_tokenizer(multilingual=True).encoding
    special = sorted(encoding._special_tokens, key=encoding._special_tokens.__getitem__)
    ranks = Path(whisper.__file__).parent / "assets" / "multilingual.tiktoken"
    tokenizer = TikTokenConverter(vocab_file=str(ranks)).converted()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(source)
    WhisperFeatureExtractor().save_pretrained(source)
    width = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    depth = {"encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    start = encoding._special_tokens["<|startoftranscript|>"]
    end = encoding._special_tokens["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=51865, **width, **depth, decoder_start_token_id=start, pad_token_id=end, bos_token_id=end,
        eos_token_id=end, max_source_positions=1500, max_target_positions=448, init_std=0.5
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    languages = [token for token in special if len(token) in (6, 7) and token[2:-2].isalpha()]
    model.generation_config.lang_to_id = {token: encoding._special_tokens[token] for token in languages}
    model.save_pretrained(source)
    ctranslate2.converters.TransformersConverter(str(source), copy_files=COPIED).convert(str(converted))
    return converted


@pytest.mark.parametrize("mode", ["sequential", "batched"])
def test_words_come_in_order_inside_their_clips(ct2_folder: Path, two_voices: Samples, mode: str) -> None:
    recogniser: Recogniser = open_recogniser("faster-whisper", str(ct2_folder), {**GREEDY, "mode": mode})
    clips = [two_voices[: 2 * RATE_HZ], np.zeros(RATE_HZ, dtype=np.float32), two_voices[RATE_HZ : 2 * RATE_HZ]]
    words = recogniser.words(clips, "en-US")
    assert words.schema == CLIP_WORDS
    assert {0, 2} <= set(words["clip"])
    placed = words.with_columns(length_s=pl.col("clip").replace_strict([0, 1, 2], [2.0, 1.0, 1.0]))
    inside = (pl.col("start_s") >= 0) & (pl.col("start_s") <= pl.col("end_s")) & (pl.col("end_s") <= pl.col("length_s"))
    assert placed.select(inside.all()).item()
    assert recogniser.effective["multilingual"]
    assert recogniser.effective["condition_on_previous_text"] is False
