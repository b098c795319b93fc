"""The workflow that `forestall init` writes, read by GitHub's own parser. That it does what it says: tests/cli."""

from pathlib import Path

from editor.node import Node


def test_github_can_read_the_workflow(node: Node, project: Path) -> None:
    content = (project / ".github" / "workflows" / "forestall.yml").read_text(encoding="utf-8")
    assert node.run("workflow.mjs", {"name": "forestall.yml", "content": content}) == {
        "errors": [], "jobs": ["rules", "comment"]}


def test_a_wrong_workflow_would_be_found(node: Node, project: Path) -> None:
    content = (project / ".github" / "workflows" / "forestall.yml").read_text(encoding="utf-8")
    for right, wrong in (("runs-on:", "runson:"), ("pull-requests: write", "pull-requests: yes"),
                         ("github.event_name ==", "github.event_name ="), ("actions/checkout@v4", "")):
        assert right in content
        assert node.run("workflow.mjs", {"name": "x.yml", "content": content.replace(right, wrong, 1)})["errors"]
