"""Trunks and rules, the SIP service and the carriers: asked, and judged."""

from __future__ import annotations

import asyncio
from collections.abc import MutableSequence
from typing import TYPE_CHECKING

from onhook.doctor.findings import Finding, Unchecked
from onhook.doctor.rules import judge_rules, refusing_trunks
from onhook.doctor.server_probe import Routes
from onhook.doctor.sip_options import judge_carrier, judge_service, options, split_address
from onhook.doctor.trunks import judge_inbound, judge_outbound, trunk_label

if TYPE_CHECKING:
    from onhook.doctor.examination import Order

__all__ = ["check_routes"]

_MOST_CARRIERS = 20


async def check_routes(
    order: Order,
    routes: Routes,
    findings: MutableSequence[Finding],
    unchecked: MutableSequence[Unchecked],
    *,
    explicit: bool = False,
) -> None:
    """Judge trunks and rules; ask the SIP service and the carriers where that was ordered.

    Args:
        order: What is to be looked at.
        routes: What the server told.
        findings: Takes what is found.
        unchecked: Takes what could not be looked at.
        explicit: Whether the agents are known to have names.
    """
    if routes.known:
        trunks, rules = routes.trunks_in, routes.rules_listed
        findings.extend(judge_inbound(trunks, refusing=refusing_trunks(trunks, rules)))
        findings.extend(judge_rules(trunks, rules, explicit=explicit))
        findings.extend(judge_outbound(routes.trunks_out))
        if not (trunks or rules or routes.trunks_out):
            unchecked.append(Unchecked("trunks and rules", "this server has none"))
    else:
        unchecked.append(Unchecked("trunks and rules", "the server does not tell them"))
    await _ask_service(order, findings, unchecked)
    await _ask_carriers(order, routes, findings, unchecked)


async def _ask_service(
    order: Order, findings: MutableSequence[Finding], unchecked: MutableSequence[Unchecked]
) -> None:
    if not order.sip:
        unchecked.append(
            Unchecked(
                "whether SIP is reachable", "--sip HOST:PORT asks it; no API tells where it is"
            )
        )
        return
    service, port = split_address(order.sip)
    answer = await options(service, port, timeout=order.timeout)
    findings.extend(judge_service(order.sip, answer))


async def _ask_callers_carriers(
    order: Order, routes: Routes, findings: MutableSequence[Finding]
) -> None:
    """Ask the hosts that inbound trunks name; most answer no stranger, and that is no fault."""
    hosts = [
        (trunk, address)
        for trunk in routes.trunks_in
        for address in trunk.allowed_addresses
        if "/" not in address and _can_be_asked(address)
    ][:_MOST_CARRIERS]
    answers = await asyncio.gather(
        *(options(*split_address(address), timeout=order.timeout) for _, address in hosts)
    )
    for (trunk, address), answer in zip(hosts, answers, strict=True):
        if answer.status:
            findings.extend(judge_carrier(trunk_label(trunk), address, answer))


async def _ask_carriers(
    order: Order,
    routes: Routes,
    findings: MutableSequence[Finding],
    unchecked: MutableSequence[Unchecked],
) -> None:
    trunks = routes.trunks_out
    if not order.carriers:
        if trunks or routes.trunks_in:
            unchecked.append(Unchecked("whether carriers take REFER", "--carriers asks them"))
        return
    await _ask_callers_carriers(order, routes, findings)
    due = []
    for trunk in trunks[:_MOST_CARRIERS]:
        try:
            due.append((trunk, *split_address(trunk.address)))
        except ValueError:
            continue  # it has its finding
    answers = await asyncio.gather(
        *(options(carrier, port, timeout=order.timeout) for _, carrier, port in due)
    )
    for (trunk, _, _), answer in zip(due, answers, strict=True):
        findings.extend(judge_carrier(trunk_label(trunk), trunk.address, answer))
        if answer.status and not answer.allow:
            unchecked.append(
                Unchecked(f"whether {trunk.address} takes REFER", "it does not say what it takes")
            )


def _can_be_asked(address: str) -> bool:
    try:
        split_address(address)
    except ValueError:
        return False
    return "://" not in address
