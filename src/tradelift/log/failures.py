"""What the user can do about a failure of the engine."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tradelift.errors import DataError
from tradelift.log.contract import Columns
from tradelift.log.engine import EngineError
from tradelift.log.files import LogFile

MESSAGES: dict[str, str] = {
    "memory": "The log does not fit within the engine's memory limit, even with spilling. Use a shorter period.",
    "space": "The disk is full: the engine could not spill. Make room where the run's output stands.",
    "overflow": "The amounts of the log are too large: a sum exceeds 9.2e18 minor units. Check the amount column.",
}


def explain(error: EngineError, files: Sequence[LogFile], columns: Columns) -> DataError:
    """Name the file and the remedy, never the engine's own text, which may quote data."""
    if error.kind in MESSAGES:
        return DataError(MESSAGES[error.kind])
    if error.line is not None:
        return DataError(
            f"The log file {error.path} cannot be read: line {error.line} has another number of fields than the "
            "header, an open quote, or text that is not UTF-8. Correct or remove it."
        )
    if error.path is not None:
        return DataError(f"The engine could not read the log file {error.path}. Check that it is whole and in UTF-8.")
    if files[0].database is not None:
        return DataError(f"The table {files[0].database.name} could not be read to its end. Try again.")
    for file in files:
        if not _readable(file, columns):
            return DataError(
                f"The log file {file.path} is corrupt or truncated: its rows cannot be read. Write it anew."
            )
    return DataError(f"The engine could not sum the log's {len(files)} files, though each of them can be read.")


def _readable(file: LogFile, columns: Columns) -> bool:
    """Whether another reader gets through all pages of the mapped columns."""
    names = [name for name in columns.names.values() if name in file.columns]
    try:
        with pq.ParquetFile(file.path) as parquet:
            for _ in parquet.iter_batches(columns=names):
                pass
    except (pa.ArrowException, OSError):
        return False
    return True
