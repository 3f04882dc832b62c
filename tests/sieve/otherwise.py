"""Scripts of which we make something else than Pigeonhole does, on purpose."""

from __future__ import annotations

from .pigeonhole import Story

_INBOX: Story = [("file", "INBOX", (), False)]

OTHERWISE: dict[str, tuple[str, Story]] = {
    'if address "return-path" "ann@b.example" { discard; }': ("Return-Path holds an address, RFC 5321 §4.4", [("discard",)]),
    'if string "a" "A" { discard; }': ("without a comparator, case makes no difference in any test, RFC 5228 §2.7.3", [("discard",)]),
    'if header :index 1 :count "eq" "subject" "1" { discard; }': ("a field that is there is counted, RFC 5260 §6", [("discard",)]),
    'if string :matches "a" "*?*" { discard; }': ("one character is one at least", [("discard",)]),
    'set "v" "a"; set "v" "${v}"; fileinto "n${v}";': ("a variable may be set to what it is", [("file", "na", (), False)]),
    'fileinto :copy "A"; fileinto "A";': ("the second cancels the implicit keep, RFC 5228 §2.10.2", [("file", "A", (), False)]),
    'fileinto "$${hex:7b}a}";': ("a folder has a name", [("failed",)]),
    'fileinto "${hex:4 }${HEX: 42}${unicode:00000043}";': ("no folder has a control character in its name", [("wrong", 2)]),
    "fileinto text:\nA\n.\n; keep;": ("no folder has a line end in its name", [("wrong", 2)]),
    'vacation :days 0 "x";': ("days are at least one", [("vacation", "86400", "", ""), *_INBOX]),
    'fileinto "${a.b}";': ("no variable has such a name, and whoever wrote it should know", [("wrong", 2)]),
    "fileinto text:\nno end": ("the line is that in which it begins", [("wrong", 2)]),
}
"""Where we do otherwise: why, and what we make of it."""
