"""docs/iam.md speaks of every topic and subscription, and gives each to whom the code has use it."""

import re
from pathlib import Path

import pytest

from digiscope_shared.pubsub_topics import DEAD_LETTERS, UPLINK_DEAD, PubsubTopic, Subscription, dead_letter_id

DOCUMENT = (Path(__file__).parents[3] / "docs" / "iam.md").read_text(encoding="utf-8")
BRIDGE = {
    PubsubTopic.CAPTURES,
    PubsubTopic.DEVICE_EVENTS,
    UPLINK_DEAD,
    dead_letter_id(Subscription.RESULTS_BRIDGE),
    dead_letter_id(Subscription.DEVICE_DIRECTIVES_BRIDGE),
}
PUBLISHES = {
    "bridge": BRIDGE,
    "worker": {PubsubTopic.RESULTS, dead_letter_id(Subscription.CAPTURES_WORKER)},
    "fleet": {PubsubTopic.DEVICE_DIRECTIVES, dead_letter_id(Subscription.DEVICE_EVENTS_FLEET)},
}
READS = {
    "bridge": {Subscription.RESULTS_BRIDGE, Subscription.DEVICE_DIRECTIVES_BRIDGE},
    "worker": {Subscription.CAPTURES_WORKER},
    "fleet": {Subscription.DEVICE_EVENTS_FLEET},
}


def row(account: str) -> list[set[str]]:
    return cells(f"| `digiscope-{account}`")


def cells(start: str) -> list[set[str]]:
    line = next(line for line in DOCUMENT.splitlines() if line.startswith(start))
    return [set(re.findall(r"`([a-z-]+)`", cell)) for cell in line.split("|")[2:4]]


@pytest.mark.parametrize("account", PUBLISHES)
def test_the_table_gives_each_account_what_it_uses_and_no_more(account: str) -> None:
    assert row(account) == [PUBLISHES[account], READS[account]]


@pytest.mark.parametrize("account", PUBLISHES)
def test_the_commands_do_what_the_table_says(account: str) -> None:
    loops = re.findall(r"for \w+ in ([a-z -]+); do (publish|read_from) (\w+) \$", DOCUMENT)
    single = [
        (name, verb, who)
        for verb, who, name in re.findall(r"^(publish|read_from) (\w+) ([a-z-]+)$", DOCUMENT, re.MULTILINE)
    ]
    granted = {
        verb: {name for names, v, who in [*loops, *single] if (v, who) == (verb, account) for name in names.split()}
        for verb in ("publish", "read_from")
    }
    assert granted == {"publish": PUBLISHES[account], "read_from": READS[account]}


def test_who_looks_after_dead_letters_reads_all_of_them_and_publishes_where_they_came_from() -> None:
    assert cells("| an operator (`dead-letters`") == [set(PubsubTopic), set(DEAD_LETTERS)]
    (letters,) = re.findall(r"for letters in ([a-z -]+); do", DOCUMENT)
    assert {f"{name}-dead" for name in letters.split()} == set(DEAD_LETTERS)


def test_every_topic_has_a_publisher_and_every_subscription_a_reader() -> None:
    topics = {*PubsubTopic, UPLINK_DEAD, *map(dead_letter_id, Subscription)}
    assert set().union(*PUBLISHES.values()) == topics
    assert set().union(*READS.values()) == set(Subscription)
