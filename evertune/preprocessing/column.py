"""A raw column: what clients send before it is a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ColumnType = Literal["number", "category", "text", "image"]


@dataclass(frozen=True)
class Column:
    """One raw column.

    Attributes:
        name: In requests and tables.
        type: What its values are: "number" and "category" take null for what is not known.
        description: For people.
        example: A value that passes, as it stands in JSON.
    """

    name: str
    type: ColumnType
    description: str
    example: Any
