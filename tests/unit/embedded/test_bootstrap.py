"""The bootstrap script's parts that need no network: sentences, pip's settings, Debian's hook."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actium_embedded.world import CHECKOUT

SCRIPT = CHECKOUT / "actium"


@pytest.fixture
def actium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("actium_bootstrap", str(SCRIPT))
    spec = importlib.util.spec_from_loader("actium_bootstrap", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(module, "POLICY_SAVED", tmp_path / "policy-rc.d.saved")
    return module


@pytest.mark.parametrize(
    ("pretence", "words"),
    [
        ("sys.version_info = (3, 9, 2, 'final', 0)", "Actium needs Python 3.11 or newer, and this is 3.9"),
        ("sys.platform = 'darwin'", "Actium needs Linux, and this is darwin."),
        ("import os; os.geteuid = lambda: 1000", "Actium needs root for `up`"),
    ],
)
def test_unfit_machine_is_told_so_in_one_sentence(pretence: str, words: str) -> None:
    pretence += "; sys.base_prefix = '/usr'"  # it stays on this Python, and so does the pretence
    code = f"import sys, runpy; {pretence}; sys.argv = ['actium', 'up']; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "kind", "on_host"),
    [
        (["up"], None, True),
        (["up", "--world", "noop"], None, False),
        (["up", "--world=noop"], None, False),
        (["up", "--world", "embedded"], None, True),
        (["status"], "noop", False),
        (["up"], "noop", False),
        (["down", "--wipe"], "embedded", True),
        (["demo"], "noop", True),
        ([], "noop", True),
        (["--help"], None, True),
    ],
)
def test_only_a_world_without_a_network_does_without_root(
    actium: ModuleType, tmp_path: Path, words: list[str], kind: str | None, on_host: bool
) -> None:
    if kind:
        (tmp_path / "world.toml").write_text(f'name = "w"\nkind = "{kind}"\n')
    assert actium.is_on_host(["--world", str(tmp_path), *words]) is on_host


def test_hook_refuses_daemons_while_it_stands_and_goes_afterwards(actium: ModuleType) -> None:
    with actium.daemons_held_back():
        assert subprocess.run([actium.POLICY, "haproxy", "start"], check=False).returncode == 101
    assert not actium.POLICY.exists()


def test_users_own_hook_is_put_back(actium: ModuleType) -> None:
    actium.POLICY.write_text("#!/bin/sh\nexit 104\n")
    actium.POLICY.chmod(0o755)
    with actium.daemons_held_back():
        assert subprocess.run([actium.POLICY], check=False).returncode == 101
    assert actium.POLICY.read_text() == "#!/bin/sh\nexit 104\n"
    assert not actium.POLICY_SAVED.exists()


def test_hook_of_a_killed_bootstrap_defers_to_the_users_and_is_removed_by_the_next(actium: ModuleType) -> None:
    actium.POLICY.write_text("#!/bin/sh\nexit 104\n")
    actium.POLICY.chmod(0o755)
    killed = os.fork()
    if killed == 0:
        actium.daemons_held_back().__enter__()
        os._exit(0)
    os.waitpid(killed, 0)
    assert subprocess.run([actium.POLICY], check=False).returncode == 104
    with actium.daemons_held_back():
        pass
    assert actium.POLICY.read_text() == "#!/bin/sh\nexit 104\n"


def test_settings_of_pip_reach_uv_in_its_words(actium: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "global.index-url='https://index.example/simple'\nglobal.extra-index-url='file:///a file:///b'\n"
    listed += ":env:.find-links='/wheels'\nglobal.timeout='7'\n:env:.timeout='9'\n"
    monkeypatch.setattr(actium, "pip", lambda: ["printf", "%s", listed])
    for name in [name for name in os.environ if name.startswith(("UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(actium.subprocess, "run", _without_last_words(actium.subprocess.run))
    assert actium.settings_of_pip() == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "file:///a file:///b",
        "UV_FIND_LINKS": "/wheels",
        "UV_HTTP_TIMEOUT": "9",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def _without_last_words(run: Callable[..., Any]) -> Callable[..., Any]:
    """`pip config list` becomes a plain printf of the listing above."""
    return lambda command, **options: run(command[:-2], **options)


def test_fingerprint_changes_with_the_lock(actium: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = actium.fingerprint()
    changed = tmp_path / "requirements.lock"
    changed.write_text(actium.LOCK.read_text() + "\n")
    monkeypatch.setattr(actium, "LOCK", changed)
    after = actium.fingerprint()
    assert after["lock"] != before["lock"]
    assert after["packages"] == before["packages"]


@pytest.mark.parametrize(
    ("words", "command"),
    [([], "--help"), (["up"], "up"), (["--world", "/x", "up"], "up"), (["--world=/x", "backend", "list"], "backend")],
)
def test_command_is_found_behind_the_worlds_folder(actium: ModuleType, words: list[str], command: str) -> None:
    assert actium.command_of(words) == command


def test_who_may_not_install_is_told_so_in_one_sentence(
    actium: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actium, "CHECKOUT", tmp_path)
    monkeypatch.setattr(actium, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(actium, "fingerprint", lambda: {"lock": "new", "packages": "new"})
    monkeypatch.setattr(actium.os, "access", lambda *_: False)
    with pytest.raises(actium.BootstrapError, match="may not"):
        actium.install_python_packages()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["env", "networks", "events", "services", "dead-letters"])
def test_what_only_reads_and_asks_needs_no_root(command: str) -> None:
    pretence = "import os; os.geteuid = lambda: 1000; os.execv = lambda *words: print(*words[1])"
    code = f"import sys, runpy; {pretence}; sys.argv = ['actium', {command!r}]; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs root" not in done.stderr


@pytest.mark.parametrize(
    ("build", "systems", "begun_again"),
    [
        ("'--prefix=/home/a/.pyenv'", "/usr/bin/python3", True),
        ("'--enable-optimizations' '--with-lto'", "/usr/bin/python3", False),
        ("'--prefix=/home/a/.pyenv'", "/nowhere/python3", False),
    ],
)
def test_python_without_optimisations_gives_way_to_the_systems(
    actium: ModuleType, monkeypatch: pytest.MonkeyPatch, build: str, systems: str, begun_again: bool
) -> None:
    """Whether the system's own will do is asked of it in earnest, so this needs one that does."""
    if begun_again and not actium.can_be_run_on(systems):
        pytest.skip("no Python of the system that will do")
    began: list[list[str]] = []
    monkeypatch.setattr(actium.sys, "base_prefix", "/home/a/.pyenv")
    monkeypatch.setattr(actium.sysconfig, "get_config_var", lambda _: build)
    monkeypatch.setattr(actium, "SYSTEMS_PYTHON", systems)
    monkeypatch.setattr(actium.os, "execv", lambda _, command: began.append(command))
    actium.run_on_the_systems_python_if_faster(["up", "--world", "noop"])
    assert began == ([[systems, str(SCRIPT), "up", "--world", "noop"]] if begun_again else [])


