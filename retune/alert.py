"""The webhook payload of Alertmanager, version 4, as far as it concerns us."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evertune.errors import InputError

_ACTION = "retune"
_MOST_ALERTS = 1000  # Alertmanager groups alerts; a larger group than this is a mistake


class Alert(BaseModel):
    """One alert. Unknown fields are Alertmanager's own business."""

    model_config = ConfigDict(frozen=True, strict=True)

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: str = Field(alias="startsAt", min_length=1, max_length=64)
    fingerprint: str = Field(pattern="^[0-9A-Za-z_-]{1,64}$")

    @property
    def model(self) -> str | None:
        """The model that this alert wants re-tuned; None where it wants nothing of the kind."""
        wanted = self.status == "firing" and self.labels.get("action") == _ACTION
        model = self.labels.get("model", "")
        return model if wanted and 0 < len(model) <= 128 else None

    @property
    def identity(self) -> str:
        """The same in every repetition, by whichever replica of Alertmanager: one firing of one alert."""
        return f"alertmanager:{self.fingerprint}:{self.starts_at}"


class Notification(BaseModel):
    """A group of alerts."""

    model_config = ConfigDict(frozen=True, strict=True)

    version: Literal["4"]
    alerts: list[Alert] = Field(max_length=_MOST_ALERTS)


def parse_notification(body: bytes) -> Notification:
    """Parses and checks a payload.

    Raises:
        InputError: Not JSON, another version, or a field that is missing or malformed; names it.
    """
    try:
        return Notification.model_validate_json(body)
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(
            f"not a notification of Alertmanager: {place}: {first['msg']}",
            fix='Send webhook payloads of version "4", as Alertmanager 0.16 and later do.',
        ) from error
