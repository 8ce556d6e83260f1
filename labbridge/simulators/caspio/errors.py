"""Caspio's refusals and their envelope (caspio-api.md 3.2)."""

import uuid


class CaspioError(Exception):
    """A refusal as the API gives it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def bad_query(message: str) -> CaspioError:
    return CaspioError(400, "IncorrectQueryParameter", message)


def bad_body(message: str) -> CaspioError:
    return CaspioError(400, "IncorrectBodyParameter", message)


def bad_values(fields: list[str]) -> CaspioError:
    # the wording as seen in the wild (caspio-api.md 3.2)
    names = ", ".join(fields)
    return CaspioError(
        400,
        "InvalidInputValue",
        f"Cannot perform operation because the value doesn't match the data type of the following field(s): "
        f"{names}",
    )


def no_object(name: str) -> CaspioError:
    return CaspioError(404, "ObjectNotFound", f"The object '{name}' does not exist.")


def no_fields(names: list[str]) -> CaspioError:
    return CaspioError(404, "FieldNotFound", f"The following field(s) do not exist: {', '.join(names)}")


def envelope(code: str, message: str, resource: str, request_id: str) -> dict[str, str]:
    return {"Code": code, "Message": message, "Resource": resource, "RequestId": request_id}


def new_request_id() -> str:
    return str(uuid.uuid4())
