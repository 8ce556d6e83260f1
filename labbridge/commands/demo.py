"""`demo`: a practice, both simulators and the service, with nothing to set up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from labbridge.commands.base import Stop, command

if TYPE_CHECKING:
    from labbridge.demo.children import Children
    from labbridge.demo.day import Day
    from labbridge.demo.place import Place
    from labbridge.demo.screen import Screen
    from labbridge.demo.stage import Stage

SETTLE_SECONDS = 120.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Ctrl-C or SIGTERM: the way in which a demo ends."""


def demo(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where the demo keeps its state; $LABBRIDGE_DATA_DIR/demo when left out."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the state of the last demo.")] = False,
    no_traffic: Annotated[
        bool, typer.Option("--no-traffic", help="Play no day of orders and results.")
    ] = False,
    pause: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds between two deeds of the day, for the eye.")
    ] = 0.35,
) -> None:
    """See it run: both peers simulated, a demo practice, a small day of traffic. Ctrl-C stops everything."""
    from labbridge.demo.place import claim
    from labbridge.demo.problem import DemoProblem
    from labbridge.demo.screen import Screen

    screen = Screen()
    for number in ENDINGS:
        signal.signal(number, _end)
    try:
        place = claim(data_dir or Path(os.environ.get("LABBRIDGE_DATA_DIR") or "var") / "demo", keep=keep)
        with ExitStack() as stack:
            _open(place, screen, stack, None if no_traffic else pause)
    except DemoProblem as problem:
        screen.problem(str(problem))
        raise typer.Exit(1) from None
    except Ended:
        screen.say("Stopped. Nothing is left running.")


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # it is ending already
    raise Ended


def _open(place: Place, screen: Screen, stack: ExitStack, pause: float | None) -> None:
    from labbridge.demo.children import Children
    from labbridge.demo.stage import Stage

    environment = place.environment()
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]  # nothing of a real deployment may reach the demo
    os.environ.update(
        environment, LABBRIDGE_LOG_LEVEL="CRITICAL"
    )  # this screen is for people; the logs are in files
    children = Children(environment, place.logs)
    stack.callback(_close, place, children, screen)
    stage = stack.enter_context(Stage(place.url("caspio"), place.url("rupa")))
    with screen.working("Both simulators and the database"):
        start_simulators(place, children)
        _reach_database()
    _run(place, screen, children, stage, pause)


def _close(place: Place, children: Children, screen: Screen) -> None:
    from labbridge.database import embedded_server

    with screen.working("Stopping"):
        children.stop()
        embedded_server(place.data_dir).stop()


def start_simulators(place: Place, children: Children) -> None:
    caspio, rupa = place.url("caspio"), place.url("rupa")
    children.start(
        "Caspio simulator", "labbridge.simulators.caspio", "--state", str(place.folder / "caspio.sqlite"),
        "--port", str(place.ports["caspio"]), "--client-id", place.client, "--client-secret", place.secrets["caspio"],
        "--quick-retries", "--practice-slug", "willow", "--rupa-order-url", f"{rupa}/order-for/{{patient}}",
        "--labbridge-url", place.url("web"),
    )  # fmt: skip
    children.start(
        "Rupa simulator", "labbridge.simulators.rupa", "--state", str(place.folder / "rupa.sqlite"),
        "--port", str(place.ports["rupa"]), "--client-id", place.client, "--client-secret", place.secrets["rupa"],
        "--signing-secret", place.secrets["webhooks"], "--webhook-url", place.url("web") + "/webhooks/rupa",
        "-o", f"practice_url={caspio}", "-o", "time_scale=0.05",
    )  # fmt: skip


@contextmanager
def _sentences() -> Iterator[None]:
    """In the words of `command`, which tells what is foreseen from what is not."""
    from labbridge.demo.problem import DemoProblem

    try:
        yield
    except DemoProblem as problem:
        raise Stop(str(problem)) from None


@command
def _reach_database() -> None:
    """Start the embedded server and bring its tables up to date: all that `command` does before a command."""


@command
@_sentences()
def _run(place: Place, screen: Screen, children: Children, stage: Stage, pause: float | None) -> None:
    from labbridge.demo import practice

    with screen.working("The service"):
        children.start("Labbridge", "labbridge.cli", "serve")
        children.wait_for("Caspio simulator", place.url("caspio") + "/_sim/faults")
        children.wait_for("Rupa simulator", place.url("rupa") + "/_sim/faults")
    with screen.working("The demo practice: patients on both sides, connected, tables in Caspio"):
        stage.fill()
        willow = practice.prepare(place, stage)
        practice.add_people(willow, place.user, place.secrets["sign_in"])
        children.wait_for("Labbridge", place.url("web") + "/readyz")
    screen.addresses(place, usable=True)
    with screen.working("Patients and the lab catalogue"):
        practice.pull(willow)
    if pause is not None:
        _play_day(place, screen, children, stage, pause)
        practice.count(willow)
        screen.addresses(place, usable=False)
    screen.say(f"Command line beside the demo:  . {place.folder}/env; labbridge events list")
    screen.say("Ctrl-C stops everything.")
    while True:
        children.check()
        time.sleep(0.5)


def _play_day(place: Place, screen: Screen, children: Children, stage: Stage, pause: float) -> None:
    from labbridge.demo.day import Day

    day = Day(stage)
    deeds = day.deeds()
    with screen.progress("A day in the practice", len(deeds)) as advance:
        for at, sentence, deed in deeds:
            deed()
            advance(f"[cyan]{at}[/]  {sentence}")
            children.check()
            time.sleep(pause)
    with screen.working("Everything filed in Caspio"):
        children.wait_until(
            lambda: day.delivered() and stage.idle(place.url("web")), "The day is not filed", SETTLE_SECONDS
        )
    _tell(screen, stage, day)


def _tell(screen: Screen, stage: Stage, day: Day) -> None:
    tables = stage.tables()
    screen.orders(tables["Lab_Orders"])
    held = {row["Result_PDF"]["sha256"] for row in tables["Lab_Results"] if row["Result_PDF"]}
    sent = day.pdfs()
    screen.say(f"{len(sent & held)} of {len(sent)} result PDFs of these orders are in Caspio, byte for byte.")
    screen.say(
        "Rupa sent every event at least twice; each row stands once. The order whose patient is not in Caspio"
    )
    screen.say("waits for a person: see “Needs a person” in the console.")
