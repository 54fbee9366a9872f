from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.position import Problem
from llmstack.domain.secret import Secret
from llmstack.domain.service import Placement
from llmstack.errors import SecretError
from llmstack.inventory import secrets

Mistaken = Callable[..., list[Problem]]
Placed = Callable[..., Placement]


def token(placement: Placement) -> Secret:
    secret = placement.service.env["TOKEN"]
    assert isinstance(secret, Secret)
    return secret


def text(reference: str) -> str:
    return f"llmstack: 1\nmodels: {{m: {{type: x, env: {{TOKEN: {reference}}}}}}}\n"


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_secret_of_the_environment_is_read_late_and_never_shown(placed: Placed) -> None:
    placement = placed(text("{from: env, name: HF_TOKEN}"), {"HF_TOKEN": "s3cr3t"})
    assert token(placement).reveal() == "s3cr3t"
    assert "s3cr3t" not in repr(placement)
    assert token(placement).reference == "env:HF_TOKEN"


@pytest.mark.parametrize("environ", [{}, {"HF_TOKEN": ""}])
def test_a_missing_secret_is_no_mistake_until_it_is_needed(placed: Placed, environ: dict[str, str]) -> None:
    secret = token(placed(text("{from: env, name: HF_TOKEN}"), environ))
    with pytest.raises(SecretError, match="secret env:HF_TOKEN is not set") as caught:
        secret.reveal()
    assert "export HF_TOKEN=" in (caught.value.hint or "")


def test_a_secret_may_come_from_dotenv(placed: Placed, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=beside\n", encoding="utf-8")
    assert token(placed(text("{from: env, name: HF_TOKEN}"))).reveal() == "beside"


def test_a_secret_of_a_file_is_found_beside_the_inventory(placed: Placed, tmp_path: Path) -> None:
    private(tmp_path / "token", b"s3cr3t\r\n")
    assert token(placed(text("{from: file, path: ./token}"))).reveal() == "s3cr3t"


def test_a_reference_is_filled_in_before_it_is_read(placed: Placed, tmp_path: Path) -> None:
    private(tmp_path / "m.token", b"mine")
    assert token(placed(text("{from: file, path: '${model}.token'}"))).reveal() == "mine"


def test_options_may_hold_secrets(placed: Placed) -> None:
    text_ = "llmstack: 1\nmodels: {m: {type: x, options: {key: {from: env, name: K}}}}\n"
    assert placed(text_, {"K": "v"}).service.options["key"].reveal() == "v"


def test_a_file_that_everybody_can_read_is_refused(placed: Placed, tmp_path: Path) -> None:
    secret = token(placed(text("{from: file, path: token}")))
    private(tmp_path / "token", b"x").chmod(0o604)
    with pytest.raises(SecretError, match="readable by everybody") as caught:
        secret.reveal()
    assert caught.value.hint == f"chmod 600 {tmp_path}/token"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is not there"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "no UTF-8"),
        (b"a\0", "is empty, too long"),
        (b"a" * 70_000, "too long"),
    ],
)
def test_a_file_without_a_usable_secret_says_why(
    placed: Placed, tmp_path: Path, content: bytes | None, why: str
) -> None:
    if content is not None:
        private(tmp_path / "token", content)
    with pytest.raises(SecretError, match=why) as caught:
        token(placed(text("{from: file, path: token}"))).reveal()
    assert caught.value.data == {"reference": "file:token"}


def test_a_file_that_cannot_be_read_says_so(placed: Placed) -> None:
    with pytest.raises(SecretError, match="cannot be read: Input/output error"):
        token(placed(text("{from: file, path: /proc/self/mem}"))).reveal()


def command(script: str) -> str:
    return text(f"{{from: command, argv: [{sys.executable}, -c, {script!r}]}}")


def test_a_secret_of_a_command_is_its_output_without_the_last_line_break(placed: Placed) -> None:
    secret = token(placed(command("print(40 + 2)")))
    assert secret.reveal() == "42"
    assert secret.reference == f"command:{shlex.join([sys.executable, '-c', 'print(40 + 2)'])}"


def test_a_command_is_given_no_shell(placed: Placed) -> None:
    assert token(placed(text("{from: command, argv: [echo, $HOME, ;, '$(id)']}"))).reveal() == "$HOME ; $(id)"


def test_a_command_that_fails_says_so_and_shows_nothing_of_its_output(placed: Placed) -> None:
    with pytest.raises(SecretError, match="ended with exit code 3") as caught:
        token(placed(command("import sys; sys.stdout.write(chr(115) * 5); sys.exit(3)"))).reveal()
    assert "sssss" not in str(caught.value.as_json())


def test_a_command_that_is_not_installed_is_named(placed: Placed) -> None:
    with pytest.raises(SecretError, match="cannot be run: No such file") as caught:
        token(placed(text("{from: command, argv: [no-such-program-here]}"))).reveal()
    assert caught.value.hint == "install no-such-program-here"


def test_a_command_that_hangs_is_ended(placed: Placed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(SecretError, match="did not come within"):
        token(placed(text("{from: command, argv: [sleep, '60']}"))).reveal()


@pytest.mark.parametrize(
    ("reference", "code", "message"),
    [
        ("{from: vault, name: x}", "E013", "env.TOKEN.from should be env, file or command"),
        ("{from: [env], name: x}", "E013", "env.TOKEN.from should be env, file or command"),
        ("{from: env}", "E011", "env.TOKEN has no name"),
        ("{from: env, name: [x]}", "E013", "env.TOKEN.name should be text"),
        ("{from: env, name: x, nmae: y}", "E012", "unknown key 'nmae' in models.m.env.TOKEN"),
        ("{from: file, name: x}", "E012", "unknown key 'name' in models.m.env.TOKEN"),
        ("{from: command, argv: pass show}", "E013", "env.TOKEN.argv should be a list"),
        ("{from: command, argv: []}", "E013", "env.TOKEN.argv should be a list"),
        ("{from: command, argv: [a, [b]]}", "E013", "env.TOKEN.argv should be a list"),
    ],
)
def test_a_wrong_reference_is_a_mistake(mistaken: Mistaken, reference: str, code: str, message: str) -> None:
    assert any(problem.code == code and message in problem.message for problem in mistaken(text(reference)))


def test_a_secret_has_no_place_outside_env_and_options(mistaken: Mistaken) -> None:
    (problem,) = mistaken("llmstack: 1\nmodels: {m: {type: x, image: {from: env, name: K}}}\n")
    assert problem.message == "models.m.image should be the name of an image"
