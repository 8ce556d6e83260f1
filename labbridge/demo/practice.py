"""The demo practice in Labbridge: configured, connected, provisioned. Runs inside of Django."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labbridge.demo.place import Place
from labbridge.demo.problem import DemoProblem
from labbridge.demo.stage import Stage

if TYPE_CHECKING:
    from labbridge.practices.models import Practice

PRACTICE_TOML = """\
[practice]
slug = "willow"
name = "Willow Functional Medicine"
time_zone = "America/Los_Angeles"

[caspio]
url = "{caspio}"                            # the simulator; in life https://c0abc123.caspio.com
client_id = "env:CASPIO_CLIENT_ID"
client_secret = "env:CASPIO_CLIENT_SECRET"
calls_per_second = 100                      # the simulator bears it; Caspio's own allowance is lower

[caspio.sign_in]                            # the app connection of the practice's directory
entity_id = "{directory[entity_id]}"
url = "{directory[sso_url]}"
certificate = \"""
{directory[certificate]}\"""
email_domains = ["willow.example"]
two_factor = true                           # a real directory must ask for a second factor where this is said

[caspio.patients]
table = "Patients"
key = "Patient_ID"
first_name = "First_Name"
last_name = "Last_Name"
email = "Email"
phone = "Phone"
birthday = "Date_of_Birth"
gender = "Sex"
street = "Street"
city = "City"
state = "State"
zipcode = "Zip"
rupa_patient_id = "Rupa_Patient_ID"
sync_status = "Rupa_Sync_Status"
sync_message = "Rupa_Sync_Message"
synced_at = "Rupa_Synced_At"

[sync]
settle_seconds = 2

[rupa]
price_unit = "dollars"

[[rupa.practitioners]]
email = "{user}"
refresh_token = "env:RUPA_REFRESH_TOKEN"
"""


def prepare(place: Place, stage: Stage) -> Practice:
    """Set the practice up as `practice apply` and `provision` would. Raises DemoProblem and PeerError."""
    from labbridge.filing.provision import provision
    from labbridge.handlers.connections import learn_now
    from labbridge.practices.apply import apply
    from labbridge.practices.config import load

    file = place.folder / "practice.toml"
    directory = stage.connect_directory(place.url("web"), place.user, place.secrets["sign_in"])
    file.write_text(PRACTICE_TOML.format(caspio=place.url("caspio"), user=place.user, directory=directory))
    os.environ["RUPA_REFRESH_TOKEN"] = stage.refresh_token()
    applied = apply(load(file))
    for connection in applied.new_authorisations:
        learn_now(str(connection.pk))
    done = provision(applied.practice)
    if done.problems:
        raise DemoProblem(" ".join(done.problems))
    return applied.practice


def add_user(practice: Practice, name: str, password: str) -> None:
    """The owner of the practice; the password is set anew when they are there already.

    Their second step can be read off the sign-in page and `labbridge user code`: a demo's people only.
    """
    from django.contrib.auth.models import User

    from labbridge.accounts import people
    from labbridge.accounts.demo import give_demo_factor
    from labbridge.accounts.roles import Role

    user, _ = User.objects.get_or_create(username=name, defaults={"email": name})
    people.reset(user, password)
    people.grant(user, practice, Role.OWNER, name)
    give_demo_factor(user)


def pull(practice: Practice) -> None:
    """Read the practice's patients and Rupa's catalogue, as `sync patients` and `sync catalog` would."""
    from django.db import connections

    from labbridge.catalog.filing import file_catalog
    from labbridge.catalog.sync import pull_catalog
    from labbridge.reconcile.patients import pull_patients

    pull_patients(practice)
    pull_catalog(practice)
    file_catalog(practice)
    connections.close_all()  # from here on the service works; this process only watches
