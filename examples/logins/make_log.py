"""Writes the log of this example: logins of eight made-up companies over three months. Same log every time."""

from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

FIRST, DAYS = date(2026, 1, 1), 90
# company: people, logins of each on a working day, and the day of the story's turn with what is left after it
COMPANIES = {
    "alder": (9, 0.9, None, 1.0),        # as ever
    "birch": (6, 0.8, 62, 0.15),         # falls to a trickle in March
    "cedar": (12, 0.7, 76, 0.0),         # falls silent in the middle of March
    "dogwood": (3, 0.4, None, 1.0),      # small, and well
    "elm": (8, 0.6, 30, 0.5),            # half of them stop in February
    "fir": (5, 0.9, None, 1.0),
    "ginkgo": (7, 0.8, 45, 1.4),         # grows
    "hazel": (4, 0.5, 20, 0.0),          # leaves in January
}


def main() -> None:
    """Write data/*.csv."""
    random.seed(20260101)
    rows = []
    for company, (people, each, turn, left) in COMPANIES.items():
        for back in range(DAYS):
            day = FIRST + timedelta(days=back)
            often = each * (left if turn is not None and back >= turn else 1.0) * (0.1 if day.weekday() >= 5 else 1.0)
            for person in range(people):
                if random.random() < often:
                    at = datetime(day.year, day.month, day.day, random.randint(7, 18), random.randint(0, 59),
                                  tzinfo=UTC)
                    rows.append((at, company, f"{company}-{person + 1}"))
    rows.sort()
    months: dict[str, list[tuple[str, ...]]] = {}
    for number, (at, company, user) in enumerate(rows, 1):
        row = (f"e{number}", at.isoformat().replace("+00:00", "Z"), company, user, "login")
        months.setdefault(f"{at:%Y-%m}", []).append(row)
        if number % 400 == 0:
            months[f"{at:%Y-%m}"].append(row)      # collectors deliver some twice
    folder = Path(__file__).parent / "data"
    for month, lines in months.items():
        with (folder / f"{month}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("event_id", "time", "account", "user", "event"))
            writer.writerows(lines)


if __name__ == "__main__":
    main()
