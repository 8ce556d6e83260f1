"""The deployment that tests run in: a data directory and keys of their own, never the developer's."""

import base64
import os
import tempfile
from pathlib import Path

os.environ.setdefault(
    "LABBRIDGE_DATA_DIR", str(Path(tempfile.gettempdir()) / f"labbridge-tests-{os.getuid()}")
)
os.environ["LABBRIDGE_ALLOW_HTTP_PEERS"] = "1"
os.environ["LABBRIDGE_ENCRYPTION_KEYS"] = base64.b64encode(b"a key for tests and nothing else").decode()
os.environ["LABBRIDGE_RUPA_CLIENT_ID"] = "app_tests"
os.environ["LABBRIDGE_RUPA_CLIENT_SECRET"] = "secret of the tests"
os.environ["LABBRIDGE_RUPA_WEBHOOK_SIGNING_SECRET"] = "whsec_tests"

from labbridge.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
