"""docs/delta_library.md: the reference of the Delta library, written from its public headers behind a page head that is
written by hand."""

import re
from dataclasses import dataclass, field

from .paths import ROOT

HEADERS = ROOT / "src" / "delta" / "public_headers.txt"
PAGE = ROOT / "docs" / "delta_library.md"
BASE_INITIALIZER = re.compile(r"\)(?:  //.*)? : \w+_\(.*")
MARK = "<!-- From here on written by `./dev docs` from the headers: change those. -->\n"


@dataclass
class Declaration:
    """One documented thing at the level of a namespace."""

    name: str
    comment: str
    code: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """The comment's first sentence."""
        return re.split(r"(?<=[.;:])\s", self.comment.replace("\n", " "), maxsplit=1)[0].rstrip(";:")


def public_headers() -> list[str]:
    return [line for line in HEADERS.read_text().splitlines() if line and not line.startswith("#")]


def _without_bodies(code: list[str]) -> list[str]:
    """A declaration as a user reads it: no private part, no bodies of functions."""
    shown: list[str] = []
    hidden = False
    body_depth = 0
    for line in code:
        if body_depth > 0:
            body_depth += line.count("{") - line.count("}")
            continue
        if re.match(r"\s*(private|protected):", line):
            hidden = True
        elif re.match(r"\s*public:", line):
            hidden = False
        if hidden and line != "};":
            continue
        if re.search(r"\)(?: const)? ?&{0,2}(?: noexcept)?(?: override)? \{", line) or BASE_INITIALIZER.search(line):
            body_depth = max(line.count("{") - line.count("}"), 0)
            line = re.sub(r" \{.*", "", BASE_INITIALIZER.sub(")", line)) + ";"
        shown.append(re.sub(r"\s+// NOLINT.*", "", line))
    while len(shown) > 1 and not shown[-2].strip():
        del shown[-2]
    return shown


def _name_of(line: str) -> str | None:
    """What a declaration's first line declares; None for what nobody calls."""
    if found := re.match(r"#define (\w+)", line):
        return found.group(1)
    if found := re.match(r"(?:struct|enum class|class)(?: \[\[nodiscard\]\])? (\w+)", line):
        return None if line.endswith(";") else found.group(1)
    if found := re.match(r"using (\w+) =", line):
        return found.group(1)
    if found := re.match(r"inline constexpr [\w:]+ (\w+)", line):
        return found.group(1)
    if found := re.match(r"[\w:<>,*& \[\]]*?[ *&](\w+)\(", line):
        return found.group(1)
    return None


def _ends(code: list[str]) -> bool:
    if code[0].startswith("#define"):
        return not code[-1].endswith("\\")
    text = "\n".join(code)
    if code[-1].startswith("template"):
        return False
    if text.count("{") > text.count("}") or text.count("(") > text.count(")"):
        return False
    return code[-1].rstrip().endswith((";", "}"))


def declarations(text: str) -> list[Declaration]:
    """The documented declarations of one header, in its order."""
    found: list[Declaration] = []
    comment: list[str] = []
    code: list[str] = []
    internal_depth = 0
    for line in text.splitlines():
        if internal_depth > 0:
            internal_depth += line.count("{") - line.count("}")
            continue
        if not code:
            if line.startswith("namespace internal {"):
                internal_depth = 1
                continue
            if line.startswith("///"):
                comment.append(line[3:].strip())
                continue
            if not line or re.match(r"#(pragma|include|if|endif)|namespace |}|//", line):
                comment = [] if not line else comment
                continue
        code.append(line)
        if not _ends(code):
            continue
        first = code[1] if code[0].startswith("template") else code[0]
        name = _name_of(first)
        is_type = re.match(r"struct|class|enum", first)
        if name is not None and (comment or is_type or not found):
            code = [code[0].split(")")[0] + ")"] if code[0].startswith("#define") else _without_bodies(code)
            found.append(Declaration(name, "\n".join(comment).strip(), code))
        elif name is not None and not name.endswith(("_INNER", "_IMPL", "_CONCAT")):
            # Declared below another one, whose comment is about both.
            found[-1].code.extend(_without_bodies(code))
        comment, code = [], []
    return found


def reference() -> str:
    parts: list[str] = ["\n## All calls at a glance\n\n| call or type | header | |\n|---|---|---|\n"]
    sections: list[str] = []
    for header in public_headers():
        found = declarations((ROOT / "src" / header).read_text())
        sections.append(f"\n## `<tarn/{header}>`\n")
        for declaration in found:
            summary = declaration.summary().replace("|", "\\|")
            parts.append(f"| `{declaration.name}` | `{header}` | {summary} |\n")
            code = "\n".join(declaration.code)
            about = f"{declaration.comment}\n\n" if declaration.comment else ""
            sections.append(f"\n### {declaration.name}\n\n{about}```cpp\n{code}\n```\n")
    return "".join(parts + sections)


def page() -> str:
    """The page as it should be: its head as it is, the reference anew."""
    head = PAGE.read_text().split(MARK)[0]
    return head + MARK + reference()
