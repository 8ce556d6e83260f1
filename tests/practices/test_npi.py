"""NPIs are checked where they are entered."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from labbridge.practices.config import RupaPractitioner


def test_a_true_npi_and_none() -> None:
    # The example of CMS's own description of the check digit.
    assert RupaPractitioner(email="a@x.example", npi="1234567893").npi == "1234567893"
    assert not RupaPractitioner(email="a@x.example").npi


@pytest.mark.parametrize(
    "wrong", ["1234567890", "123456789", "12345678933", "3234567893", "12345o7893", "\uff11234567893"]
)
def test_a_wrong_one_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is not an NPI"):
        RupaPractitioner(email="a@x.example", npi=wrong)
