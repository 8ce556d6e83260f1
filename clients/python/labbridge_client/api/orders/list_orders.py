from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.order_page import OrderPage
from ...models.phase import Phase
from ...models.plain_order_page import PlainOrderPage
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID


def _get_kwargs(
    *,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    phase: None | Phase | Unset = UNSET,
    patient_id: None | Unset | UUID = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["cursor"] = cursor

    json_phase: None | str | Unset
    if isinstance(phase, Unset):
        json_phase = UNSET
    elif isinstance(phase, Phase):
        json_phase = phase.value
    else:
        json_phase = phase
    params["phase"] = json_phase

    json_patient_id: None | str | Unset
    if isinstance(patient_id, Unset):
        json_patient_id = UNSET
    elif isinstance(patient_id, UUID):
        json_patient_id = str(patient_id)
    else:
        json_patient_id = patient_id
    params["patient_id"] = json_patient_id

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/orders",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | OrderPage | PlainOrderPage | Problem | None:
    if response.status_code == 200:

        def _parse_response_200(data: object) -> OrderPage | PlainOrderPage:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_200_type_0 = OrderPage.from_dict(data)

                return response_200_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            response_200_type_1 = PlainOrderPage.from_dict(data)

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
) -> Response[Any | OrderPage | PlainOrderPage | Problem]:
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
    phase: None | Phase | Unset = UNSET,
    patient_id: None | Unset | UUID = UNSET,
) -> Response[Any | OrderPage | PlainOrderPage | Problem]:
    """List Orders

     Orders in the order in which Labbridge first saw them. `patient_id` is for keys that may see
    patients.

    Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        phase (None | Phase | Unset):
        patient_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderPage | PlainOrderPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        phase=phase,
        patient_id=patient_id,
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
    phase: None | Phase | Unset = UNSET,
    patient_id: None | Unset | UUID = UNSET,
) -> Any | OrderPage | PlainOrderPage | Problem | None:
    """List Orders

     Orders in the order in which Labbridge first saw them. `patient_id` is for keys that may see
    patients.

    Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        phase (None | Phase | Unset):
        patient_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderPage | PlainOrderPage | Problem
    """

    return sync_detailed(
        client=client,
        limit=limit,
        cursor=cursor,
        phase=phase,
        patient_id=patient_id,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    phase: None | Phase | Unset = UNSET,
    patient_id: None | Unset | UUID = UNSET,
) -> Response[Any | OrderPage | PlainOrderPage | Problem]:
    """List Orders

     Orders in the order in which Labbridge first saw them. `patient_id` is for keys that may see
    patients.

    Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        phase (None | Phase | Unset):
        patient_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderPage | PlainOrderPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        phase=phase,
        patient_id=patient_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: str | Unset = "",
    phase: None | Phase | Unset = UNSET,
    patient_id: None | Unset | UUID = UNSET,
) -> Any | OrderPage | PlainOrderPage | Problem | None:
    """List Orders

     Orders in the order in which Labbridge first saw them. `patient_id` is for keys that may see
    patients.

    Needs the scope `orders:read`.

    Args:
        limit (int | Unset): Rows on a page. Default: 50.
        cursor (str | Unset): `next_cursor` of the page before. Default: ''.
        phase (None | Phase | Unset):
        patient_id (None | Unset | UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderPage | PlainOrderPage | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            limit=limit,
            cursor=cursor,
            phase=phase,
            patient_id=patient_id,
        )
    ).parsed
