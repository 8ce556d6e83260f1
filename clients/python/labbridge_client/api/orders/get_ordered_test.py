from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.ordered_test import OrderedTest
from ...models.plain_ordered_test import PlainOrderedTest
from ...models.problem import Problem
from typing import cast
from uuid import UUID


def _get_kwargs(
    ordered_test_id: UUID,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/ordered-tests/{ordered_test_id}".format(
            ordered_test_id=quote(str(ordered_test_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | OrderedTest | PlainOrderedTest | Problem | None:
    if response.status_code == 200:

        def _parse_response_200(data: object) -> OrderedTest | PlainOrderedTest:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = OrderedTest.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_1 = PlainOrderedTest.from_dict(data)

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

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

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
) -> Response[Any | OrderedTest | PlainOrderedTest | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    ordered_test_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Any | OrderedTest | PlainOrderedTest | Problem]:
    """Get Ordered Test

     Needs the scope `orders:read`.

    Args:
        ordered_test_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderedTest | PlainOrderedTest | Problem]
    """

    kwargs = _get_kwargs(
        ordered_test_id=ordered_test_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    ordered_test_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Any | OrderedTest | PlainOrderedTest | Problem | None:
    """Get Ordered Test

     Needs the scope `orders:read`.

    Args:
        ordered_test_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderedTest | PlainOrderedTest | Problem
    """

    return sync_detailed(
        ordered_test_id=ordered_test_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    ordered_test_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Any | OrderedTest | PlainOrderedTest | Problem]:
    """Get Ordered Test

     Needs the scope `orders:read`.

    Args:
        ordered_test_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderedTest | PlainOrderedTest | Problem]
    """

    kwargs = _get_kwargs(
        ordered_test_id=ordered_test_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    ordered_test_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Any | OrderedTest | PlainOrderedTest | Problem | None:
    """Get Ordered Test

     Needs the scope `orders:read`.

    Args:
        ordered_test_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderedTest | PlainOrderedTest | Problem
    """

    return (
        await asyncio_detailed(
            ordered_test_id=ordered_test_id,
            client=client,
        )
    ).parsed
