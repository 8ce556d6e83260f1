from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.ordered_test_page import OrderedTestPage
from ...models.plain_ordered_test_page import PlainOrderedTestPage
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID


def _get_kwargs(
    *,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    order_id: None | Unset | UUID = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["cursor"] = cursor

    json_order_id: None | str | Unset
    if isinstance(order_id, Unset):
        json_order_id = UNSET
    elif isinstance(order_id, UUID):
        json_order_id = str(order_id)
    else:
        json_order_id = order_id
    params["order_id"] = json_order_id

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/ordered-tests",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | OrderedTestPage | PlainOrderedTestPage | Problem | None:
    if response.status_code == 200:

        def _parse_response_200(data: object) -> OrderedTestPage | PlainOrderedTestPage:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = OrderedTestPage.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_1 = PlainOrderedTestPage.from_dict(data)

            return response_200_type_1

        response_200 = _parse_response_200(response.json())

        return response_200

    if response.status_code == 304:
        response_304 = cast(Any, None)
        return response_304

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())

        return response_403

    if response.status_code == 422:
        response_422 = Problem.from_dict(response.json())

        return response_422

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = Problem.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Any | OrderedTestPage | PlainOrderedTestPage | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    order_id: None | Unset | UUID = UNSET,
) -> Response[Any | OrderedTestPage | PlainOrderedTestPage | Problem]:
    """List Ordered Tests

     Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        order_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderedTestPage | PlainOrderedTestPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        order_id=order_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    order_id: None | Unset | UUID = UNSET,
) -> Any | OrderedTestPage | PlainOrderedTestPage | Problem | None:
    """List Ordered Tests

     Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        order_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderedTestPage | PlainOrderedTestPage | Problem
    """

    return sync_detailed(
        client=client,
        limit=limit,
        cursor=cursor,
        order_id=order_id,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    order_id: None | Unset | UUID = UNSET,
) -> Response[Any | OrderedTestPage | PlainOrderedTestPage | Problem]:
    """List Ordered Tests

     Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        order_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderedTestPage | PlainOrderedTestPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        order_id=order_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    order_id: None | Unset | UUID = UNSET,
) -> Any | OrderedTestPage | PlainOrderedTestPage | Problem | None:
    """List Ordered Tests

     Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        order_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderedTestPage | PlainOrderedTestPage | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            limit=limit,
            cursor=cursor,
            order_id=order_id,
        )
    ).parsed
