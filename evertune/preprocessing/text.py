"""Text: token ids of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from evertune.preprocessing import tokenizer as tokenizers
from evertune.preprocessing.column import Column
from evertune.preprocessing.step import bad_value, checked_name, shown
from evertune.tensors import Array, TensorSpec

_CHARACTERS_A_TOKEN = 32  # of a text that is read: words of more letters than that are no language
_MOST_TOKENS = 8192


@dataclass(frozen=True)
class Text:
    """One column of texts as token ids, cut at `length` and padded.

    Attributes:
        column: Its name.
        tokenizer: As JSON of the library `tokenizers`; see `tokenizer.audited` for what may be in it.
        length: Tokens of a row. Of a longer text the first ones count.
        output: Name of the graph's input, int32, shape (length,).
        padding_id: Fills the rest of a row.

    Example:
        >>> step = Text.fit({"text": ["win a prize", "win a car"] * 5}, "text", length=6, vocabulary=300)
        >>> tokens = step.transform({"text": ["win a prize", ""]})
        >>> tokens.shape, tokens[1].tolist()
        ((2, 6), [0, 0, 0, 0, 0, 0])
    """

    name: ClassVar[str] = "text"

    column: str
    tokenizer: Mapping[str, Any] = field(hash=False)
    length: int
    output: str = "tokens"
    padding_id: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokenizer", tokenizers.audited(dict(self.tokenizer)))
        if type(self.length) is not int or not 1 <= self.length <= _MOST_TOKENS:
            raise ValueError(f"a text of {self.length!r} tokens; allowed are 1 to {_MOST_TOKENS}")
        if type(self.padding_id) is not int or not 0 <= self.padding_id < self.size:
            raise ValueError(f"the padding id {self.padding_id!r} is not in the vocabulary")

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Sequence[Any]],
        column: str,
        *,
        length: int,
        output: str = "tokens",
        vocabulary: int = 4000,
        lowercase: bool = True,
    ) -> Self:
        """Trains a tokenizer on training rows.

        Args:
            columns: Training rows only.
            column: Which of them.
            length: Tokens of a row.
            output: Name of the graph's input.
            vocabulary: Entries of the tokenizer, at most; 258 are there in any case.
            lowercase: Whether upper case is folded.
        """
        texts = [_text(value, column, row) for row, value in enumerate(columns[column])]
        return cls(column, tokenizers.train(texts, vocabulary=vocabulary, lowercase=lowercase), length, output)

    @cached_property
    def size(self) -> int:
        """Of an embedding: token ids are below it."""
        return tokenizers.size_of(self.tokenizer)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """See `Step`."""
        return (Column(self.column, "text", f"Text; its first {self.length} tokens count.", "A text"),)

    @property
    def spec(self) -> TensorSpec:
        """See `Step`."""
        return TensorSpec(self.output, "int32", (self.length,))

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """See `Step`."""
        most = self.length * _CHARACTERS_A_TOKEN
        texts = [_text(value, self.column, row)[:most] for row, value in enumerate(values[self.column])]
        found = np.full((len(texts), self.length), self.padding_id, np.int32)
        for row, encoding in enumerate(self._built.encode_batch_fast(texts)):
            ids = encoding.ids[: self.length]
            found[row, : len(ids)] = ids
        return found

    def to_json(self) -> dict[str, Any]:
        """See `Step`."""
        return {
            "column": self.column,
            "tokenizer": dict(self.tokenizer),
            "length": self.length,
            "output": self.output,
            "padding_id": self.padding_id,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """See `Step`."""
        return cls(
            checked_name(data["column"]),
            data["tokenizer"],
            data["length"],
            checked_name(data["output"]),
            data["padding_id"],
        )

    @cached_property
    def _built(self) -> Any:
        return tokenizers.built(self.tokenizer)


def _text(value: Any, column: str, row: int) -> str:
    if not isinstance(value, str):
        raise bad_value(column, row, f"{shown(value)} is no text", "Send texts; an empty one where there is none.")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise bad_value(column, row, "the text holds half a character", "Send valid Unicode.")
    return value
