import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from editor.command import forestall
from editor.language_server import LanguageServer
from editor.node import NODE_MODULES, Node


@pytest.fixture(scope="session")
def node() -> Node:
    """Node with the npm packages of package.json; without them these tests do not run, and say so."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("did not run: there is no node on this machine")
    if not (NODE_MODULES / "yaml-language-server").is_dir():
        pytest.skip("did not run: the npm packages are not there; `make tests/editor/node_modules/.installed`")
    return Node(found)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `forestall init` writes. Tests only read it."""
    folder = tmp_path_factory.mktemp("editor") / "project"
    forestall("init", folder)
    return folder


@pytest.fixture(scope="module")
def editor(node: Node, project: Path) -> Iterator[LanguageServer]:
    """An editor in the new project. It is told of no schema: the files name theirs."""
    with LanguageServer(node.command, project) as server:
        yield server
