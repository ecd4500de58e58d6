"""A tokenizer as JSON: trained, audited, and only then built. `tokenizers` is imported when a text comes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

PADDING, UNKNOWN = "[PAD]", "[UNK]"  # of the tokenizers that we train: ids 0 and 1

_MOST_BYTES = 16_000_000  # a quarter of a million entries
# What may be in it: parts whose work is linear in the text and that run no pattern of their author's.
_ALLOWED = {
    "model": {"BPE", "WordPiece", "WordLevel", "Unigram"},
    "normalizer": {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "BertNormalizer"},
    "pre_tokenizer": {"Sequence", "ByteLevel", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits",
                      "BertPreTokenizer", "Metaspace"},
    "post_processor": {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel"},
}  # fmt: skip
_PARTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers"}  # where a Sequence holds its own
_KEYS = {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
         "model"}  # fmt: skip


def train(texts: Iterable[str], *, vocabulary: int, lowercase: bool) -> dict[str, Any]:
    """Byte-level BPE: any text has tokens, none is unknown. The same texts give the same tokenizer.

    Args:
        texts: Of training rows.
        vocabulary: Entries, at most.
        lowercase: Whether upper case is folded.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    folding = [normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(folding)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PADDING, UNKNOWN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return audited(json.loads(tokenizer.to_str()))


def audited(data: Any) -> dict[str, Any]:
    """The tokenizer's JSON, without what this house does itself (truncation, padding) or never does (decoding).

    Raises:
        ValueError: It is too large, or holds a part that is not on the list.
    """
    if not isinstance(data, dict) or set(data) - _KEYS:
        raise ValueError("the tokenizer is no JSON of the library `tokenizers`")
    content = {**{key: data.get(key) for key in sorted(_KEYS)}, "truncation": None, "padding": None, "decoder": None}
    if len(json.dumps(content)) > _MOST_BYTES:
        raise ValueError(f"the tokenizer has over {_MOST_BYTES} bytes")
    for key, allowed in _ALLOWED.items():
        part = content[key]
        if part is None and key != "model":
            continue
        for kind in _types(part, _PARTS.get(key)):
            if kind not in allowed:
                raise ValueError(f"the tokenizer has the {key} {kind!r}, allowed are {sorted(allowed)}")
    size_of(content)
    return content


def size_of(data: Mapping[str, Any]) -> int:
    """Ids run from 0 to one less.

    Raises:
        ValueError: The vocabulary is malformed.
    """
    vocabulary = data["model"].get("vocab")
    if isinstance(vocabulary, dict):
        ids: list[int] = list(vocabulary.values())
    elif isinstance(vocabulary, list):  # of Unigram: pairs of piece and score
        ids = [len(vocabulary) - 1]
    else:
        raise ValueError("the tokenizer has no vocabulary")
    ids += [token["id"] for token in data["added_tokens"] or []]
    if not ids or not all(type(each) is int and 0 <= each <= len(ids) + 100_000 for each in ids):
        raise ValueError("the tokenizer's vocabulary has no ids, or negative or huge ones")
    return max(ids) + 1


def built(data: Mapping[str, Any]) -> Any:
    """A `tokenizers.Tokenizer`. Text that looks like a special token is text.

    Raises:
        ValueError: The library refuses it.
    """
    # It would otherwise start threads of its own, and warn wherever the process forks later.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(json.dumps(data))
    except Exception as error:  # the library raises the bare class
        raise ValueError(f"the tokenizer is refused: {error}") from None
    tokenizer.encode_special_tokens = True
    return tokenizer


def _types(part: Any, sequence: str | None) -> list[str]:
    if not isinstance(part, dict):
        raise ValueError("a part of the tokenizer is no object")
    kind = str(part.get("type"))
    inner = part.get(sequence, []) if sequence is not None and kind == "Sequence" else []
    return [kind, *(each for one in inner for each in _types(one, sequence))]
