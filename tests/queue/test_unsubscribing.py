"""Mail that is to have a link to unsubscribe has one when it leaves: its recipient's own, and signed."""

from __future__ import annotations

import re
from asyncio import run
from pathlib import Path

from mailer.mail.outcome import Cause
from mailer.queue.unsubscribing import UnsubscribeLinks
from mailer.suppression.unsubscribe import UnsubscribeToken, keys_of, opened

from .post import Post
from .test_suppressed import outcomes

NEWS = {"submitter": {"principal": "key:shop", "stream": "News"}, "options": {"list_unsubscribe": "auto"}}
WHOLE = b"From: me@example.com\r\nList-Unsubscribe: <mailto:x@example.org>\r\nlist-unsubscribe-post: y\r\nSubject: x\r\n\r\nhello\r\n"


def delivered(post: Post, *ids: str) -> None:
    async def scenario() -> None:
        async with post.running():
            for id in ids:
                await post.settled(id, None)

    run(scenario())


def test_each_message_leaves_with_the_link_of_its_recipient(post: Post) -> None:
    """Two fields, once each, above all others; what is in the spool has none."""
    root = post.spool.root
    post.change(links=UnsubscribeLinks(root, "https://leave.example.com/mail/"))
    ids = [post.put("ann@example.net", body=WHOLE, **NEWS), post.put("bob@example.net", body=WHOLE, **NEWS)]
    plain = post.put("cy@example.net", body=WHOLE)
    delivered(post, *ids, plain)
    sent = dict(zip([id for id, _ in post.courier.tried], post.courier.contents, strict=True))
    assert sent[plain] == WHOLE
    for id, address in zip(ids, ("ann@example.net", "bob@example.net"), strict=True):
        content = sent[id]
        found = re.match(
            rb"List-Unsubscribe: <https://leave\.example\.com/mail/u/([\w-]+)>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            rb"From: me@example.com\r\nSubject: x\r\n\r\nhello\r\n\Z",
            content,
        )
        assert found, content
        assert opened(found[1].decode(), keys_of(root)) == UnsubscribeToken(id, "news", address)


def test_a_large_message_has_one_too(post: Post) -> None:
    post.change(links=UnsubscribeLinks(post.spool.root, "https://leave.example.com"))
    id = post.put("ann@example.net", body=WHOLE + b"a line\r\n" * 30_000, **NEWS)
    delivered(post, id)
    assert post.courier.contents[0].startswith(b"List-Unsubscribe: <https://leave.example.com/u/")


def test_what_cannot_have_its_link_waits(post: Post) -> None:
    """Without an address of ours, or with a key that is none, it does not leave without a link, and does not bounce."""
    root = Path(post.spool.root)
    post.change(links=UnsubscribeLinks(str(root), ""))
    id = post.put("ann@example.net", body=WHOLE, **NEWS)

    async def scenario() -> None:
        async with post.running():
            await post.settled(id, "deferred")
            (root / "unsubscribe.key").write_text("none")
            post.change(links=UnsubscribeLinks(str(root), "https://leave.example.com"))
            post.advance(100.0)
            await post.until("tried again", lambda: len(outcomes(post)) > 1)

    run(scenario())
    first, second = outcomes(post)[:2]
    assert (first.verdict, first.scope, first.cause) == ("defer", "us", Cause.UNSIGNED)
    assert "submission.public_url is not set" in first.text
    assert "unsubscribe.key" in second.text
    assert post.courier.tried == []
