"""Traits of pairs, as a study writes them: expressions of columns that are parsed and never evaluated here."""

import ast


def check_trait(text: str) -> str:
    """
    Parse an expression; it is never evaluated here.

    Raises
    ------
    ValueError
        With what a trait may be made of.
    """
    try:
        _check(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        msg = f"'{text}' is no trait; use columns, numbers, log(), + - * / and column[side]"
        raise ValueError(msg) from None
    if not trait_columns(text):
        msg = f"'{text}' names no column; a trait is made of columns of regions or pairs"
        raise ValueError(msg)
    return text


def trait_columns(text: str) -> tuple[tuple[str, str | None], ...]:
    """
    List the columns of a trait.

    Parameters
    ----------
    text
        An expression of `Study.traits`.

    Returns
    -------
    Column and side of each, the side None for a column of pairs; each once, in order.
    """
    found: dict[tuple[str, str | None], None] = {}
    _collect(ast.parse(text, mode="eval").body, found)
    return tuple(found)


def _collect(node: ast.AST, found: dict[tuple[str, str | None], None]) -> None:
    match node:
        case ast.BinOp(left=left, right=right):
            _collect(left, found)
            _collect(right, found)
        case ast.UnaryOp(operand=inner) | ast.Call(args=[inner]):
            _collect(inner, found)
        case ast.Name(id=column):
            found[column, None] = None
        case ast.Subscript(value=ast.Name(id=column), slice=ast.Name(id=side)):
            found[column, side] = None


def _check(node: ast.AST) -> None:
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            _check(left)
            _check(right)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            _check(inner)
        case ast.Call(func=ast.Name(id="log"), args=[inner], keywords=[]):
            _check(inner)
        case ast.Name() | ast.Subscript(value=ast.Name(), slice=ast.Name()):
            pass
        case ast.Constant(value=int() | float()):
            pass
        case _:
            raise ValueError
