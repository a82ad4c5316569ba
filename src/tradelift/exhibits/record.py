"""A row of a CSV file."""

Value = str | int | float | None
Record = dict[str, Value]
