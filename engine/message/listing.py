"""The messages of digests: what each thing in one would have said by itself, as one line of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from forestall.engine.message.rendering import message
from forestall.engine.message.story import ListedTask, Story
from forestall.engine.message.templates import render
from forestall.engine.model.delivery import Delivery, Message
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Directory
from forestall.engine.model.rulebook import Rulebook

StoryOf = Callable[[Delivery], Story]


def listing(rulebook: Rulebook, directory: Directory, digest: Delivery, items: Sequence[Delivery],
            story_of: StoryOf) -> Message:
    """The message of a digest; `story_of` tells the story of each of its `items`."""
    labels = {tier.name: tier.label for tier in rulebook.scorecard.tiers}
    story = Story(
        account="", name="", now=Facts("", digest.day, None, None, {}), before=None, days_ago=0, tiers=labels,
        personal=frozenset(), csm=directory.person(digest.person), inside=True,
        tasks=tuple(_listed(rulebook, labels, one, story_of(one)) for one in items))
    return message(digest, render(rulebook.templates[digest.template], story), story, directory)


def _listed(rulebook: Rulebook, labels: Mapping[str, str], item: Delivery, story: Story) -> ListedTask:
    play = rulebook.plays[item.play]
    return ListedTask(render(rulebook.templates[item.template], story).subject, story.name, play.name,
                      labels.get(item.severity, "Unscored"), story.due)
