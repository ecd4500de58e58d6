"""When re-tunes are asked for, and when they must wait: `[[retune.schedules]]` and `[[retune.maintenance]]`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from evertune.cron import Cron

_WEEK_SECONDS = 604_800


class _Timed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    timezone: str = "UTC"  # IANA name, in which the cron expression is read
    cron: str  # minute, hour, day of month, month, weekday; 0 and 7 are Sunday

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        Cron("* * * * *", value)
        return value

    @field_validator("cron")
    @classmethod
    def _cron_is_sound(cls, value: str, info: ValidationInfo) -> str:
        Cron(value, info.data.get("timezone", "UTC"))
        return value

    @property
    def moments(self) -> Cron:
        """The expression in its zone."""
        return Cron(self.cron, self.timezone)


class ScheduleSettings(_Timed):
    """`[[retune.schedules]]`: a time at which a re-tune is asked for."""

    name: str = Field(pattern="^[A-Za-z0-9_.-]{1,64}$")  # of your choice, each once; stands in the ledger
    model: str = Field(default="", max_length=128)  # empty: every model that has a champion
    without_drift: bool = False  # true asks for a re-tune even where nothing has drifted; its test stays
    catch_up_seconds: float = Field(default=3600, ge=0, le=_WEEK_SECONDS)  # a firing missed for longer is skipped


class MaintenanceSettings(_Timed):
    """`[[retune.maintenance]]`: a time in which re-tuning holds still."""

    duration_seconds: float = Field(gt=0, le=_WEEK_SECONDS)  # of each window, from the moment that `cron` names
    holds: str = Field(default="both", pattern="^(starts|promotions|both)$")  # what waits until the window ends


def names_are_unique(schedules: tuple[ScheduleSettings, ...]) -> tuple[ScheduleSettings, ...]:
    """Two schedules of one name would count as one in the ledger.

    Raises:
        ValueError: Names the name.
    """
    seen: set[Any] = set()
    for schedule in schedules:
        if schedule.name in seen:
            raise ValueError(f"the name {schedule.name!r} is there twice")
        seen.add(schedule.name)
    return schedules
