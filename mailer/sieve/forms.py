"""What each command and test takes, as tables: the checker is driven by them, and the manual's list of extensions is `EXTENSIONS`.

A `Form` names its arguments in their order; a ``?`` before one says that it may be left out. Tags that decide the same thing share a
group, of which one may stand; each says what follows it, and which extension has to be required for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Taken: TypeAlias = Literal["", "string", "list", "number"]

EXTENSIONS: Final = {
    "fileinto": "RFC 5228 §4.1",
    "envelope": "RFC 5228 §5.4",
    "encoded-character": "RFC 5228 §2.4.2.4",
    "copy": "RFC 3894",
    "body": "RFC 5173",
    "variables": "RFC 5229",
    "vacation": "RFC 5230",
    "vacation-seconds": "RFC 6131",
    "relational": "RFC 5231",
    "imap4flags": "RFC 5232",
    "subaddress": "RFC 5233",
    "date": "RFC 5260 §4",
    "index": "RFC 5260 §6",
    "environment": "RFC 5183",
    "mailbox": "RFC 5490 §3",
    "special-use": "RFC 8579",
    "comparator-i;octet": "RFC 5228 §2.7.3",
    "comparator-i;ascii-casemap": "RFC 5228 §2.7.3",
    "comparator-i;ascii-numeric": "RFC 4790 §9.1",
}
"""What a script may require, and where it is defined."""

COMPARATORS: Final = ("i;ascii-casemap", "i;octet", "i;ascii-numeric")
RELATIONS: Final = ("gt", "ge", "lt", "le", "eq", "ne")  # RFC 5231 §6
ENVELOPE_PARTS: Final = ("from", "to")

ADDRESS_FIELDS: Final = frozenset({
    "from", "to", "cc", "bcc", "sender", "resent-from", "resent-to", "reply-to", "resent-reply-to", "resent-sender", "resent-cc",
    "resent-bcc", "for-approval", "for-handling", "for-comment", "apparently-to", "errors-to", "delivered-to", "return-receipt-to",
    "x-admin", "read-receipt-to", "x-confirm-reading-to", "return-receipt-requested", "registered-mail-reply-requested-by",
    "mail-followup-to", "mail-reply-to", "abuse-reports-to", "x-complaints-to", "x-report-abuse-to", "x-beenthere", "x-original-to",
    "x-original-from", "return-path", "disposition-notification-to", "envelope-to",
})  # fmt: skip
"""Fields that hold addresses; ``address`` is for no other (RFC 5228 §5.1)."""

DATE_PARTS: Final = (
    "year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday",
)  # fmt: skip
"""RFC 5260 §4.2"""


class Tag(NamedTuple):
    """What a tag decides, what stands behind it, and which extension it is of."""

    group: str
    takes: Taken = ""
    needs: str = ""


class Form(NamedTuple):
    """What a command or a test takes: arguments, tags, tests (how many, or ``list``), a block; and which extension it is of."""

    takes: tuple[str, ...] = ()
    tags: Mapping[str, Tag] = {}
    tests: Literal["", "one", "list"] = ""
    block: bool = False
    needs: str = ""


_MATCH: Final = {
    ":is": Tag("match"),
    ":contains": Tag("match"),
    ":matches": Tag("match"),
    ":count": Tag("match", "string", "relational"),
    ":value": Tag("match", "string", "relational"),
    ":comparator": Tag("comparator", "string"),
}
_PART: Final = {
    ":all": Tag("part"),
    ":localpart": Tag("part"),
    ":domain": Tag("part"),
    ":user": Tag("part", "", "subaddress"),
    ":detail": Tag("part", "", "subaddress"),
}
_INDEX: Final = {":index": Tag("index", "number", "index"), ":last": Tag("last", "", "index")}
_FLAGS: Final = {":flags": Tag("flags", "list", "imap4flags")}
_ZONE: Final = {":zone": Tag("zone", "string"), ":originalzone": Tag("zone")}
_CHANGE: Final = {
    ":lower": Tag("case"),
    ":upper": Tag("case"),
    ":lowerfirst": Tag("first"),
    ":upperfirst": Tag("first"),
    ":quotewildcard": Tag("quote"),
    ":length": Tag("length"),
}

COMMANDS: Final[dict[str, Form]] = {
    "require": Form(("list",)),
    "if": Form(tests="one", block=True),
    "elsif": Form(tests="one", block=True),
    "else": Form(block=True),
    "stop": Form(),
    "keep": Form(tags=_FLAGS),
    "discard": Form(),
    "fileinto": Form(
        ("string",),
        {
            ":copy": Tag("copy", "", "copy"),
            ":create": Tag("create", "", "mailbox"),
            ":specialuse": Tag("specialuse", "string", "special-use"),
            **_FLAGS,
        },
        needs="fileinto",
    ),
    "redirect": Form(("string",), {":copy": Tag("copy", "", "copy")}),
    "vacation": Form(
        ("string",),
        {
            ":days": Tag("period", "number"),
            ":seconds": Tag("period", "number", "vacation-seconds"),
            ":subject": Tag("subject", "string"),
            ":from": Tag("from", "string"),
            ":addresses": Tag("addresses", "list"),
            ":mime": Tag("mime"),
            ":handle": Tag("handle", "string"),
        },
        needs="vacation",
    ),
    "set": Form(("string", "string"), _CHANGE, needs="variables"),
    "setflag": Form(("?string", "list"), needs="imap4flags"),
    "addflag": Form(("?string", "list"), needs="imap4flags"),
    "removeflag": Form(("?string", "list"), needs="imap4flags"),
}

TESTS: Final[dict[str, Form]] = {
    "true": Form(),
    "false": Form(),
    "not": Form(tests="one"),
    "anyof": Form(tests="list"),
    "allof": Form(tests="list"),
    "exists": Form(("list",)),
    "size": Form(("number",), {":over": Tag("relation"), ":under": Tag("relation")}),
    "header": Form(("list", "list"), {**_MATCH, **_INDEX}),
    "address": Form(("list", "list"), {**_MATCH, **_PART, **_INDEX}),
    "envelope": Form(("list", "list"), {**_MATCH, **_PART}, needs="envelope"),
    "body": Form(("list",), {**_MATCH, ":raw": Tag("of"), ":text": Tag("of"), ":content": Tag("of", "list")}, needs="body"),
    "date": Form(("string", "string", "list"), {**_MATCH, **_INDEX, **_ZONE}, needs="date"),
    "currentdate": Form(("string", "list"), {**_MATCH, ":zone": Tag("zone", "string")}, needs="date"),
    "string": Form(("list", "list"), _MATCH, needs="variables"),
    "hasflag": Form(("?list", "list"), _MATCH, needs="imap4flags"),
    "mailboxexists": Form(("list",), needs="mailbox"),
    "specialuse_exists": Form(("?string", "list"), needs="special-use"),
    "environment": Form(("string", "list"), _MATCH, needs="environment"),
}
