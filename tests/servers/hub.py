"""A model hub of one repository, which answers as the real one is documented to: the list of its files, and redirects
from each file to where its bytes are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.servers.files import FileServer, serving

COMMIT = "c0ffee" * 6 + "c0ff"
GATED = (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted."}, b"{}")
MISSING = (401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}")


@contextmanager
def hub(
    body: bytes, repo: str, paths: Sequence[str], *, gated: bool = False
) -> Iterator[tuple[FileServer, FileServer]]:
    """The hub, and the server of bytes that it sends to; every file has the same bytes."""
    sha256 = hashlib.sha256(body).hexdigest()
    with serving(FileServer(b"")) as front, serving(FileServer(body)) as back:
        front.linked = {"X-Linked-ETag": f'"{sha256}"', "X-Linked-Size": str(len(body)), "X-Repo-Commit": COMMIT}
        lfs = {"sha256": sha256, "size": len(body), "pointerSize": 135}
        siblings = [{"rfilename": path, "size": len(body), "blobId": "b" * 40, "lfs": lfs} for path in paths]
        siblings += [{"rfilename": "README.md", "size": 3, "blobId": "r" * 40}]
        told = {"_id": "1", "id": repo, "modelId": repo, "sha": COMMIT, "private": False, "gated": gated and "manual"}
        listing = json.dumps({**told, "tags": ["gguf"], "downloads": 7, "likes": 1, "siblings": siblings}).encode()
        front.pages[f"/api/models/{repo}"] = (200, {"Content-Type": "application/json"}, listing)
        for path in paths:
            where = f"/{repo}/resolve/{COMMIT}/{path}"
            if gated:
                front.pages[where] = GATED
            else:
                front.redirects[where] = f"{back.url}/{sha256}?Signature=s3cret"
        front.status = 404
        yield front, back
