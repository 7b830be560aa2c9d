"""The attacks, by name. To add one: a module that lends an `Attempt`, and a line here."""

from __future__ import annotations

from benchmarks.campaign.clients import clients
from benchmarks.campaign.damage import damage
from benchmarks.campaign.disk import full_disks
from benchmarks.campaign.documents import documents
from benchmarks.campaign.doors import doors
from benchmarks.campaign.erasure import erasure
from benchmarks.campaign.forks import forks
from benchmarks.campaign.kills import interrupts, kills, model_kills, server_kills
from benchmarks.campaign.options import options
from benchmarks.campaign.running import Attack
from benchmarks.campaign.sounds import sounds
from benchmarks.campaign.surroundings import surroundings

ATTACKS: dict[str, Attack] = {
    attack.name: attack
    for attack in (
        Attack(name="kills", promise="done or undone, nothing left over", prepare=kills),
        Attack(name="interrupts", promise="the same, and a clean exit code", prepare=interrupts),
        Attack(name="models", promise="a model folder is whole, old or new", prepare=model_kills),
        Attack(name="damage", promise="the same answers, or an error", prepare=damage),
        Attack(name="erasure", promise="removed is gone from every byte", prepare=erasure),
        Attack(name="forks", promise="a forked child is refused, or right", prepare=forks),
        Attack(name="disk", promise="nothing lost on a full disk, and said so", prepare=full_disks),
        Attack(name="sounds", promise="read whole or refused, no impostor in", prepare=sounds),
        Attack(name="documents", promise="read, or refused in a line", prepare=documents),
        Attack(name="options", promise="done, or refused in a line", prepare=options),
        Attack(name="surroundings", promise="the same verdict, or a line", prepare=surroundings),
        Attack(name="doors", promise="every door sees a change at once", prepare=doors),
        Attack(name="servers", promise="acknowledged is there after a kill", prepare=server_kills),
        Attack(name="clients", promise="polite clients are answered rightly", prepare=clients),
    )
}
