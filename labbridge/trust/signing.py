"""The signing key of a deployment, whose signatures count, and where chains are anchored."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from labbridge.trust.chain import AnchorFile, PublicKeys, Signer


@cache
def signer() -> Signer:
    return Signer(settings.SIGNING_KEYS[0])


@cache
def public_keys() -> PublicKeys:
    return PublicKeys(Signer(seed).public for seed in settings.SIGNING_KEYS)


def anchor_file() -> AnchorFile:
    return AnchorFile(settings.ANCHOR_PATH)
