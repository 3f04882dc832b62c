"""Reports as other hosts write them, for tests: a DSN (RFC 3464), feedback (RFC 5965), an automatic answer (RFC 3834)."""

from __future__ import annotations


def dsn(
    to: str,
    about: str = "you@example.net",
    *,
    status: str = "5.1.1",
    action: str = "failed",
    said: str = "550 5.1.1 no such user",
    original: str = "",
    envid: str = "",
    message_id: str = "",
    return_path: str = "",
    extra: str = "",
) -> bytes:
    """A delivery report to the address `to`, as Postfix writes it."""
    blocks = "Reporting-MTA: dns; mx.example.net\r\n" + (f"Original-Envelope-Id: {envid}\r\n" if envid else "") + "\r\n"
    blocks += f"Original-Recipient: rfc822;{original}\r\n" if original else ""
    blocks += f"Final-Recipient: rfc822; {about}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {said}\r\n"
    header = (f"Return-Path: <{return_path}>\r\n" if return_path else "") + (f"Message-ID: <{message_id}>\r\n" if message_id else "")
    return (
        f"From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'{extra}Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n\r\n'
        f"--b1\r\nContent-Type: text/plain\r\n\r\nI am sorry.\r\n\r\n--b1\r\nContent-Type: message/delivery-status\r\n\r\n{blocks}\r\n"
        f"--b1\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}Subject: a test\r\nFrom: me@here.example\r\n\r\n--b1--\r\n"
    ).encode()


def feedback(to: str, about: str = "", *, mail_from: str = "", message_id: str = "", type: str = "abuse") -> bytes:
    """A complaint to the address `to`, sparse where nothing is given."""
    fields = f"Feedback-Type: {type}\r\nUser-Agent: Feedback/1.0\r\nVersion: 1\r\n"
    fields += (f"Original-Mail-From: <{mail_from}>\r\n" if mail_from else "") + (f"Original-Rcpt-To: <{about}>\r\n" if about else "")
    header = f"Message-ID: <{message_id}>\r\n" if message_id else ""
    return (
        f"From: feedback@isp.example\r\nTo: {to}\r\nSubject: FW: a test\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\r\n\r\n'
        f"--b1\r\nContent-Type: text/plain\r\n\r\nA report.\r\n\r\n--b1\r\nContent-Type: message/feedback-report\r\n\r\n{fields}\r\n"
        f"--b1\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}Subject: a test\r\nFrom: me@here.example\r\n\r\n--b1--\r\n"
    ).encode()


def away(to: str, author: str = "you@example.net") -> bytes:
    """An automatic answer to the address `to`, with an address in it that nobody should take for one that bounced."""
    return (
        f"From: {author}\r\nTo: {to}\r\nSubject: Out of office: a test\r\nAuto-Submitted: auto-replied\r\n\r\n"
        "I am away until Monday. Write to ann@example.net meanwhile.\r\n"
    ).encode()
