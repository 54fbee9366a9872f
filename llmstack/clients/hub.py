"""Which file of a Hugging Face repository is meant, and where its bytes are; they are fetched as any other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from llmstack.clients.origin import NOT_IT, Origin
from llmstack.clients.replies import printable
from llmstack.domain.names import is_loopback
from llmstack.domain.units import size
from llmstack.errors import ConfigError, FetchError, LlmstackError, PreflightError

TIMEOUT_S = 20.0
MOST_TOLD = 20
SPLIT = re.compile(r"-\d{5}-of-\d{5}$")
LOGIN = "set HF_TOKEN (huggingface.co/settings/tokens), or `hf auth login`"


class HubFile(NamedTuple):
    """One file of a repository."""

    path: str
    size_bytes: int | None
    sha256: str | None

    @property
    def label(self) -> str:
        """Its quantisation, as well as its name tells it; else its path."""
        found = re.search(r"(?:^|[-_.])((?:UD-)?I?Q\d\w*|BF16|F16|F32|MXFP4\w*)(?=[-.]|$)", self._stem, re.IGNORECASE)
        return found[1].upper() if found else self.path

    @property
    def parts(self) -> int:
        """Into how many files it is split."""
        told = SPLIT.search(self._stem)
        return int(told[0][-5:]) if told else 1

    @property
    def _stem(self) -> str:
        return self.path.rpartition("/")[2].removesuffix(".gguf")

    def is_of(self, quant: str) -> bool:
        """Whether its name has that word, whatever its case."""
        return bool(re.search(rf"(?:^|[-_.]){re.escape(quant)}(?=[-.]|$)", self._stem, re.IGNORECASE))


def pick(files: Sequence[HubFile], repo: str, wanted: str) -> HubFile:
    """PURE: the file that `wanted` (a path, a quantisation, "" for the only one) means. Raises FetchError."""
    models = [each for each in files if each.path.endswith(".gguf") and not re.search(r"mmproj|imatrix", each.path)]
    found = [each for each in models if wanted in (each.path, each.path.rpartition("/")[2])]
    found = found or [each for each in models if each.is_of(wanted) or not wanted]
    if len(found) == 1:
        return found[0]
    if found and found[0].parts > 1 and len({SPLIT.sub("", each.path.removesuffix(".gguf")) for each in found}) == 1:
        what = f"{wanted or 'the model'} of {repo} is split into {found[0].parts} files, which cannot be fetched yet"
        raise _error(what, f"choose one in a single file: {_choices(models)}", "split")
    if not models:
        raise _error(f"{repo} has no GGUF files", "look for a repository that ends in -GGUF", "no_gguf")
    if not found:
        raise _error(f"{repo} has no {wanted}", f"it has: {_choices(models)}", "no_quant")
    told = f"{repo} has {len(found)} files" + (f" of {wanted}" if wanted else ", and none of them is chosen")
    raise _error(told, f"write hf:{repo}: and one of: {_choices(found, paths=bool(wanted))}", "ambiguous")


def _choices(files: Sequence[HubFile], *, paths: bool = False) -> str:
    whole = [each for each in files if each.parts == 1]
    told = [f"{each.path if paths else each.label} ({_size(each.size_bytes)})" for each in whole[:MOST_TOLD]]
    return printable(", ".join(told)) + (", ..." if len(whole) > MOST_TOLD else "") if whole else "nothing"


def _size(size_bytes: int | None) -> str:
    return "size unknown" if size_bytes is None else size(size_bytes)


def hub_origin(item: str, repo: str, wanted: str, sha256: str | None) -> Origin:
    """Where the file is, with its digest and the user's token. Raises FetchError, PreflightError, ConfigError."""
    try:
        import huggingface_hub as hub
    except ImportError:
        message = f"{item}: the package huggingface_hub is not installed"
        raise PreflightError(message, "python -m pip install 'llmstack[hf]'") from None
    endpoint = _endpoint()
    token = hub.get_token()
    api = hub.HfApi(endpoint=endpoint, token=token or False)
    with _told(repo, endpoint, known=token is not None):
        info = api.model_info(repo, files_metadata=True, timeout=TIMEOUT_S)
        told = [
            HubFile(each.rfilename, each.size, each.lfs.sha256 if each.lfs else None) for each in info.siblings or ()
        ]
        file = pick(told, repo, wanted)
        url = hub.hf_hub_url(repo, file.path, revision=info.sha, endpoint=endpoint)
        hub.get_hf_file_metadata(url, token=token, timeout=TIMEOUT_S)
    if sha256 and file.sha256 and file.sha256 != sha256:
        raise _error(f"{file.path} of {repo} has sha256 {file.sha256}, not {sha256}", NOT_IT, "digest")
    return Origin(item=item, url=url, sha256=sha256 or file.sha256, token=token)


def _endpoint() -> str:
    """Of HF_ENDPOINT; what is told by plain http is worth no token. Raises ConfigError."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    parts = urlsplit(endpoint)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return endpoint.rstrip("/")
    raise ConfigError(f"HF_ENDPOINT {printable(endpoint)!r} is not https", "unset it, or give the mirror a certificate")


@contextmanager
def _told(repo: str, endpoint: str, *, known: bool) -> Iterator[None]:
    """What the hub refuses, each with its own way out; `known` tells whether it was given a token."""
    from huggingface_hub import errors

    host = urlsplit(endpoint).netloc
    try:
        yield
    except LlmstackError:
        raise
    except errors.OfflineModeIsEnabled:
        what = f"{repo} is not here, and HF_HUB_OFFLINE forbids to ask"
        raise _error(what, "unset it, or use file:", "offline") from None
    except errors.GatedRepoError:
        ask = f"ask for access at {endpoint}/{repo}" + ("" if known else f", then {LOGIN}")
        raise _error(f"{repo} is gated: its authors decide who may read it", ask, "gated") from None
    except errors.RepositoryNotFoundError:
        login = "your token may not see it" if known else f"if it is private, {LOGIN}"
        raise _error(f"{host} knows no repository {repo}", f"correct its name; {login}", "not_found") from None
    except (errors.EntryNotFoundError, errors.RevisionNotFoundError):
        raise _error(f"{repo} changed while it was read", "run it again", "changed") from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        hint = f"{'your token is not accepted: ' if known else ''}{LOGIN}" if status == 401 else "run it again later"
        again = status is None or status == 429 or status >= 500
        raise _error(f"{host} answered {status} for {repo}", hint, "status", again=again) from error
    except errors.HFValidationError as error:
        raise _error(f"{repo}: {printable(str(error))}", "write hf:ORG/REPO:QUANT", "not_found") from error
    except Exception as error:  # its HTTP library is another one in each release, and has errors of its own
        hint = "look at the network and the proxy; HF_ENDPOINT names another hub"
        raise _error(f"{host} does not answer: {printable(str(error))}", hint, "unreachable", again=True) from error


def _error(what: str, hint: str, kind: str, **data: object) -> FetchError:
    return FetchError(what, hint, kind=kind, **data)
