"""A stand-in for Rupa Health: API host and labs web app in one process. Invented data only.

It follows rupa-api.md (documented samples, then the stated defaults) and the integration guide, and it knows
nothing of Labbridge's client. **Whatever rupa-api.md section 16 lists as open is ASSUMED here**: event ids
and types, the signature's layout, token endpoint and lifetimes, paging, filters, statuses, payers, the unit
of prices, where files are and how long their addresses hold. Passing against it does not prove that something
works with Rupa. Each assumption that can be otherwise is a switch in `options.py`.

Start: `python -m labbridge.simulators.rupa --state FILE --port N`, or `create_app` in a test. Pages: `/` the
orders with buttons, `/_sim/` misbehaviour, `/oauth/authorize` consent, `/checkout/{intent}`, `/pay/{order}`.
Controls: `/_sim/state`, `/_sim/options`, `/_sim/clock`, `/_sim/reset`, `/_sim/tokens`, `/_sim/patients`,
`/_sim/lab-tests`, `/_sim/orders`, `/_sim/orders/{id}/{action}`, `/_sim/events`, `/_sim/events/redeliver`,
`/_sim/trigger/{type}`, `/_sim/faults`, `/_sim/requests`.
"""

from labbridge.simulators.rupa.app import Simulator, create_app, serve
from labbridge.simulators.rupa.options import Options
from labbridge.simulators.rupa.seed import clinic_id, practitioner_id

__all__ = ["Options", "Simulator", "clinic_id", "create_app", "practitioner_id", "serve"]
