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
patients = "full"                           # also create and update patients at Rupa; doubt becomes a question

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


def add_people(practice: Practice, owner: str, password: str) -> None:
    """The owner, and somebody in each other role; passwords are set anew when they are there already.

    Their second step can be read off the sign-in page and `labbridge user code`: a demo's people only.
    """
    from django.contrib.auth.models import User

    from labbridge.accounts import people
    from labbridge.accounts.demo import give_demo_factor
    from labbridge.accounts.roles import Role

    for role in Role:
        name = owner if role == Role.OWNER else f"{role.replace(' ', '-')}@{owner.partition('@')[2]}"
        user, _ = User.objects.get_or_create(username=name, defaults={"email": name})
        people.reset(user, password)
        people.grant(user, practice, role, owner if role in {Role.OWNER, Role.PRACTITIONER} else "")
        give_demo_factor(user)


def count(practice: Practice) -> None:
    """Have analytics count the day at once, not within ten minutes."""
    from django.db import connections

    from labbridge.analytics.facts import refresh

    refresh(practice)
    connections.close_all()


def pull(practice: Practice) -> None:
    """Read the practice's patients and Rupa's catalogue, as `sync patients` and `sync catalog` would."""
    from django.db import connections

    from labbridge.catalog.filing import file_catalog
    from labbridge.catalog.sync import pull_catalog
    from labbridge.reconcile.patients import pull_patients

    pull_patients(practice)
    pull_catalog(practice)
    file_catalog(practice)
    add_protocols(practice)
    connections.close_all()  # from here on the service works; this process only watches


PROTOCOLS = {
    "Gut, first visit": ("GI-MAP", "Organic Acids", "Zonulin"),
    "Hormones": ("DUTCH Complete", "Thyroid"),
    "Fatty acids": ("OmegaCheck", "Vitamin D"),
}


def add_protocols(practice: Practice) -> None:
    """Protocols of the catalogue's own tests, written to Caspio by the service as the console's are."""
    from uuid import NAMESPACE_URL, uuid5

    from labbridge.filing.protocols import Content, InProtocol
    from labbridge.handlers.protocols import save
    from labbridge.mirror.models import LabTest
    from labbridge.trust.audit import operator

    for name, words in PROTOCOLS.items():
        known = LabTest.objects.filter(practice=practice).order_by("name")
        found = [test for word in words if (test := known.filter(name__icontains=word).first())]
        tests = tuple(
            InProtocol(f"demo-{test.external_id}-{name[:3]}", test.external_id, number)
            for number, test in enumerate(dict.fromkeys(found), start=1)
        )
        if tests:
            key = uuid5(NAMESPACE_URL, f"demo:{practice.slug}:{name}")
            save(practice, None, key, base=None, wanted=Content(name, tests=tests), actor=operator())
