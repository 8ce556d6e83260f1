"""`{{ order.phase|words }}`: our words as people write them."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def words(value: str) -> str:
    """`awaiting_payment` as "awaiting payment"."""
    return str(value).replace("_", " ")
