"""From a YAML file to a study: every mistake at once, each with file, line, column and a suggestion."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tradelift.errors import StudyError
from tradelift.study.model import Study

Location = tuple[int | str, ...]


def read_study(path: str | Path) -> Study:
    """
    Read and validate a study file.

    Parameters
    ----------
    path
        The file; what it names is relative to its folder.

    Raises
    ------
    StudyError
        With every mistake in the file, one a line: file:line:column, the key, what was found and what to do.
    """
    path = Path(path)
    text = _text(path)
    document = _load(path, text)
    content = {**document, "path": path, "folder": path.absolute().parent}
    reserved = [key for key in ("path", "folder") if key in document]
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines = [_mistake(path, document, e) for e in error.errors()]
        lines += [_unknown_key(path, document, (key,)) for key in reserved]
        raise StudyError("\n".join(dict.fromkeys(lines))) from None
    if reserved:
        raise StudyError("\n".join(_unknown_key(path, document, (key,)) for key in reserved))
    return study


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        msg = f"{path}: there is no such study file. `tradelift init DIR` writes one to start from."
    except IsADirectoryError:
        msg = f"{path}: is a folder; name the study file in it, such as {path / 'study.yaml'}."
    except UnicodeDecodeError:
        msg = f"{path}: is not a text file in UTF-8; a study is a YAML file."
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}."
    raise StudyError(msg)


def _load(path: Path, text: str) -> CommentedMap:
    """Parse YAML that has neither tags nor aliases, and positions for every key."""
    try:
        for event in YAML().parse(text):
            what = _not_allowed(event)
            if what is not None:
                mark = event.start_mark
                msg = f"{path}:{mark.line + 1}:{mark.column + 1}  {what} is not allowed; write plain values."
                raise StudyError(msg)
        document = YAML().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        problem = str(error.problem or error.context).split("\n", maxsplit=1)[0]
        msg = f"{path}{where}  this is no valid YAML: {problem}."
        raise StudyError(msg) from None
    except TypeError:  # what ruamel raises where the key of a mapping holds a list
        msg = f"{path}  this is no valid YAML: a key is made of a list or a mapping."
        raise StudyError(msg) from None
    except (YAMLError, ValueError, RecursionError) as error:
        first = (str(error).splitlines() or ["unreadable"])[0]
        msg = f"{path}  this is no valid YAML: {first}."
        raise StudyError(msg) from None
    if document is None:
        msg = f"{path}:1:1  the file is empty; a study needs at least name and transactions or flows."
        raise StudyError(msg)
    if not isinstance(document, CommentedMap):
        msg = f"{path}:1:1  a study is a mapping of keys to values; found {_kind(document)}."
        raise StudyError(msg)
    return document


def _not_allowed(event: Any) -> str | None:
    """What a study may not hold: it is to mean what it seems to mean, and to run nothing."""
    tag, value = getattr(event, "tag", None), str(getattr(event, "value", ""))
    if tag is not None and not _is_core(str(tag)):
        return f"the tag {tag}"
    if type(event).__name__ == "AliasEvent":
        return "an alias"
    if value == "<<" and event.style is None:
        return "the merge key <<"
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return "half of a character (a surrogate)"
    return None


def _is_core(tag: str) -> bool:
    """Tags that YAML itself resolves, and no type of any language."""
    return tag in ("None", "!") or (tag.startswith("tag:yaml.org,2002:") and "/" not in tag)


def _mistake(path: Path, document: CommentedMap, error: Any) -> str:
    location: Location = tuple(error["loc"])
    kind, found = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(path, document, location)
    is_key = "[key]" in location
    steps = tuple(step for step in location if step != "[key]")
    if kind == "missing":
        return _line(path, document, steps[:-1], steps, "is missing; add it")
    if kind == "literal_error":
        choices = [c.strip(" '") for c in str(error["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        name = "unknown key" if is_key else f"'{found}' is not known"
        listed = f"; use one of {', '.join(choices)}" if len(choices) < 12 else ""
        return _line(path, document, steps, steps, f"{name}{listed}.{_suggest(str(found), choices)}")
    said = str(error["msg"]).removeprefix("Value error, ")
    if kind != "value_error":
        said = f"{said[0].lower()}{said[1:]}; found {_kind(found)}"
        if kind == "string_type" and isinstance(found, (int, float)):
            said += ": put it in quotes"
    return _line(path, document, steps, steps, said)


def _unknown_key(path: Path, document: CommentedMap, location: Location) -> str:
    known = _keys_at(location[:-1])
    listed = f" The keys here are {', '.join(known)}." if known else ""
    hint = _suggest(str(location[-1]), known)
    return _line(path, document, location, location, f"unknown key.{hint or listed}")


def _suggest(found: str, known: Sequence[str]) -> str:
    close = get_close_matches(found, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _keys_at(location: Location) -> list[str]:
    """Keys that the mapping at a location may have."""
    model: Any = Study
    for step in location:
        if isinstance(step, str) and isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(step)
            model = _model_in(field.annotation) if field is not None else None
    if model is None:
        return []
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return [name for name, field in fields.items() if not field.exclude]


def _model_in(annotation: Any) -> Any:
    """The model that an annotation holds, through unions, tuples and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def _line(path: Path, document: CommentedMap, location: Location, name: Location, said: str) -> str:
    line, column = _position(document, location)
    key = ".".join(str(step) for step in name)
    return (
        f"{path}:{line + 1}:{column + 1}  {key + ': ' if key else ''}{said}{'' if said.endswith(('.', '?')) else '.'}"
    )


def _position(document: CommentedMap, location: Location) -> tuple[int, int]:
    """Line and column of a key, or of the nearest one above it."""
    here: Any = document
    line, column = 0, 0
    for step in location:
        if isinstance(here, CommentedMap) and step in here:
            line, column = here.lc.key(step)
        elif isinstance(here, CommentedSeq) and isinstance(step, int) and step < len(here):
            line, column = here.lc.item(step)
        else:
            break
        here = here[step]
    return line, column


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    return f"'{value}'"
