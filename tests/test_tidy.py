"""The rules of the house hold."""

from dev_tasks import tidy


def test_no_rule_is_broken():
    assert tidy.problems() == []


def test_the_checks_can_fail(tmp_path, monkeypatch):
    for path, text in {
        "src/base/a.h": '#pragma once\n#include "delta/b.h"\n',
        "src/delta/b.h": "#pragma once\n",
        "src/delta/new_fuzz.cc": "",
        "src/delta/c.cc": '#include "duckdb.hpp"\n#include "base/a.h"\nvoid F() { throw 1; }\n// throw in a comment\n',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(tidy, "ROOT", tmp_path)
    monkeypatch.setattr(
        tidy,
        "tracked",
        lambda *patterns: [
            str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*")) if path.suffix in (".cc", ".h")
        ],
    )
    found = "\n".join(tidy.problems())
    assert "src/base/a.h:2: base/ may not know delta/" in found
    assert "src/delta/c.cc:1: DuckDB headers only in engine/" in found
    assert "src/delta/c.cc:3: 'throw' is banned" in found
    assert "src/delta/new_fuzz.cc: nothing to begin with" in found
    assert "c.cc:4" not in found
