"""The simulated account: its state, its choices, its clock and its webhooks."""

from datetime import datetime

from labbridge.simulators.caspio.design import Field
from labbridge.simulators.caspio.messages import Messages
from labbridge.simulators.caspio.options import Options
from labbridge.simulators.caspio.store import Store
from labbridge.simulators.caspio.webhooks import Webhooks


class Account:
    def __init__(self, store: Store, options: Options) -> None:
        self.store = store
        self.options = options
        self.webhooks = Webhooks(store, options)
        self.messages = Messages(store, options)

    def now(self) -> datetime:
        return self.options.clock()

    def now_text(self) -> str:
        """ISO 8601, UTC, without offset, as all of Caspio's dates."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S")

    def stamp(self, field: Field) -> str:
        """The time for a TIMESTAMP field, on the wall clock of the field's zone."""
        return self.now().astimezone(field.zone).strftime("%Y-%m-%dT%H:%M:%S")
