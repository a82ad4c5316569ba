"""Exchange two folders in one step, where the system can."""

import ctypes
import errno
import os
from pathlib import Path

AT_FDCWD = -100
RENAME_EXCHANGE = 2
CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM)
"""What kernels and file systems answer that have no exchange."""


def exchange(one: Path, other: Path) -> bool:
    """
    Exchange two folders, so that nobody ever finds neither (renameat2 of Linux).

    Parameters
    ----------
    one, other
        Two folders of one file system.

    Returns
    -------
    Whether it was done; False where the system cannot, and then nothing was.

    Raises
    ------
    OSError
        For any other reason.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):  # another system, or an older C library
        return False
    if not rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))
