"""crypt(3) by SHA-512 and SHA-256, against what other implementations made."""

from __future__ import annotations

import pytest

from mailer.accounts.crypt import sha_crypt


@pytest.mark.parametrize(
    ("password", "kept"),
    [
        # the examples of the specification
        ("Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        # crypt(3) of glibc: an empty one, as long as a digest, longer than one
        ("", "$6$rounds=1000$ab$ibFMAI/Igw53aVaJxJu4wwQmU0jF8lxiKV6mtjRJmbxKnzQU8fIizULiJeSfGn7H54dbRhqwIBpklchs8nlWi."),
        ("x" * 64, "$6$rounds=1000$ab$B4a7wVPcxYqhX.qc6mMXXkkwuQ9Q/j/pkcXX8l29JKKSJu.K46KBPtMI.lGm1IL49ukCD9cQMNFnSAdo/dN8d."),
        ("y" * 65, "$5$rounds=1500$xy./z$w6AHQc0KnyaSOS.fjkKE30h1jqmv25MjDMZultSWw91"),
        ("correct horse", "$5$rounds=1000$saltstring$95Bg/RfV2QriLpMdLPHK9el0Ighm6E3CBqMKzZKgCa2"),
    ],
)
def test_the_right_password_makes_the_record_again(password: str, kept: str) -> None:
    """And no other does."""
    assert sha_crypt(password.encode(), kept) == kept
    assert sha_crypt(password.encode() + b"!", kept) != kept


@pytest.mark.parametrize(
    "kept", ["", "x", "$1$salt$hash", "$6$salt", "$6$rounds=1$salt$hash", "$6$rounds=x$salt$hash", "$6$a$b$c", "$6$rounds=10000000$s$h"]
)
def test_what_is_no_record_is_refused(kept: str) -> None:
    """Before any work is done for it."""
    with pytest.raises(ValueError, match=r"record|rounds|invalid literal"):
        sha_crypt(b"password", kept)
