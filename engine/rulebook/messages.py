"""templates/*.md → templates."""

from __future__ import annotations

from pathlib import Path

from forestall.engine.errors import Location
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.rulebook import Template
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import ScalarNode
from forestall.engine.rulebook.source import MAX_BYTES

SUBJECT = "Subject:"


def read(folder: Path, used: dict[str, list[ScalarNode]], findings: Findings) -> dict[str, Template]:
    """Every template of the folder by name. Says which of those in `used` are missing, and which nobody uses."""
    files = {path.stem: path for path in sorted(folder.glob("*.md"))} if folder.is_dir() else {}
    for name, places in used.items():
        for place in places if name not in files else ():
            findings.say(place.location, "unknown-template", f"there is no template `{name}`.",
                         did_you_mean(name, files) or f"Write the message to {folder / name}.md.")
    templates: dict[str, Template] = {}
    for name, path in files.items():
        found = _template(name, path, findings)
        if found is not None:
            templates[name] = found
        if name not in used:
            findings.warn(Location(str(path)), "unused-template", "no step of playbook.yaml sends this template.",
                          "Use it or delete it.")
    return templates


def _template(name: str, path: Path, findings: Findings) -> Template | None:
    place = Location(str(path), 1, 1)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        findings.say(Location(str(path)), "unreadable-file", f"this file cannot be read: {error.strerror}.",
                     "Check who may read it.")
        return None
    except UnicodeDecodeError:
        findings.say(Location(str(path)), "not-utf-8", "this file is not UTF-8 text.",
                     "Save it with the encoding UTF-8.")
        return None
    if len(content) > MAX_BYTES:
        findings.say(Location(str(path)), "too-large", "this file is larger than 1 MB.", "Write a shorter message.")
        return None
    first, _, rest = text.partition("\n")
    if not first.startswith(SUBJECT) or not first.removeprefix(SUBJECT).strip():
        findings.say(place, "no-subject", "the first line of a template is its subject.",
                     "Write: Subject: … and below it an empty line.")
        return None
    blank, _, body = rest.partition("\n")
    if blank.strip():
        findings.say(Location(str(path), 2, 1), "no-blank-line", "an empty line is missing below the subject.",
                     "Put an empty line between the subject and the message.")
        return None
    if not body.strip():
        findings.say(place, "empty", "this template has a subject but no message.", "Write the message below it.")
        return None
    return Template(name, first.removeprefix(SUBJECT).strip(), body, place)
