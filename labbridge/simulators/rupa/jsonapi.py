"""Documents, pages, filters, sorting and inclusion as djangorestframework-jsonapi gives them."""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from labbridge.simulators.rupa.errors import JSON_API, ApiError
from labbridge.simulators.rupa.paths import SPELLED
from labbridge.simulators.rupa.resources import RESOURCES, Resource, related, resource_object
from labbridge.simulators.rupa.store import Doc, field
from labbridge.simulators.rupa.world import World

KNOWN_PARAMETER = re.compile(r"(include|sort|page\[(number|size)\]|(filter|fields)\[[a-z0-9_.]+\])$")


def document(world: World, kind: str, doc: Doc, status: int = 200) -> Response:
    """Answer one resource, with what the caller asks to include."""
    _check_parameters()
    body: Doc = {"data": resource_object(world, kind, doc, _only())}
    if included := _included(world, kind, [doc]):
        body["included"] = included
    return Response(json.dumps(body), status, mimetype=JSON_API)


def collection(world: World, kind: str, clinic: str | None) -> Response:
    """Answer one page. Raises ApiError 400 for an unknown filter, sort or include, 404 past the last page."""
    _check_parameters()
    resource = RESOURCES[kind]
    equal, search = _filters(world, resource)
    scope: dict[str, Any] = {
        "clinic": clinic if resource.of_clinic else None,
        "equal": equal,
        "search": search,
    }
    order = _order(world, resource)
    count = world.store.count(kind, **scope)
    number, size = _page(world)
    pages = max(1, -(-count // size))
    if number > pages:
        raise ApiError(404, "not_found", "Invalid page.")
    docs = world.store.many(kind, order=order, limit=size, offset=(number - 1) * size, **scope)
    body: Doc = {
        "links": _links(number, pages),
        "data": [resource_object(world, kind, doc, _only()) for doc in docs],
        "meta": {"pagination": {"page": number, "pages": pages, "count": count}},
    }
    if included := _included(world, kind, docs):
        body["included"] = included
    return Response(json.dumps(body), mimetype=JSON_API)


def _check_parameters() -> None:
    for name in request.args:
        if not KNOWN_PARAMETER.match(name):
            raise ApiError(400, "invalid", f"invalid query parameter: {name}")


def _filters(world: World, resource: Resource) -> tuple[dict[str, str], tuple[str, tuple[str, ...]] | None]:
    equal: dict[str, str] = {}
    search = None
    for parameter, value in request.args.items():
        if not parameter.startswith("filter["):
            continue
        name = parameter[len("filter[") : -1]
        if not world.options.filters:
            raise ApiError(400, "invalid", f"invalid filter: {name}")
        if name == "search" and resource.searched:
            search = (value, resource.searched)
        elif name in resource.filters:
            equal[resource.filters[name]] = value
        else:
            raise ApiError(400, "invalid", f"invalid filter: {name}")
    return equal, search


def _order(world: World, resource: Resource) -> str:
    asked = [name for name in request.args.get("sort", "").split(",") if name]
    wrong = [n for n in asked if not world.options.sorting or n.lstrip("-") not in resource.sorts]
    if wrong:
        raise ApiError(400, "invalid", f"invalid sort parameter: {', '.join(wrong)}")
    terms = [f"{field(name.lstrip('-'))} {'DESC' if name.startswith('-') else 'ASC'}" for name in asked]
    return ", ".join([*terms, "seq DESC" if resource.newest_first else "seq ASC"])


def _page(world: World) -> tuple[int, int]:
    options = world.options
    try:
        number = int(request.args.get("page[number]", 1))
    except ValueError:
        number = 0
    if number < 1:
        raise ApiError(404, "not_found", "Invalid page.")
    asked = request.args.get("page[size]", "")
    size = int(asked) if asked.isdigit() and int(asked) else options.page_size
    return number, min(size, options.max_page_size)  # the framework cuts, it does not refuse


def _links(number: int, pages: int) -> Doc:
    address = request.host_url.rstrip("/") + request.environ.get(SPELLED, request.path)

    def link(page: int) -> str | None:
        if not 1 <= page <= pages:
            return None
        kept = [(k, v) for k, v in request.args.items(multi=True) if k != "page[number]"]
        return f"{address}?{urlencode([*kept, ('page[number]', page)])}"

    return {
        "first": link(1),
        "last": link(pages),
        "next": link(number + 1),
        "prev": link(number - 1),
    }


def _only() -> dict[str, set[str]]:
    return {
        name[len("fields[") : -1]: set(value.split(","))
        for name, value in request.args.items()
        if name.startswith("fields[")
    }


def _included(world: World, kind: str, docs: list[Doc]) -> list[Doc]:
    paths = [path for path in request.args.get("include", "").split(",") if path]
    if paths and not world.options.includes:
        raise ApiError(400, "invalid", "This endpoint does not support the include parameter.")
    found: dict[tuple[str, str], Doc] = {}
    for path in paths:
        _follow(world, kind, docs, path.split("."), found)
    return list(found.values())


def _follow(
    world: World, kind: str, docs: Iterable[Doc], path: list[str], found: dict[tuple[str, str], Doc]
) -> None:
    name, *rest = path
    resource = RESOURCES[kind]
    if name not in resource.to_one | resource.to_many:
        raise ApiError(
            400, "invalid", f"This endpoint does not support the include parameter for path {name}"
        )
    (to, _) = (resource.to_one | resource.to_many)[name]
    reached = []
    for doc in docs:
        _, ids = related(kind, doc, name) or (to, [])
        reached += [linked for one in ids if (linked := world.store.one(to, one))]
    for linked in reached:
        found.setdefault((to, linked["id"]), resource_object(world, to, linked, _only()))
    if rest:
        _follow(world, to, reached, rest, found)
