"""Whether a secret can be read anywhere: in an error, a log, a warning, the text of an object."""

from __future__ import annotations

import base64
import os
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from urllib.parse import quote, quote_plus

from forestall.engine.conformance.surroundings import environment, overheard
from forestall.engine.conformance.trial import Asked, Broken
from forestall.engine.errors import ForestallError

MADE_UP = "forestall-made-up-secret-7Qx/2+z"
_CURE = "Call reveal() where the secret is used, put it into no text, and take it out of what a library says."


def in_use(asked: Asked, names: Iterable[str], read: Callable[[], object]) -> None:
    """Broken when a secret can be read in anything that is written while the source is read, or in how it fails."""
    values = [value for name in names if (value := os.environ.get(name))]
    with overheard() as heard:
        said = _failing(read)
        with suppress(ForestallError):
            said += repr(asked.opened())
        written = heard()
    for value in values:
        if _holds(said, value):
            raise Broken("a secret can be read in an error, or in the text of the source.", _CURE)
        if _holds(written, value):
            raise Broken("a secret can be read in what is logged or printed.", _CURE)


def made_up(asked: Asked, names: Iterable[str], read: Callable[[], object]) -> None:
    """The same with secrets that are wrong: the far side will say no, and that must not be told with the secret."""
    wrong = dict.fromkeys(names, MADE_UP)
    with environment(wrong):
        in_use(asked, wrong, read)


def missing(names: Iterable[str], read: Callable[[], object]) -> None:
    """Broken when a secret that is not set ends in anything else than a sentence with its name."""
    for name in names:
        with environment({name: None}):
            try:
                read()
            except ForestallError as error:
                if name not in str(error):
                    raise Broken(f"without {name} it says something else: {error}",
                                 "Let the error of reveal() through.") from None
            except Exception as error:
                raise Broken(f"without {name} it ends in {type(error).__name__}.",
                             "Let the error of reveal() through.") from None


def _failing(read: Callable[[], object]) -> str:
    """What a person could see when it fails; empty when it does not."""
    try:
        read()
    except Broken:
        raise
    except ForestallError as error:
        return f"{error} {error!r}"      # printed as a sentence, never with its trace
    except Exception as error:
        return "".join(traceback.format_exception(error))
    return ""


def _holds(text: str, value: str) -> bool:
    """Whether a text holds a secret, also as headers and addresses write it."""
    plain = value.encode()
    forms = {value, quote(value), quote(value, safe=""), quote_plus(value), base64.b64encode(plain).decode(),
             plain.hex()}
    # Basic authorization encodes name and secret together: only what does not depend on the length before is compared
    forms |= {base64.b64encode(b" " * before + plain).decode()[4:-4] for before in range(3)}
    return any(form in text for form in forms if len(form) >= 6)
