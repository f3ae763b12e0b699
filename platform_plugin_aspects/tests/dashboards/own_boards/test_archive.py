"""Archives from outside: whatever they hold, they are read within bounds, or refused with a reason."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.dashboards.own_boards.archive import MAX_BYTES, read_archive
from platform_plugin_aspects.dashboards.own_boards.checks import problems
from platform_plugin_aspects.dashboards.own_boards.export import read_export
from platform_plugin_aspects.dashboards.own_boards.problems import UnusableBoard
from test_utils.own_board import BUSY_DAYS, DASHBOARD, archive, exported


def refusal(data: bytes) -> str:
    with pytest.raises(UnusableBoard) as refused:
        read_archive(data)
    (text,) = refused.value.problems
    return text


def raw(name: str, content: bytes = b"a: 1") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def test_the_files_of_an_export_are_read_without_its_root_folder() -> None:
    files = read_archive(archive(exported()))
    assert list(files)[:2] == ["charts/Most_active_learners_on_a_day_39.yaml", "charts/Units_of_the_course_38.yaml"]
    assert files["metadata.yaml"] == {
        "version": "1.0.0",
        "type": "Dashboard",
        "timestamp": "2026-11-26T15:52:11.332398+00:00",
    }


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + b"x" * 100, b"version: 1.0.0", b"\x00" * 1000])
def test_another_file_is_not_a_zip(data: bytes) -> None:
    assert refusal(data).startswith("The file is not a zip that can be read")


def test_a_file_that_is_too_large_is_not_opened() -> None:
    assert refusal(b"x" * (MAX_BYTES + 1)) == (
        "The file is larger than 4,000,000 bytes. Superset's exports are smaller."
    )


@pytest.mark.parametrize("path", ["/etc/passwd.yaml", "x/../../y.yaml", "..", "x\\..\\y.yaml", "C:/y.yaml"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    assert "which leads out of it" in refusal(raw(path))


def test_a_zip_bomb_is_refused_by_what_it_unpacks_to() -> None:
    bomb = archive({"charts/x.yaml": b"a" * 50_000_000})
    assert len(bomb) < 100_000
    assert refusal(bomb) == "charts/x.yaml is too large: unpacked, a file may have 2,000,000 bytes."


def test_many_large_files_are_refused_together() -> None:
    files = {f"charts/{number}.yaml": b"# " + b"a" * 1_900_000 for number in range(20)}
    assert refusal(archive(files)).startswith("charts/8.yaml is too large")


def test_too_many_files_are_refused() -> None:
    assert refusal(archive({f"charts/{number}.yaml": "a: 1" for number in range(1001)})) == (
        "The zip has 1,001 files. At most 1,000 are read."
    )


def test_two_files_with_one_path_are_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("one/charts/x.yaml", "a: 1")
        target.writestr("two/charts/x.yaml", "a: 2")
    assert refusal(made.getvalue()) == "The zip has two files with the path 'charts/x.yaml'."


def test_other_compressions_are_refused() -> None:
    assert "is compressed in a way" in refusal(archive({"charts/x.yaml": "a: 1"}, zipfile.ZIP_LZMA))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "has YAML aliases"),
        ("&x [*x]", "has YAML aliases"),
        ("a: " + "[" * 50, "is not YAML that Superset writes"),
        ("a: " + "[" * 70 + "]" * 70, "holds more, or stands deeper in itself"),
        ("a: " + "{b: " * 100_000, "holds more, or stands deeper in itself"),
        ("a: [" + "1," * 200_001 + "]", "holds more, or stands deeper in itself"),
        ("!!python/object/apply:os.system ['true']", "is not YAML that Superset writes"),
        ("a: !!binary aGk=", "has a value of a kind"),
        ("a: !!set {b}", "has a value of a kind"),
        ("a: .nan", "has a value of a kind"),
        ("[1, 2]: 3", "is not YAML that Superset writes"),
        ("1.5: 3", "has a key that is not a text"),
        ("a: [", "is not YAML that Superset writes"),
        ("a: 1\n---\nb: 2", "is not YAML that Superset writes"),
        ("a: " + "9" * 10_000, "is not YAML that Superset writes"),
        (b"\xff\xfe\xfd", "not a zip that can be read"),
    ],
)
def test_yaml_that_superset_does_not_write_is_refused(text: Any, words: str) -> None:
    assert words in refusal(archive({"charts/x.yaml": text}))


def test_other_files_are_passed_over() -> None:
    files = {"readme.txt": "x", "charts/list.yaml": [1], "charts/a.yaml": "a: 2020-01-02\n1: b"}
    assert read_archive(archive(files)) == {"charts/a.yaml": {"a": "2020-01-02", "1": "b"}}


def faults(data: bytes) -> list[str]:
    """The texts that are said about an archive."""
    try:
        return list(problems(read_export(data), "aspects_reports", ()))
    except UnusableBoard as refused:
        return [*refused.problems]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(UnusableBoard):
        read_export(data)


@given(st.data())
def test_no_damage_to_an_export_breaks_the_reader(data: st.DataObject) -> None:
    whole = bytearray(archive(exported()))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for damaged in (bytes(whole), bytes(whole[:cut])):
        assert all(faults(damaged))


@given(st.sampled_from([DASHBOARD, BUSY_DAYS, "charts/Units_of_the_course_38.yaml"]), st.data())
def test_no_value_breaks_the_checks(path: str, data: st.DataObject) -> None:
    files = exported()
    place: Any = files[path]
    # Walk to a random place in the file, and put something else there.
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(values)
    assert all(faults(archive(files)))
