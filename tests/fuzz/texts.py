"""Texts and bytes that break readers: values, mutations of lines, encodings."""

from hypothesis import strategies as st

SCALARS = (
    "", "null", "~", "yes", "off", "1e999", ".nan", "-.inf", "0x1F", "1_000", "0o17", "-0", "007", "9" * 400, "1" * 20, "2017-01-01",
    "2017-13", "2017-01-01T00:00:00Z", "12:30:45", "=", "<<", "..", "/", "~/x", "log(x)", "__class__", "a[b]", "1/0",
    "log(" * 300, "a" * 5000, "\u202e", "é", "西安", "💥" * 9, "'", '"', "\\", "%", "@", "`", "\u2028", "\x85", "\ufeff", "nan",
    "inf", "true", "=1+1", "-1", "0.1", "1,5", "1;5", " e0", "e0 ", "E0", "None",
)  # fmt: skip
YAML_BITS = (
    "[", "{", "{a: b", "[1, [2, [3]]]", "!!python/object:os.system x", "!!binary aGk=", "!!set {a}", "!!timestamp x", "!x y",
    "&a [*a]", "*a", "<<: *a", "<<: {a: b}", "\t- x", "? a\n: b", "? [a]\n: b", "? {a: b}\n: c", "---\nname: second", "%YAML 1.1\n---",
    '"\\x00"', '"\\ud800"', '"\\U0010FFFF"', "|\n  x", ">-\n\n", "[" * 1500, "{a: " * 300, "- " * 300, "a: &x 1\nb: *x", "# only a comment",
    "name: a\nname: b", "{name: a, name: b}", "1: 2", "null: 1", "true: 1", "2017-01-01: x", "[a, b]: c", "...",
    "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]",
)  # fmt: skip

scalars = st.sampled_from(SCALARS)
yaml_bits = st.one_of(st.sampled_from(YAML_BITS), scalars, st.text(max_size=12))
places = st.floats(0, 1, exclude_max=True)
mutations = st.lists(
    st.tuples(
        st.sampled_from(("value", "insert", "delete", "double", "indent", "cut", "bytes", "key")), places, yaml_bits
    ),
    max_size=4,
)
junk = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        (b"", b"\n", b"\r\n\r\n", b"\0", b"\xef\xbb\xbf", b"\xff\xfe\x00\x01", b"PAR1", b"PAR1" * 3, b"\x1f\x8b", b"{}")
    ),
)


def mutated(text: str, changes: list[tuple[str, float, str]]) -> bytes:
    """A text after some changes, each at a place from 0 (its begin) to 1 (its end)."""
    content = text.encode()
    for kind, place, token in changes:
        if kind == "bytes":
            at = int(place * len(content))
            content = content[:at] + token.encode("utf-8", "surrogatepass") + b"\xff" + content[at:]
            continue
        lines = content.decode("utf-8", "surrogateescape").split("\n")
        at = int(place * len(lines))
        line = lines[at]
        if kind == "value":
            head, colon, _ = line.partition(":")
            lines[at] = f"{head}{colon} {token}" if colon else line.replace(line.split(",")[-1], token)
        elif kind == "key":
            _, colon, tail = line.partition(":")
            lines[at] = f"{token}{colon}{tail}" if colon else line.replace(line.split(",")[0], token)
        elif kind == "insert":
            lines.insert(at, token)
        elif kind == "delete":
            del lines[at]
        elif kind == "double":
            lines.insert(at, line)
        elif kind == "indent":
            lines[at] = f"\t{line}" if place > 0.5 else f"  {line}"
        else:
            lines = lines[: at + 1]
        content = "\n".join(lines).encode("utf-8", "surrogateescape")
    return content


spelled = st.fixed_dictionaries({
    "lineterminator": st.sampled_from(("\n", "\r\n")),
    "quoting": st.sampled_from((0, 1)),  # where needed, or every field
    "bom": st.booleans(),
    "encoding": st.sampled_from(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16", "gb18030")),
})  # fmt: skip
