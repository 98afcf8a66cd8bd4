"""
Amphora images: a folder each with the agent, the few packages it needs, and the init that starts it.

Built from what is installed beside this process. A folder has its content's digest for a name, is complete from the
moment it has it, and never changes; a tag is a link to one, and later perhaps to another.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from actium_shared.embedded.deadline import Deadline, locked
from actium_shared.errors import PermanentError

_AGENT = "actium_amphora_agent"
_WHOLE_PACKAGES = (_AGENT, "msgpack", "h11")
_SHARED_MODULES = ("__init__.py", "heartbeat.py", "notes.py")
_NAME_DIGITS = 12
_HALF = ".half-made"
_HALF_TAG = ".half-tagged"

BUILD_TIMEOUT_S = 60.0
"""How long to wait for somebody else who is building; a build takes a second on an idle machine."""

_COMPILE_TIMEOUT_S = 30.0
_BYTECODE = "bytecode"
_IN_THE_AMPHORA = "run/amphora/image"
"""Where its init finds the image, less the root: bytecode is looked up by the place of its source."""

_COMPILE = f"""
import compileall, importlib, pkgutil, py_compile, sys
import {_AGENT} as agent
for module in pkgutil.walk_packages(agent.__path__, agent.__name__ + "."):
    importlib.import_module(module.name)
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
sys.exit(not compileall.compile_dir(sys.argv[1], quiet=1, force=True, invalidation_mode=unchecked))
"""
"""
Imports all of the agent, which writes the bytecode of what it uses of the standard library, too: that of its own folder has
documentation in it, 0.8 MB in every amphora. The library's is compared with its source, so an upgraded interpreter compiles
afresh; nobody need compare an image's own, which never changes.
"""


class Images:
    """The images in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self, tag: str | None = None) -> str:
        """
        Make the image unless it exists, let the tag mean it, and give the tag: by default the image's own name.

        Blocks for about a second when there is something to do.

        Raises:
            PermanentError: something that belongs into it is not installed, or cannot be compiled.
        """
        files = dict(_files())
        name = _digest(files)[:_NAME_DIGITS]
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder, Deadline(BUILD_TIMEOUT_S, f"image {name}")):
            if not (self._folder / name).exists():
                self._make(self._folder / name, files)
            if tag:
                self._point(tag, name)
        return tag or name

    def tags(self) -> list[str]:
        """Give all tags, the images' own names included."""
        return sorted(init.parent.name for init in self._folder.glob("[!.]*/init"))

    def _point(self, tag: str, name: str) -> None:
        half = self._folder / _HALF_TAG
        half.unlink(missing_ok=True)
        half.symlink_to(name)
        half.replace(self._folder / tag)

    def _make(self, image: Path, files: dict[str, Path]) -> None:
        half = self._folder / _HALF
        if half.exists():  # its maker was killed
            shutil.rmtree(half)
        for name, source in files.items():
            (half / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, half / name)
        _compile(half, image.name)
        half.rename(image)


def _compile(half: Path, name: str) -> None:
    """Write all bytecode with the interpreter's own hands, which proves as well that the agent can be imported from the image."""
    bytecode, lib = (half / _BYTECODE).absolute(), (half / "lib").absolute()
    options = ("-OO", "-S", "-P", "-X", f"pycache_prefix={bytecode}")
    argv = [sys.executable, *options, "-c", _COMPILE, str(lib)]
    environment = {"PYTHONPATH": str(lib)}
    try:
        subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=True)
    except subprocess.TimeoutExpired as exc:
        raise PermanentError(f"image {name}: its agent was not compiled within {_COMPILE_TIMEOUT_S} s") from exc
    except subprocess.CalledProcessError as exc:
        words = (exc.stdout + exc.stderr).strip()
        raise PermanentError(f"image {name}: its agent cannot be compiled: {words[-1000:]}") from exc
    there = bytecode / _IN_THE_AMPHORA
    there.mkdir(parents=True)
    (bytecode / lib.relative_to("/")).rename(there / "lib")


def _files() -> Iterator[tuple[str, Path]]:
    yield "init", _init()
    shared = _package("actium_shared")
    yield from ((f"lib/actium_shared/{name}", shared / name) for name in _SHARED_MODULES)
    for name in _WHOLE_PACKAGES:
        package = _package(name)
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"lib/{name}/{path.relative_to(package)}", path


def _init() -> Path:
    package = _package(_AGENT)
    places = (package / "init", package.parent / "init")  # as installed, or beside the package in a checkout
    for place in places:
        if place.is_file():
            return place
    raise PermanentError(f"the agent's init is neither {places[0]} nor {places[1]}")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise PermanentError(f"package {name} is not installed, but belongs into every image")
    return Path(next(iter(spec.submodule_search_locations)))


def _digest(files: dict[str, Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())  # bytecode and extensions are the interpreter's
    for name, path in sorted(files.items()):
        try:
            content = path.read_bytes()
        except FileNotFoundError as exc:
            raise PermanentError(f"{path} is missing, but belongs into every image") from exc
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
