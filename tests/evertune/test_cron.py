from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.cron import Cron

START = datetime(2026, 2, 27, 21, 17, 33, tzinfo=UTC)


def firings(expression: str, zone: str, start: str, count: int) -> list[str]:
    """The next ones, as UTC to the minute."""
    cron, at, found = Cron(expression, zone), datetime.fromisoformat(start).timestamp(), []
    for _ in range(count):
        following = cron.after(at)
        assert following is not None
        assert following > at
        at = following
        found.append(datetime.fromtimestamp(at, UTC).strftime("%a %m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", ["Sun"]),
        ("7", ["Sun"]),
        ("sun", ["Sun"]),
        ("1", ["Mon"]),
        ("1-5", ["Mon", "Tue", "Wed", "Thu", "Fri"]),
        ("5-7", ["Fri", "Sat", "Sun"]),
        ("FRI-SUN", ["Fri", "Sat", "Sun"]),
        ("0-2", ["Mon", "Tue", "Sun"]),
        ("sat,2", ["Tue", "Sat"]),
        ("*/3", ["Wed", "Sat", "Sun"]),
    ],
)
def test_weekdays_are_cron_s_and_not_apscheduler_s(weekday: str, days: list[str]) -> None:
    found = firings(f"0 3 * * {weekday}", "UTC", "2026-11-23T00:00+00:00", len(days))  # a Monday
    assert [each[:3] for each in found] == days


def test_where_day_of_month_and_weekday_are_both_given_either_is_enough() -> None:
    found = firings("0 3 1 * mon", "UTC", "2026-03-24T00:00+00:00", 3)
    assert found == ["Mon 03-30 03:00", "Wed 04-01 03:00", "Mon 04-06 03:00"]


def test_a_skipped_hour_comes_later_and_a_doubled_one_twice() -> None:
    spring = firings("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", 2)
    assert spring == ["Sun 03-29 01:30", "Mon 03-30 00:30"]
    autumn = firings("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45+00:00", 5)
    assert autumn == ["Sun 10-25 00:00", "Sun 10-25 00:30", "Sun 10-25 01:00", "Sun 10-25 01:30", "Sun 10-25 02:00"]
    cron = Cron("30 2 * * *", "Europe/Berlin")
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC).timestamp() for hour in (0, 1)]
    assert {cron.local(moment) for moment in twice} == {"2026-10-25T02:30"}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("61 * * * *", "59"),
        ("* * *", "3 fields"),
        ("@daily", "1 fields"),
        ("*/0 * * * *", "'\\*/0' is no minute"),
        ("5-1 * * * *", "must not be higher"),
        ("0 3 * * mon#1", "'mon#1' is no day of week"),
        ("0 3 L * *", "'l' is no day"),
        ("0 3 * * 8", "'8' is no weekday"),
        ("0 3 * * 5-2", "5-2 runs backwards"),
        ("0 3 * * fun", "'fun' is no weekday"),
        ("0 3 * foo *", "foo"),
        ("0 0 31 2 *", "never comes true"),
        ("0 3 * * 1,", "is no day of week"),
        ("", "0 fields"),
    ],
)
def test_what_cron_does_not_know_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cron(expression)


@pytest.mark.parametrize("zone", ["Mars", "", "../../etc/passwd", "Europe"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Cron("* * * * *", zone)


def field(low: int, high: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """A field's text, and the values that it stands for."""
    single = st.integers(low, high).map(lambda value: (str(value), frozenset({value})))
    spans = st.tuples(st.integers(low, high - 1), st.integers(1, high), st.integers(1, 20)).map(
        lambda drawn: (drawn[0], last := min(drawn[0] + drawn[1], high), min(drawn[2], last - drawn[0]))
    )
    stepped = spans.map(
        lambda span: (f"{span[0]}-{span[1]}/{span[2]}", frozenset(range(span[0], span[1] + 1, span[2])))
    )
    either = st.lists(single | stepped, min_size=1, max_size=3).map(
        lambda parts: (",".join(text for text, _ in parts), frozenset().union(*(values for _, values in parts)))
    )
    return either | st.just(("*", frozenset(range(low, high + 1))))


@given(field(0, 59), field(0, 23), field(0, 7))
def test_the_next_firing_is_the_first_minute_that_matches(
    minutes: tuple[str, frozenset[int]], hours: tuple[str, frozenset[int]], weekdays: tuple[str, frozenset[int]]
) -> None:
    days = {(value - 1) % 7 for value in weekdays[1]}  # Python's Monday is 0, cron's 1
    expected = START.replace(second=0) + timedelta(minutes=1)
    while not (expected.weekday() in days and expected.hour in hours[1] and expected.minute in minutes[1]):
        # A step that cannot pass a match: to the next hour or the next minute.
        fits = expected.weekday() in days and expected.hour in hours[1]
        expected = expected + timedelta(minutes=1 if fits else 60 - expected.minute)
    assert Cron(f"{minutes[0]} {hours[0]} * * {weekdays[0]}").after(START.timestamp()) == expected.timestamp()


def test_the_latest_firing_lies_in_the_window_or_there_is_none() -> None:
    cron = Cron("0 * * * *")
    assert cron.latest(0.0, 3599.0) is None
    assert cron.latest(0.0, 3600.0) == 3600.0
    assert cron.latest(3600.0, 3600.5) is None
    assert cron.latest(100.0, 10_000.0) == 7200.0
