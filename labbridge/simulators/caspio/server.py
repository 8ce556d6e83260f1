"""Run the simulator under waitress until SIGTERM or Ctrl-C."""

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from waitress.server import create_server

from labbridge.simulators.caspio.app import create_app
from labbridge.simulators.caspio.seed import seed_practice

THREADS = 16  #: several, since ordered faults make requests hang


def serve(
    state_path: Path, host: str = "127.0.0.1", port: int = 0, *, patients: int = 0, **options: Any
) -> None:
    """Serve; print one JSON line with the address when ready. `patients` seeds an empty account.

    `options` are those of `create_app`. Port 0 takes a free one.
    """
    simulator = create_app(state_path, **options)
    if patients:
        seed_practice(simulator.account, patients)
    server = create_server(simulator, host=host, port=port, threads=THREADS, ident="caspio-simulator")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    address = f"http://{host}:{server.effective_port}"
    print(json.dumps({"simulator": "caspio", "address": address}), flush=True)  # noqa: T201  (the contract)
    try:
        server.run()  # ends on KeyboardInterrupt and SystemExit
    except SystemExit:
        pass
    finally:
        server.close()
        simulator.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