def test_systems_python_stays(actium: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actium.sys, "base_prefix", "/usr")
    monkeypatch.setattr(actium, "can_be_run_on", lambda _: pytest.fail("there is nothing to ask"))
    actium.run_on_the_systems_python_if_faster([])


def test_what_is_installed_stays_whatever_python_it_is_for(
    actium: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STAMP", "UNFINISHED"):
        monkeypatch.setattr(actium, name, tmp_path / name)
    monkeypatch.setattr(actium, "VENV", tmp_path)
    assert not actium.is_installed()
    (tmp_path / "STAMP").write_text(json.dumps(actium.fingerprint()))
    (tmp_path / "bin").mkdir()
    assert not actium.is_installed(), "its Python is gone"
    (tmp_path / "python3.11").touch(mode=0o755)
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "python3.11")
    assert not actium.is_installed(), "the packages are of another one"
    (tmp_path / "lib" / "python3.11").mkdir(parents=True)
    assert actium.is_installed()
    (tmp_path / "UNFINISHED").touch()
    assert not actium.is_installed()


@pytest.mark.parametrize("python", ["/usr/bin/false", "/nowhere/python3"])
def test_what_cannot_run_us_is_not_taken(actium: ModuleType, python: str) -> None:
    assert not actium.can_be_run_on(python)


def test_every_program_that_the_world_checks_is_installed_by_the_bootstrap(actium: ModuleType) -> None:
    from actium_embedded.preflight import PROGRAMS

    assert PROGRAMS.items() <= actium.PROGRAMS.items()
