"""Both simulators as the demo sees them over HTTP: their controls, and the people in them."""

from __future__ import annotations

from typing import Any, Self

import httpx2

from labbridge.demo.problem import DemoProblem

PATIENTS = 24
AT_RUPA_TOO = 19  #: The first so many of the practice's patients; the last of them with another birthday.
DOCTOR = "Ada"

Row = dict[str, Any]


class Stage:
    """Calls to the controls of both simulators. Raises DemoProblem when one refuses."""

    def __init__(self, caspio: str, rupa: str) -> None:
        self._http = httpx2.Client(timeout=30)
        self._urls = {"caspio": caspio, "rupa": rupa}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def caspio(self, method: str, path: str, body: Any = None) -> Any:
        return self._call("caspio", method, path, body)

    def rupa(self, method: str, path: str, body: Any = None) -> Any:
        return self._call("rupa", method, path, body)

    def _call(self, peer: str, method: str, path: str, body: Any) -> Any:
        try:
            answer = self._http.request(method, self._urls[peer] + path, json=body)
        except httpx2.HTTPError as error:
            raise DemoProblem(f"The {peer} simulator does not answer ({type(error).__name__}).") from error
        if answer.is_error:
            raise DemoProblem(f"The {peer} simulator refused {method} {path}: {answer.text[:300]}")
        return answer.json()

    def idle(self, service: str) -> bool:
        """Whether the service has nothing left to do."""
        state = self._http.get(f"{service}/readyz").json()
        return bool(state["events_pending"] == 0 and state["jobs_pending"] == 0)

    def tables(self) -> dict[str, list[Row]]:
        """Every table of the Caspio account."""
        found: dict[str, list[Row]] = self.caspio("GET", "/_sim/dump")
        return found

    def refresh_token(self) -> str:
        """Connect the practice's practitioner to Rupa, as the consent page would."""
        return str(self.rupa("POST", "/_sim/tokens", {})["refresh_token"])

    def connect_directory(self, service: str, user: str, password: str) -> dict[str, str]:
        """Let the practice's directory vouch for its users at the service. Returns what Caspio's panel would show."""
        base = f"{service}/accounts/saml/willow"
        connection = {
            "name": "Labbridge",
            "sp_entity_id": f"{base}/metadata",
            "reply_url": f"{base}/acs",
            "users": [{"email": user, "password": password}],
        }
        found: dict[str, str] = self.caspio("POST", "/_sim/app-connections", connection)
        return found

    def fill(self) -> None:
        """Put invented patients on both sides: most the same, one with another birthday, some on one side only."""
        self.caspio("POST", "/_sim/seed", {"patients": PATIENTS})
        rows = self.tables()["Patients"][:AT_RUPA_TOO]
        people = [_at_rupa(row) for row in rows]
        people[-1]["birthday"] = f"{int(people[-1]['birthday'][:4]) + 1}{people[-1]['birthday'][4:]}"
        self.rupa("POST", "/_sim/patients", [*people, STRANGER])


STRANGER = {
    "first_name": "Solo",
    "last_name": "Onlyrupa",
    "email": "solo.onlyrupa@example.org",
    "birthday": "1971-03-04",
}


def _at_rupa(row: Row) -> Row:
    digits = "".join(filter(str.isdigit, row["Phone"]))
    return {
        "first_name": row["First_Name"],
        "last_name": row["Last_Name"],
        "email": row["Email"],
        "birthday": row["Date_of_Birth"][:10],
        "gender": row["Sex"][:1],
        "phone_number": f"+1{digits}",
    }
