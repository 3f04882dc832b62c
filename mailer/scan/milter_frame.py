"""Frames of the milter protocol, version 6 (libmilter/docs and mfdef.h in sendmail's source), and what its two sides agree upon.

A frame is a length in four octets, a letter and data; texts in it end in NUL. What is agreed upon first: which changes the filter may ask
for (`MilterActs`), which steps it wants to be told of, and to which of these it answers (`MilterSteps`).
"""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from .opinion import ScanError

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 6
OLDEST = 2  # that anybody still speaks
LONGEST = (1 << 20) + 1  # octets of a frame that a filter sends; a piece of a body has 64 KB
PIECE = 65535  # octets of a body in one frame

_LENGTH = Struct(">I")
_OFFER = Struct(">III")


class MilterActs(IntFlag):
    """What a filter may ask for at the end of a message (SMFIF_…)."""

    ADD_HEADERS = 0x01
    CHANGE_BODY = 0x02
    ADD_RECIPIENTS = 0x04
    DELETE_RECIPIENTS = 0x08
    CHANGE_HEADERS = 0x10
    QUARANTINE = 0x20
    CHANGE_SENDER = 0x40
    ADD_RECIPIENTS_WITH_PARAMETERS = 0x80
    SET_MACROS = 0x100


class MilterSteps(IntFlag):
    """What is not told (NO_…), what gets no answer (MUTE_…), and what else is agreed upon (SMFIP_…)."""

    NO_CONNECT = 0x01
    NO_HELO = 0x02
    NO_MAIL = 0x04
    NO_RCPT = 0x08
    NO_BODY = 0x10
    NO_HEADERS = 0x20
    NO_EOH = 0x40
    MUTE_HEADERS = 0x80
    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SKIP = 0x400
    MUTE_CONNECT = 0x1000
    MUTE_HELO = 0x2000
    MUTE_MAIL = 0x4000
    MUTE_RCPT = 0x8000
    MUTE_DATA = 0x10000
    MUTE_UNKNOWN = 0x20000
    MUTE_EOH = 0x40000
    MUTE_BODY = 0x80000
    LEADING_SPACE = 0x100000


OFFERED_ACTS = MilterActs(0x1FF)
OFFERED_STEPS = MilterSteps(0x1FF7FF)


class MilterFrame(NamedTuple):
    """A frame: its letter, and what comes with it."""

    letter: str
    data: bytes


def written(letter: str, data: bytes = b"") -> bytes:
    """The frame as it is sent."""
    return _LENGTH.pack(len(data) + 1) + letter.encode() + data


def texts(*each: bytes) -> bytes:
    """Texts as a frame has them, each with its NUL; one that holds a NUL ends there."""
    return b"".join(text.partition(b"\0")[0] + b"\0" for text in each)


def texts_of(data: bytes, least: int) -> list[bytes]:
    """The texts in a frame, at least so many. Raises `ScanError` where the last one does not end."""
    if not data.endswith(b"\0") or data.count(b"\0") < least:
        raise ScanError("the milter sends a text that has no end")
    return data[:-1].split(b"\0")


def number_and_texts(data: bytes, least: int) -> tuple[int, list[bytes]]:
    """The number at the beginning of a frame, and the texts behind it. Raises `ScanError`."""
    if len(data) < 4:
        raise ScanError("the milter sends a frame that is too short")
    return _LENGTH.unpack_from(data)[0], texts_of(data[4:], least)


def offer() -> bytes:
    """The first frame of all: what this side can do."""
    return written("O", _OFFER.pack(VERSION, OFFERED_ACTS, OFFERED_STEPS))


def agreed(data: bytes) -> tuple[int, MilterActs, MilterSteps]:
    """What the filter answers to the `offer`: its version, acts and steps. Raises `ScanError` for what was not offered.

    Names of macros that it wants may come behind that; it gets all that are known in any case.
    """
    if len(data) < _OFFER.size:
        raise ScanError("the milter agrees to nothing")
    version, acts, steps = _OFFER.unpack_from(data)
    if not OLDEST <= version <= VERSION:
        raise ScanError(f"the milter speaks version {version}, which nobody does")
    if acts & ~int(OFFERED_ACTS) or steps & ~int(OFFERED_STEPS):
        raise ScanError(f"the milter takes what was not offered: {acts:#x}, {steps:#x}")
    return version, MilterActs(acts), MilterSteps(steps)


class MilterEar:
    """Takes what a milter sends in pieces of any size, and gives frames."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def hear(self, data: bytes) -> Iterator[MilterFrame]:
        """The frames that are whole now. Raises `ScanError` for a length that no frame has, before it is held."""
        self._kept += data
        while len(self._kept) >= 4:
            length = _LENGTH.unpack_from(self._kept)[0]
            if not 1 <= length <= LONGEST:
                raise ScanError(f"the milter begins a frame of {length} octets")
            if len(self._kept) < 4 + length:
                return
            frame = bytes(self._kept[4 : 4 + length])
            del self._kept[: 4 + length]
            yield MilterFrame(frame[:1].decode("latin-1"), frame[1:])
