"""
A place for pickles that nobody else has written.

Estimates are kept as pickles, and to read a pickle is to run what its writer wants. A study may come from others, with
a folder of kept estimates in it; so the place of ours has a name that only this user's key gives, bound to where it is.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

KEY_BYTES = 32


def private_place(folder: Path) -> Path | None:
    """
    Name a folder below another by a key that only this user has.

    Parameters
    ----------
    folder
        Where estimates may be kept.

    Returns
    -------
    None where the key can neither be read nor made: then nothing is kept.
    """
    try:
        key = _key()
    except (OSError, RuntimeError):  # no home, or none that can be written
        return None
    if len(key) != KEY_BYTES:
        return None
    name = hmac.new(key, os.fsencode(os.path.realpath(folder)), hashlib.sha256).hexdigest()
    return folder / f"estimates-{name[:32]}"


def _key() -> bytes:
    """Read the key of this user, made at its first use."""
    home = os.environ.get("XDG_CONFIG_HOME")
    place = (Path(home) if home else Path.home() / ".config") / "tradelift"
    path = place / "key"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=place) as new:  # readable by this user alone
            new.write(secrets.token_bytes(KEY_BYTES))
            new.flush()
            with suppress(FileExistsError):  # another process was faster
                os.link(new.name, path)
    return path.read_bytes()
