"""`python -m bench [NAME ...]`: run the named benches, or all of them, one after another."""

from __future__ import annotations

import argparse
import importlib

BENCHES = (
    "start",
    "intake",
    "drain",
    "least",
    "scaling",
    "clock",
    "calls",
    "catalogue",
    "million",
    "pages",
    "rotation",
    "feed",
    "patients",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measurements of design.md 9, as ratios."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all when left out"
    )
    wanted = parser.parse_args().names or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)} (known: {', '.join(BENCHES)})")
    for name in wanted:
        importlib.import_module(f"bench.{name}").run()


if __name__ == "__main__":
    main()
