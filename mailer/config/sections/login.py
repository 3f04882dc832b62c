"""The settings of a login, declared once for each section that has one; a section says what stands as an example in it."""

from __future__ import annotations

from ..kinds import COMMAND, SECRET_PATH, VARIABLE
from . import TEXT, Setting

SECRETS = ("password_file", "password_command", "password_env")

OAUTH = ("oauth_endpoint", "oauth_client_id", "oauth_refresh_token_file")
"""What there has to be for tokens; the other keys that begin so are for some providers."""


def password_file(example: str) -> Setting[str]:
    """Where the password is, in a file."""
    return Setting(SECRET_PATH, "A file with the password, which nobody but its owner may read.", "", example=example)


def password_command(example: str) -> Setting[tuple[str, ...]]:
    """What prints the password."""
    sentence = "A command that prints the password. No shell runs it; a word that begins with ~/ is a path in the home directory."
    return Setting(COMMAND, sentence, (), example=example, private=True)


def password_env(example: str) -> Setting[str]:
    """The variable that has the password."""
    return Setting(VARIABLE, "An environment variable with the password.", "", example=example)


def oauth_endpoint() -> Setting[str]:
    """Where tokens come from."""
    return Setting(TEXT, "Where access tokens are fetched, in place of a password.", "", example="https://oauth2.example.com/token")


def oauth_client_id() -> Setting[str]:
    """The name of this program where tokens are fetched."""
    return Setting(TEXT, "What the provider calls this program.", "", example="mailer-123")


def oauth_client_secret_file(example: str) -> Setting[str]:
    """What proves who asks for tokens."""
    return Setting(SECRET_PATH, "A file with the client's secret, if it has one.", "", example=example)


def oauth_refresh_token_file(example: str) -> Setting[str]:
    """What tokens are given out for."""
    return Setting(SECRET_PATH, "A file with the refresh token that the provider gave out.", "", example=example)


def oauth_token_file(example: str) -> Setting[str]:
    """Where the token of this hour is kept."""
    sentence = "A file for the access token, in a directory where the daemon may write."
    return Setting(SECRET_PATH, sentence, "", shown="that of the refresh token with .access behind it", example=example)


def oauth_scope(example: str) -> Setting[str]:
    """What tokens are good for."""
    return Setting(TEXT, "What the token shall allow, if the provider wants to be told.", "", example=example)
