"""Times, weekdays and dates: questions with one exact answer."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from bench.dualmode.example import Example, Side, number, words
from bench.dualmode.wordings import wording

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def later(rng: Random, side: Side) -> Example:
    hour, minute, span = rng.randint(0, 20), rng.randrange(0, 60, 5), rng.randrange(10, 180, 5)
    asks = [
        "It is {t}. What time is it in {m} minutes?",
        "A programme of {m} minutes starts at {t}. When does it end?",
        "What time is {m} minutes after {t}?",
        "The oven starts at {t} and runs {m} minutes. When is it done?",
    ]
    end = _clock(hour * 60 + minute + span)
    full, rest = divmod(span, 60)
    steps = [f"{_clock(hour * 60 + minute)} + {span} min"]
    if full:
        steps.append(f"{span}-{60 * full}={rest}, so {full} h {rest} min")
    start_hour = hour + full
    if full:
        steps.append(f"{hour:02}:{minute:02} + {full} h = {start_hour % 24:02}:{minute:02}")
    total = minute + rest
    steps.append(f"{minute}+{rest}={total}{'>=' if total >= 60 else '<'}60")
    if total >= 60:
        steps[-1] += f", {total}-60={total - 60}, one hour more: {(start_hour + 1) % 24}"
    steps.append(end)
    return words(
        "times",
        "later",
        wording(rng, side, "later", asks).format(t=_clock(hour * 60 + minute), m=span),
        ". ".join(steps),
        end,
    )


def between(rng: Random, side: Side) -> Example:
    start = rng.randrange(0, 20 * 60, 5)
    end = start + rng.randrange(15, 200, 5)
    asks = [
        "How many minutes are there from {a} to {b}?",
        "A meeting lasts from {a} to {b}. How many minutes is that?",
        "The machine ran from {a} to {b}. For how many minutes?",
        "How long is it from {a} until {b}, in minutes?",
    ]
    return number(
        "times",
        "between",
        wording(rng, side, "between", asks).format(a=_clock(start), b=_clock(end)),
        _span(start, end),
        end - start,
        f"{end - start} minutes",
    )


def earlier(rng: Random, side: Side) -> Example:
    """A kind that is held out: counting back from a time."""
    end, span = rng.randrange(3 * 60, 23 * 60, 5), rng.randrange(10, 60, 5)
    asks = [
        "A train of {m} minutes arrives at {t}. When did it leave?",
        "What time was it {m} minutes before {t}?",
    ]
    minute = end % 60
    if minute >= span:
        work = f"{minute}-{span}={minute - span}"
    else:
        work = f"{minute}+60={minute + 60}, {minute + 60}-{span}={minute + 60 - span}, one hour less: {end // 60 - 1}"
    return words(
        "times",
        "earlier",
        rng.choice(asks).format(t=_clock(end), m=span),
        f"{_clock(end)} - {span} min. {work}. {_clock(end - span)}",
        _clock(end - span),
    )


def hours_back(rng: Random, side: Side) -> Example:
    end, hours = rng.randrange(9 * 60, 23 * 60, 5), rng.randint(2, 8)
    asks = [
        "What time was it {h} hours before {t}?",
        "It is {t}. What was the time {h} hours ago?",
        "A shift of {h} hours ends at {t}. When did it begin?",
        "A film of {h} hours was over at {t}. When did it start?",
    ]
    return words(
        "times",
        "hours back",
        wording(rng, side, "hours_back", asks).format(t=_clock(end), h=hours),
        f"{_clock(end)} - {hours} h. {end // 60}-{hours}={end // 60 - hours}. {_clock(end - 60 * hours)}",
        _clock(end - 60 * hours),
    )


def weekday(rng: Random, side: Side) -> Example:
    day, n = rng.randrange(7), rng.randint(2, 30)
    asks = [
        "Today is {d}. Which day is it in {n} days?",
        "If today is {d}, what weekday is {n} days later?",
        "Which weekday comes {n} days after {d}?",
        "It is {d} now. What day will it be after {n} days?",
    ]
    rest, steps = n, []
    while rest >= 7:
        steps.append(f"{rest}-7={rest - 7}")
        rest -= 7
    walk = [DAYS[day], *(f"{i} {DAYS[(day + i) % 7]}" for i in range(1, rest + 1))]
    steps = [", ".join(steps)] if steps else []
    steps.append(f"{rest} days on: {', '.join(walk)}")
    end = DAYS[(day + n) % 7]
    return words(
        "times",
        "weekday",
        wording(rng, side, "weekday", asks).format(d=DAYS[day], n=n),
        ". ".join(steps),
        end,
        DAYS,
    )


def day_of_month(rng: Random, side: Side) -> Example:
    start = date(2027, 1, 1) + timedelta(days=rng.randrange(365))
    n = rng.randint(3, 25)
    end = start + timedelta(days=n)
    asks = [
        "What date is {n} days after {d}?",
        "The filter was changed on {d} and lasts {n} days. On which date is it due?",
        "Today is {d}. What is the date in {n} days?",
        "A parcel sent on {d} takes {n} days. On which date does it come?",
    ]
    month_days = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    days, total = month_days.day, start.day + n
    work = f"{_date(start)} + {n}. {start:%B} has {days} days. {start.day}+{n}={total}"
    work += f">{days}, {total}-{days}={total - days}, in {end:%B}" if total > days else f"<={days}"
    return words(
        "times",
        "date",
        wording(rng, side, "day_of_month", asks).format(n=n, d=_date(start)),
        work,
        _date(end),
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _date(day: date) -> str:
    return f"{day:%B} {day.day}"


def _span(start: int, end: int) -> str:
    """Return the minutes between, as whole hours and what the minutes are more or less."""
    hours = end // 60 - start // 60
    more = end % 60 - start % 60
    steps = [
        f"{_clock(start)} to {_clock(end)}",
        f"{end // 60}-{start // 60}={hours} h = {60 * hours} min",
    ]
    said = f"{start % 60} to {end % 60}: "
    if more > 0:
        steps.append(
            said + f"{end % 60}-{start % 60}={more} more: {60 * hours}+{more}={end - start}"
        )
    elif more < 0:
        steps.append(
            said + f"{start % 60}-{end % 60}={-more} less: {60 * hours}-{-more}={end - start}"
        )
    else:
        steps.append(f"{said}{60 * hours}")
    return ". ".join(steps)
