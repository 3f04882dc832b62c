"""Acting: ``POST /messages/{id}/cancel`` and ``/replay``, on the mail that came by the key that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from mailer.operate.queue import cancelling, perform, replaying
from mailer.spool.api import Busy, Reserve
from mailer.spool.files.spool import FileSpool

from .answer import AGAIN, ApiRefusal
from .desk import Desk
from .look import found, mail_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from mailer.operate.program_view import ProgramView
    from mailer.operate.queue import Operation


async def cancel(request: Request) -> Response:
    """Give up what of the message has not left; the answer is the message as it is then."""
    key = request.scope["state"]["key"]
    return await _act(request, lambda _: cancelling(f"cancelled by its sender, {key.principal}"))


async def replay(request: Request) -> Response:
    """Put a message that was given up once more, as a new one, which is the answer."""
    settings = Desk.of(request).config.submission
    reserve = Reserve(settings.min_free_space, settings.min_free_inodes)
    return await _act(request, lambda mail: replaying(FileSpool(mail.view.directory), reserve))


async def _act(request: Request, operation_for: Callable[[ProgramView], Operation]) -> Response:
    def act() -> Response:
        with mail_of(request) as mail:
            record = found(mail, request.path_params["id"])
            operation = operation_for(mail)
            if record.word not in operation.states:
                if record.word in operation.idle:
                    return JSONResponse(record.as_json())
                raise ApiRefusal(409, "wrong_state", str(operation.refusal(record)))
            [done] = [*perform(mail.view.spool, [record], operation)]
        if isinstance(done.problem, Busy):
            raise ApiRefusal(503, "busy", "the message is being delivered this moment; come again", headers={"Retry-After": str(AGAIN)})
        if done.problem is not None:
            raise ApiRefusal(409, "wrong_state", str(done.problem)) if done.problem.kind == "bad-message" else done.problem
        with mail_of(request) as mail:
            return JSONResponse(mail.message(done.made or done.id).as_json())

    return await Desk.of(request).work(act)
