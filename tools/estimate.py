"""How long a first sync takes, computed. Prints the tables of docs/large_accounts.md.

    python tools/estimate.py                # 10,000, 100,000, 250,000 boxes at 8, 10, 20 a second
    python tools/estimate.py --boxes 40000 --rate 8 --comments 0.6 --files 0

A share is the part of the boxes that have any such children; for the others no request is made. The
defaults are the sandbox's, where a box costs about two requests. This script makes no requests.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from progress import duration

BOXES = (10_000, 100_000, 250_000)
RATES = (8, 10, 20)
BOXES_A_PAGE, PEOPLE_A_PAGE = 500, 1000
RECHECK_DAYS = 30  # the setting's default: each day a thirtieth of all boxes is read again
MARGIN = 1.02  # the connector keeps 2 % of each second free
SHARES = {"comments": 0.6, "meetings": 0.46, "tasks": 0.4, "threads": 0.4, "files": 0.31}


@dataclass(frozen=True)
class Account:
    """What decides how many requests a sync makes."""

    boxes: int
    pipelines: int = 10
    people: int = 0  # contacts and organizations; 0: as many as boxes
    shares: tuple[tuple[str, float], ...] = tuple(SHARES.items())

    @property
    def lists(self) -> int:
        """Requests for everything that is listed: boxes, fields, stages, people, events."""
        people = pages(self.people or self.boxes, PEOPLE_A_PAGE)
        boxes = (
            pages(self.boxes, BOXES_A_PAGE) + self.pipelines // 2
        )  # each pipeline's last page is half empty
        return (
            5 + people + boxes + self.pipelines
        )  # teams, pipelines, users, users/me, snippets; newsfeed

    @property
    def children(self) -> int:
        """Requests made box by box: for comments, meetings, tasks, threads and files."""
        return round(sum(share for _, share in self.shares) * self.boxes)

    @property
    def texts(self) -> int:
        """Requests for box_changes and box_documents: one per box each, as they have no counter."""
        return 2 * self.boxes


def pages(rows: int, size: int) -> int:
    """How many requests a list costs: at least one, even if it is empty."""
    return max(1, -(-rows // size))


def seconds(requests: int, rate: float) -> float:
    """How long so many requests take at a rate of `requests_per_second`."""
    return requests * MARGIN / rate


def table(accounts: list[Account], rates: list[float]) -> str:
    """A Markdown table: a row for each account and what is read from it."""
    lines = [
        "| boxes | what is read | requests | "
        + " | ".join(f"at {rate:g} a second" for rate in rates)
        + " |"
    ]
    lines.append("|---:|---|---:|" + "---:|" * len(rates))
    for account in accounts:
        for what, requests in (
            ("lists only: boxes, tables, fields, history, people", account.lists),
            ("and comments, meetings, tasks, threads, files", account.lists + account.children),
            ("and box_changes and box_documents", account.lists + account.children + account.texts),
        ):
            times = " | ".join(duration(seconds(requests, rate)) for rate in rates)
            lines.append(f"| {account.boxes:,} | {what} | {requests:,} | {times} |")
    return "\n".join(lines)


def table_of_texts(boxes: list[int], rate: float) -> str:
    """A Markdown table of what box_changes and box_documents each cost, by account."""
    lines = [
        f"| boxes | first sync: requests | at {rate:g} a second "
        f"| each later day, if nothing changes: requests | at {rate:g} a second |",
        "|---:|---:|---:|---:|---:|",
    ]
    for first in boxes:
        turn = round(first / RECHECK_DAYS)
        times = [duration(seconds(requests, rate)) for requests in (first, turn)]
        lines.append(f"| {first:,} | {first:,} | {times[0]} | {turn:,} | {times[1]} |")
    return "\n".join(lines)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description="How long a first sync takes, computed.")
    parser.add_argument("--boxes", type=int, nargs="+", default=list(BOXES))
    parser.add_argument("--rate", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--pipelines", type=int, default=10)
    for name, share in SHARES.items():
        parser.add_argument(
            f"--{name}", type=float, default=share, metavar="SHARE", help=f"default {share}"
        )
    options = parser.parse_args()
    shares = tuple((name, getattr(options, name)) for name in SHARES)
    accounts = [Account(boxes, options.pipelines, shares=shares) for boxes in options.boxes]
    print(table(accounts, options.rate))
    print("\nbox_changes and box_documents, each:\n")
    print(table_of_texts(options.boxes, options.rate[0]))


if __name__ == "__main__":
    main()
