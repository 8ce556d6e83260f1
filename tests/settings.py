"""The deployment that tests run in: a data directory and keys of their own, never the developer's."""

import base64
import hashlib
import os
import tempfile
from pathlib import Path

# One data directory for each checkout and user, so that two runs at once do not disturb each other.
_CHECKOUT = hashlib.sha256(str(Path(__file__).resolve()).encode()).hexdigest()[:8]
os.environ.setdefault(
    "LABBRIDGE_DATA_DIR", str(Path(tempfile.gettempdir()) / f"labbridge-tests-{os.getuid()}-{_CHECKOUT}")
)
os.environ["LABBRIDGE_ALLOW_HTTP_PEERS"] = "1"
os.environ["LABBRIDGE_ENCRYPTION_KEYS"] = base64.b64encode(b"a key for tests and nothing else").decode()
os.environ["LABBRIDGE_RUPA_CLIENT_ID"] = "app_tests"
os.environ["LABBRIDGE_RUPA_CLIENT_SECRET"] = "secret of the tests"
os.environ["LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET"] = "whsec_tests"

from labbridge.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
