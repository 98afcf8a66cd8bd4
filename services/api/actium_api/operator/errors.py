"""What the operator API refuses, and the one shape in which it says so."""

from starlette.responses import JSONResponse


class OperatorError(Exception):
    """A refusal with its HTTP status; `field` names what of the request is wrong."""

    def __init__(self, status: int, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field


class BadQueryError(OperatorError):
    """A query parameter is wrong; the detail says what would be right."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(400, detail, field=field)


def error_response(error: OperatorError) -> JSONResponse:
    return JSONResponse({"error": {"field": error.field, "detail": error.detail}}, status_code=error.status)
