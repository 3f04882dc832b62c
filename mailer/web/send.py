"""Handing mail in: ``POST /send_email``, ``/send_emails``, ``/send_raw``.

What is answered with 202 is on the disk, with its name, and with its request id where it has one. A client that did not hear the answer
asks again with the same request id (the field ``Idempotency-Key``, or the member ``request_id``), and gets the same one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from mailer.compose import Composition, EmailError, EmailLimits, beside
from mailer.compose.payload import LISTS, OLD, TEXT, strict
from mailer.mail.envelope import is_request_id, queue_priority
from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.operate.batch import Loader
from mailer.operate.bundle import Item
from mailer.operate.program_view import ProgramView
from mailer.spool.files.batch import Post
from mailer.spool.files.store import SpoolDirectory
from mailer.submit import Submission, submit
from mailer.submit.tray import SMALL

from .answer import NDJSON, ApiRefusal, JsonAnswer, accepted, lines, refusal_of, refuse_unknown
from .desk import Desk
from .room import whole_body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from starlette.requests import Request

    from mailer.accounts.api import ApiKey
    from mailer.config import Config
    from mailer.config.sections import SubmissionSection
    from mailer.operate.batch import Taken
    from mailer.submit import Prepared

JSON_TYPES: Final = ("application/json",)
LINE_TYPES: Final = (NDJSON, "application/jsonl", "application/ndjson", "application/jsonlines")
RAW_TYPES: Final = ("message/rfc822", "message/global")
SWITCHES: Final = {"true": True, "false": False}
FEW: Final = 50  # recipients; an answer that lists more is not made in the loop
PARTS: Final = {
    "From": "from", "To": "to", "Cc": "cc", "Bcc": "bcc", "Reply-To": "reply_to", "Subject": "subject", "Message-ID": "message_id",
    "In-Reply-To": "in_reply_to", "References": "references", "X-Priority": "priority", "attachment": "attachments", "link": "attachments",
}  # fmt: skip
"""Where something is wrong with an email → the member that says it."""


async def email(request: Request) -> Response:
    """One message, described by a JSON object."""
    sender = _Sender(request)
    _media_type(request, JSON_TYPES)
    body = await whole_body(request)

    return await sender.sent(lambda: sender.submission(_payload(body), sender.key_field), len(body))


async def raw(request: Request) -> Response:
    """One message as RFC 5322 has it. Raises `ApiRefusal`."""
    desk, sender = Desk.of(request), _Sender(request)
    _media_type(request, RAW_TYPES)
    query = request.query_params
    refuse_unknown(query, ("to", "from", "priority", beside.LINK, beside.IGNORE), repeated=("to",))
    asked = {name: SWITCHES.get(query[name], query[name]) for name in (beside.LINK, beside.IGNORE) if name in query}
    _, options = _apart(asked, sender.key)
    body = await whole_body(request)
    if len(body) > desk.config.submission.max_message_size:
        limit = f"{desk.config.submission.max_message_size} bytes (submission.max_message_size)"
        raise ApiRefusal(413, "too_large", f"the message is larger than {limit}")

    def made() -> Submission:
        if not body.strip():
            raise ApiRefusal(400, "bad_message", "the message is empty")
        to = query.getlist("to")
        return sender.made(
            body, sender=query.get("from"), recipients=to, from_header=not to, request_id=sender.key_field,
            priority=query.get("priority", "normal"), options=options,
        )  # fmt: skip

    return await sender.sent(made, len(body))


async def emails(request: Request) -> Response:
    """Many messages, each described by a JSON object: an array of them, or one a line. Each has its result, in the same order."""
    desk, sender = Desk.of(request), _Sender(request)
    in_lines = _media_type(request, (*JSON_TYPES, *LINE_TYPES)) in LINE_TYPES
    body = await whole_body(request)

    def send() -> Response:
        payloads = list(_each_line(body) if in_lines else _each(_payload(body)))
        most = desk.config.api.batch
        if not payloads:
            raise ApiRefusal(400, "bad_request", "there is no message in it")
        if len(payloads) > most:
            raise ApiRefusal(400, "too_many", f"{len(payloads)} messages are more than {most} (api.batch); nothing was queued")
        results = sender.all_sent(payloads)
        if not any("id" in result for result in results):
            refused = ApiRefusal(400, "none_accepted", "none of the messages can be taken; results says why")
            return JSONResponse({**refused.as_json(), "results": results}, 400)
        if in_lines:
            return Response(lines(results), 202, media_type=NDJSON)
        return JSONResponse(results, 202)

    return await desk.work(send)


class _Sender:
    """Whoever sends by `request`: the key, what it may say, and what comes along with its messages."""

    def __init__(self, request: Request) -> None:
        self.key: ApiKey = request.scope["state"]["key"]
        self.desk = Desk.of(request)
        self.config: Config = self.desk.config
        self.key_field = _idempotency_key(request)
        self.traceparent = request.headers.get("traceparent", "")

    def made(self, data: bytes, **more: Any) -> Submission:
        """The submission of `data` by this key."""
        key = self.key
        return Submission(
            data, **more, whole=True, submitter=key.principal, senders=key.senders, stream=key.stream, traceparent=self.traceparent
        )

    def submission(self, payload: object, request_id: str) -> Submission:
        """The submission that a payload describes. Raises `ApiRefusal`."""
        settings = self.config.submission
        payload, options = _apart(payload, self.key)
        try:
            found = Composition.from_payload(payload)
            EmailLimits(settings.max_attachments, settings.max_attachment_size, settings.max_subject_length).check(found)
            own = found.request_id
            if own and not is_request_id(own):
                raise ApiRefusal(400, "bad_request_id", "request_id takes 1 to 255 printable characters", "request_id")
            if own and request_id and own != request_id:
                words = "Idempotency-Key and request_id are the same thing, and say different ones; send one of them"
                raise ApiRefusal(400, "bad_request_id", words, "request_id")
            sender = found.reverse_path()
            _count(found, settings)
            return self.made(
                found.encode(), sender=sender, bcc=found.hidden(), from_header=True, request_id=own or request_id,
                priority=queue_priority(found.priority), options=options,
            )  # fmt: skip
        except EmailError as error:
            raise _refusal(error, payload) from None

    async def sent(self, make: Callable[[], Submission], octets: int) -> Response:
        """The answer to the message that `make` makes of so many octets, which is durable by then. Raises `Problem`, `ApiRefusal`."""
        if octets > SMALL:
            return await self.desk.work(lambda: self._answer(submit(make(), self.config.submitting, time.time())))
        prepared = await self.desk.put(make)
        if prepared.repeat or len(prepared.envelope.recipients) > FEW:
            return await self.desk.work(self._answer, prepared)
        return self._answer(prepared)

    def _answer(self, prepared: Prepared) -> Response:
        if not prepared.repeat:
            return JsonAnswer(accepted(prepared, suppressed=suppressed_of(self.desk, prepared)), 202)
        return JsonAnswer(accepted(prepared, self._message_id(prepared.envelope.id)), 202, {"Idempotent-Replayed": "true"})

    def _message_id(self, id: str) -> str | None:
        """The Message-ID that a message was given when it was first sent, where that is known."""
        try:
            with ProgramView(SpoolDirectory(self.config.spool), self.key.principal) as mail:
                return mail.message(id).message_id
        except Problem:
            return None

    def all_sent(self, payloads: Sequence[object]) -> list[dict[str, Any]]:
        """The result of each message; what is accepted is durable when this returns. Raises `Problem` where none could be written."""
        results: list[dict[str, Any]] = []
        with Post(self.config.spool) as post:
            loader = Loader(self.config.submitting, post, _Results(results, self.desk), _Calm())
            refused: dict[int, ApiRefusal] = {}
            try:
                for at, payload in enumerate(payloads):
                    loader.add(Item(self._one(payload, at, refused), at))
                loader.finish()
            except Problem as problem:
                loader.abandon()
                if not results:
                    raise
                rest = refusal_of(problem).as_json()
                results += [rest] * (len(payloads) - len(results))
        for at, refusal in refused.items():
            results[at] = refusal.as_json()
        return results

    def _one(self, payload: object, at: int, refused: dict[int, ApiRefusal]) -> Submission | Problem:
        try:
            if isinstance(payload, ApiRefusal):
                raise payload
            whole = isinstance(payload, dict) and not payload.get("request_id")
            return self.submission(payload, f"{self.key_field}/{at}" if self.key_field and whole else "")
        except ApiRefusal as refusal:
            refused[at] = refusal
            return Problem(refusal.message, "bad-message")


class _Results:
    """Gathers what became of the messages of a batch."""

    def __init__(self, results: list[dict[str, Any]], desk: Desk) -> None:
        self.results = results
        self.desk = desk

    def told(self, taken: Taken) -> None:
        """One message."""
        if taken.prepared is None:
            assert taken.problem is not None
            self.results.append(refusal_of(taken.problem).as_json())
        else:
            prepared = taken.prepared
            prepared.taken(taken.id)
            self.results.append(accepted(prepared, suppressed=() if prepared.repeat else suppressed_of(self.desk, prepared)))

    def show(self, read: int) -> None:
        """Nothing is shown before all are told of."""


class _Calm:
    """No signal breaks a batch off: the answer to it is whole."""

    calm = True

    def settle(self) -> None:
        """Go on."""


def _apart(payload: object, key: ApiKey) -> tuple[object, Mapping[str, object]]:
    """The payload without what is asked beside the message, and that as options. Raises `ApiRefusal`."""
    try:
        rest, options = beside.apart(payload)
    except EmailError as error:
        raise ApiRefusal(400, "bad_request", str(error), error.part) from None
    if beside.IGNORE in options and "manage" not in key.scopes:
        raise ApiRefusal(403, "missing_scope", f"this key has no scope manage, which {beside.IGNORE} needs", beside.IGNORE)
    return rest, options


def suppressed_of(desk: Desk, prepared: Prepared) -> Collection[int]:
    """Which recipients, by their numbers, are on the suppression list this moment. The queue asks anew; a broken list is its trouble."""
    envelope = prepared.envelope
    if envelope.options.get(beside.IGNORE):
        return ()
    wanted = [(recipient.address, envelope.stream) for recipient in envelope.recipients]
    try:
        found = desk.suppressions.look_at_once(wanted, desk.clock.now())
    except Problem:
        return ()
    return {to for to, entry in enumerate(found) if entry is not None}


def _count(email: Composition, settings: SubmissionSection) -> None:
    """Raises `EmailError` where nobody gets it, or one has no domain and gets none here; `ApiRefusal` where too many do."""
    listed = sum(map(len, (email.to, email.cc, email.bcc)))
    if settings.default_domain and 0 < listed <= settings.max_recipients:
        return
    people = len(email.recipients())
    if people > settings.max_recipients:
        limit = f"{settings.max_recipients} (submission.max_recipients)"
        raise ApiRefusal(400, "too_many_recipients", f"{people} recipients are more than {limit}; nothing was queued")


def _payload(body: bytes) -> object:
    """The JSON of a body. Raises `ApiRefusal`."""
    try:
        return strict(body)
    except ValueError as error:
        raise ApiRefusal(400, "bad_json", f"the body is no JSON that is taken: {one_line(str(error), 200)}") from None


def _each(payload: object) -> Iterable[object]:
    if not isinstance(payload, list):
        raise ApiRefusal(400, "bad_request", "the body is no array; send one message to /send_email, or lines as application/x-ndjson")
    return payload


def _each_line(body: bytes) -> Iterator[object]:
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield _payload(line)
            except ApiRefusal as refusal:
                yield refusal


def _refusal(error: EmailError, payload: object) -> ApiRefusal:
    """The refusal that names the member, and of a list the place, where the mistake is."""
    members = payload if isinstance(payload, dict) else {}
    part = PARTS.get(error.part, OLD.get(error.part, error.part))
    other = next((old for old, new in OLD.items() if new == part), part)
    named = next((name for name in (part, other) if name in members), other)
    known = part in TEXT or part in LISTS or part in ("attachments", "headers")
    kind = "address" if part == "from" or part in LISTS else part if known else "payload"
    if part in LISTS and isinstance(members.get(named), list):
        named += next((f"[{at}]" for at, text in enumerate(members[named]) if not _is_right(text)), "")
    return ApiRefusal(400, f"bad_{kind}", one_line(str(error)), named if known else "")


def _is_right(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(Composition(to=[text]).recipients())
    except EmailError:
        return False


def _media_type(request: Request, known: Sequence[str]) -> str:
    """The media type of the body, one of those that are `known`. Raises `ApiRefusal`."""
    fields = request.headers.getlist("content-type")
    said, _, parameters = (fields[0] if len(fields) == 1 else "").partition(";")
    charset = parameters.lower().partition("charset=")[2].strip().strip('"')
    if said.strip().lower() not in known or charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise ApiRefusal(415, "unsupported_media_type", f"send it as Content-Type: {known[0]}, in UTF-8")
    return said.strip().lower()


def _idempotency_key(request: Request) -> str:
    """What the request is called by its client, so that it is made once; empty if nothing."""
    fields = request.headers.getlist("idempotency-key")
    if not fields:
        return ""
    said = fields[0].strip()
    if len(said) > 1 and said[0] == said[-1] == '"':  # a structured field, RFC 9651 §3.3.3
        said = said[1:-1]
    if len(fields) > 1 or not (is_request_id(said) and said.isascii()):
        raise ApiRefusal(400, "bad_request_id", "Idempotency-Key stands once, with 1 to 255 printable characters of ASCII")
    return said
