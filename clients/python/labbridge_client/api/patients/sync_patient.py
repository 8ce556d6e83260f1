from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem import Problem
from ...models.sync_started import SyncStarted
from typing import cast
from uuid import UUID


def _get_kwargs(
    patient_id: UUID,
    *,
    idempotency_key: str,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/patients/{patient_id}/sync".format(
            patient_id=quote(str(patient_id), safe=""),
        ),
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | SyncStarted | None:
    if response.status_code == 202:
        response_202 = SyncStarted.from_dict(response.json())

        return response_202

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

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

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

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
) -> Response[Problem | SyncStarted]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    patient_id: UUID,
    *,
    client: AuthenticatedClient,
    idempotency_key: str,
) -> Response[Problem | SyncStarted]:
    """Sync Patient

     Have the row matched, linked, created or updated at Rupa now. `get_patient` shows how it ended.

    Needs the scope `patients:sync`.

    Args:
        patient_id (UUID):
        idempotency_key (str): Made by you, one for each thing that you want done; sent again when
            an answer was lost.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | SyncStarted]
    """

    kwargs = _get_kwargs(
        patient_id=patient_id,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    patient_id: UUID,
    *,
    client: AuthenticatedClient,
    idempotency_key: str,
) -> Problem | SyncStarted | None:
    """Sync Patient

     Have the row matched, linked, created or updated at Rupa now. `get_patient` shows how it ended.

    Needs the scope `patients:sync`.

    Args:
        patient_id (UUID):
        idempotency_key (str): Made by you, one for each thing that you want done; sent again when
            an answer was lost.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | SyncStarted
    """

    return sync_detailed(
        patient_id=patient_id,
        client=client,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    patient_id: UUID,
    *,
    client: AuthenticatedClient,
    idempotency_key: str,
) -> Response[Problem | SyncStarted]:
    """Sync Patient

     Have the row matched, linked, created or updated at Rupa now. `get_patient` shows how it ended.

    Needs the scope `patients:sync`.

    Args:
        patient_id (UUID):
        idempotency_key (str): Made by you, one for each thing that you want done; sent again when
            an answer was lost.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | SyncStarted]
    """

    kwargs = _get_kwargs(
        patient_id=patient_id,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    patient_id: UUID,
    *,
    client: AuthenticatedClient,
    idempotency_key: str,
) -> Problem | SyncStarted | None:
    """Sync Patient

     Have the row matched, linked, created or updated at Rupa now. `get_patient` shows how it ended.

    Needs the scope `patients:sync`.

    Args:
        patient_id (UUID):
        idempotency_key (str): Made by you, one for each thing that you want done; sent again when
            an answer was lost.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | SyncStarted
    """

    return (
        await asyncio_detailed(
            patient_id=patient_id,
            client=client,
            idempotency_key=idempotency_key,
        )
    ).parsed
