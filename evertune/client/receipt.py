"""What became of labels."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import orjson

from evertune.client.errors import MALFORMED, not_understood


@dataclass(frozen=True)
class Receipt:
    """All of them are on the server's disk. A label that was sent again counts as unchanged.

    Attributes:
        accepted: First labels of their rows, or clicks in time.
        unchanged: Said what was known already.
        corrected: Said otherwise.
        late: Clicks after the horizon of their row: kept, and not used.
    """

    accepted: int
    unchanged: int
    corrected: int
    late: int = 0


def read_receipt(response: httpx.Response) -> Receipt:
    """Reads the answer of `/labels`.

    Raises:
        RemoteError: It is none.
    """
    try:
        body = orjson.loads(response.content)
        return Receipt(int(body["accepted"]), int(body["unchanged"]), int(body["corrected"]), int(body.get("late", 0)))
    except MALFORMED as error:
        raise not_understood(response, repr(error)) from error
