"""Archives as streams: cut ones are told, members keep what they are under another name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from llmstack.engines import tars
from llmstack.errors import FetchError


def archive(*members: tuple[str, bytes], format_: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def renamed(data: bytes, first: str, size: int = 700) -> dict[str, bytes]:
    with tars.members(pieces(data, size), "it") as (tar, found):
        again = b"".join([*tars.packed(tar, found, "a", first), tars.END])
    with tarfile.open(fileobj=io.BytesIO(again)) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


LONG = "x" * 300


@pytest.mark.parametrize("size", [1, 511, 512, 100_000])
@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_keep_their_content_under_another_first_name(size: int, format_: int) -> None:
    data = archive(("a/one", b"1" * 513), (f"a/{LONG}/größe", b"2"), ("a/none", b""), format_=format_)
    assert renamed(data, "b", size) == {"b/one": b"1" * 513, f"b/{LONG}/größe": b"2", "b/none": b""}


def test_a_link_follows_its_target_to_the_new_name_and_a_symbolic_one_stays_as_it_is() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind, name, link in ((tarfile.LNKTYPE, "a/hard", f"a/{LONG}"), (tarfile.SYMTYPE, "a/soft", f"../{LONG}")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
    with tars.members([out.getvalue()], "it") as (tar, found):
        again = b"".join([*tars.packed(tar, found, "a", "b"), tars.END])
    with tarfile.open(fileobj=io.BytesIO(again)) as tar:
        assert [(one.name, one.linkname) for one in tar] == [("b/hard", f"b/{LONG}"), ("b/soft", f"../{LONG}")]


def test_facts_that_only_an_extended_header_holds_are_kept() -> None:
    info = tarfile.TarInfo("a/x")
    info.pax_headers = {"SCHILY.xattr.user.note": "kept", "path": "a/x", "mtime": "1700000000.5"}
    data = info.tobuf(tarfile.PAX_FORMAT) + tars.END
    with tars.members([data], "it") as (tar, found):
        again = b"".join([*tars.packed(tar, found, "a", "b"), tars.END])
    with tarfile.open(fileobj=io.BytesIO(again)) as tar:
        (one,) = tar
        assert (one.name, one.mtime, one.pax_headers["SCHILY.xattr.user.note"]) == ("b/x", 1700000000.5, "kept")


def test_an_archive_that_was_cut_anywhere_is_told() -> None:
    data = archive(("a/one", b"1" * 600), ("a/two", b"2" * 600))
    closed = len(data.rstrip(b"\0")) // 512 * 512 + 512
    for end in (*range(0, closed, 256), closed):
        with pytest.raises(FetchError, match=r"^it is "):
            renamed(data[:end], "b")


@pytest.mark.parametrize("name", ["a/../x", "a/b/../../x", "/etc/x", "a/..", "ab/x"])
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(FetchError, match="leads out"):
        renamed(archive((name, b"")), "b")


def test_the_folder_itself_is_its_first_name() -> None:
    assert [tars.moved(name, "a", "b") for name in ("a", "a/", "a/.", "./a/x")] == ["b", "b", "b", "b/x"]
    assert tars.moved("a/x", "a", ".") == "x"
    assert tars.moved("var/lib/x/y", "var/lib", "data") == "data/x/y"


def test_what_has_no_folder_of_its_own_is_packed_into_one() -> None:
    assert tars.moved("./a/b", ".", "now") == tars.moved("a/b", ".", "now") == "now/a/b"
    for name in ("/etc/x", "../x", "a/../../x"):
        with pytest.raises(FetchError, match="leads out"):
            tars.moved(name, ".", "now")
