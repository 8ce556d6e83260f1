from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem import Problem
from ...models.result_values import ResultValues
from typing import cast
from uuid import UUID


def _get_kwargs(
    result_id: UUID,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/results/{result_id}/values".format(
            result_id=quote(str(result_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | Problem | ResultValues | None:
    if response.status_code == 200:
        response_200 = ResultValues.from_dict(response.json())

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

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 410:
        response_410 = Problem.from_dict(response.json())

        return response_410

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
) -> Response[Any | Problem | ResultValues]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    result_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Any | Problem | ResultValues]:
    """List Result Values

     All values of one version, in the order of the lab's report.

    Needs the scope `results:read`.

    Args:
        result_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | ResultValues]
    """

    kwargs = _get_kwargs(
        result_id=result_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    result_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Any | Problem | ResultValues | None:
    """List Result Values

     All values of one version, in the order of the lab's report.

    Needs the scope `results:read`.

    Args:
        result_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | ResultValues
    """

    return sync_detailed(
        result_id=result_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    result_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Any | Problem | ResultValues]:
    """List Result Values

     All values of one version, in the order of the lab's report.

    Needs the scope `results:read`.

    Args:
        result_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | ResultValues]
    """

    kwargs = _get_kwargs(
        result_id=result_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    result_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Any | Problem | ResultValues | None:
    """List Result Values

     All values of one version, in the order of the lab's report.

    Needs the scope `results:read`.

    Args:
        result_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | ResultValues
    """

    return (
        await asyncio_detailed(
            result_id=result_id,
            client=client,
        )
    ).parsed
