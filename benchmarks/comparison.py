# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a network beside its bound and dense peers, interleaved, and says what is left to the bound."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import harness
import workload

# Which kinds of stages do the work of which part of the bound. The bound is given its lists; it makes none.
PARTS = {
    "forward": ["forward"],
    "lists": ["segments", "lists"],
    "backward": ["backward", "reduce", "loss"],
    "optimizer": ["optimizer"],
}


def part_of(kind: str) -> str:
    """The part of the bound that a kind of stage belongs to."""
    return next((part for part, kinds in PARTS.items() if kind in kinds), "other")


def print_remainder(profile: dict, bound: dict[str, float] | None) -> None:
    """Prints the stages of the last step by part, beside the bound's parts."""
    rows = []
    stages = sorted(profile["stages"], key=lambda stage: -stage["host_seconds"])
    for part in [*PARTS, "other"]:
        mine = [stage for stage in stages if part_of(stage["kind"]) == part]
        if not mine:
            continue
        names = ", ".join(f"{stage['name']} {stage['host_seconds'] * 1e3:.1f}" for stage in mine[:6])
        seconds = sum(stage["host_seconds"] for stage in mine)
        given = bound.get(part, 0.0) if bound else None
        cells = ["-", "-"] if given is None else [f"{given * 1e3:.0f}", f"{(seconds - given) * 1e3:+.0f}"]
        rows.append([part, f"{seconds * 1e3:.1f}", *cells, names])
    outside = profile["host"]["seconds"] - sum(stage["host_seconds"] for stage in stages)
    rows.append(["between stages", f"{outside * 1e3:.1f}", "-", "-", ""])
    harness.print_table(["part", "ours, ms", "bound, ms", "left, ms", "stages, ms"], rows)


@dataclass(frozen=True)
class Peer:
    """A program that runs beside ours: a script here that takes the folder of files, and prints seconds."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()

    def run(self, arguments: argparse.Namespace, folder: Path) -> float:
        """Seconds of the best step of a process."""
        command = [arguments.peers_python, Path(__file__).with_name(self.script), folder, *self.arguments]
        command += ["--threads", str(arguments.threads), "--repeat", str(arguments.peer_repeat)]
        return min(map(float, harness.output_of(command, self.name).split()))


def compare_at(
    arguments: argparse.Namespace, activity: float, folder: Path, train: bool, peers: list[Peer]
) -> list[str]:
    """Measures one length of lists; returns the row of the summary."""
    bound = harness.build_bound(arguments, folder)
    ours = harness.Ours.compiled(arguments, workload.NETWORKS[arguments.network], folder, activity, train)
    rounds = 0
    best: tuple[float, dict] | None = None
    parts: dict[str, float] | None = None

    def run_ours() -> float:
        nonlocal rounds, best
        rounds += 1
        ours.draw(rounds)
        seconds, profile = ours.run()
        if best is None or seconds < best[0]:
            best = seconds, profile
        return seconds

    def run_bound() -> float:
        nonlocal parts
        times = harness.run_bound(bound, ours.capacity)
        whole = "step" if train else "forward"
        if parts is None or times[whole] < parts[whole]:
            parts = times
        return times[whole]

    def run_peer(peer: Peer) -> float | None:
        late = arguments.peer_rounds is not None and rounds > arguments.peer_rounds
        return None if late else peer.run(arguments, folder)

    programs: dict[str, Callable[[], float | None]] = {"ours": run_ours}
    if bound:
        programs["bound"] = run_bound
    if arguments.peers_python and arguments.peer_rounds != 0:
        programs |= {peer.name: partial(run_peer, peer) for peer in peers}
    seconds = harness.alternate(programs, arguments.rounds)
    profile = best[1]
    print(f"Lists of {ours.capacity} ({activity:g} %), {arguments.rounds} rounds:")
    harness.print_lists(ours, profile)
    print()
    if parts and not train:
        parts = {"forward": parts["forward"]}
    print_remainder(profile, parts)
    if arguments.profile_dir:
        arguments.profile_dir.mkdir(parents=True, exist_ok=True)
        kind = "training" if train else "inference"
        shutil.copy(folder / "profile.json", arguments.profile_dir / f"{kind}-{activity:g}.json")
    cells = [f"{activity:g} % ({ours.capacity})", harness.middle(seconds["ours"])]
    pairs = [("bound", "ours", "bound"), *((peer.name, peer.name, "ours") for peer in peers)]
    for name, over, under in pairs:
        known = name in seconds
        cells.append(harness.middle(seconds[name]) if known else "-")
        cells.append(harness.ratio(seconds[over], seconds[under]) if known else "-")
    return cells


def compare(description: str, train: bool, peers: list[Peer]) -> None:
    """Entry of training.py and inference.py."""
    parser = harness.options(description)
    harness.add_peer_options(parser, " and ".join(peer.name for peer in peers))
    arguments = parser.parse_args()
    print(f"{workload.NETWORKS[arguments.network]}")
    print(f"{harness.describe_machine()}; {arguments.threads} threads, {arguments.rounds} rounds\n", flush=True)
    for name in ("snn-compile", "snn-run"):
        if not (arguments.bin / name).exists():
            sys.exit(f"there is no {name} in {arguments.bin}: build it, or say --bin=FOLDER")
    rows = []
    for activity in arguments.activity:
        with harness.temporary_folder() as folder:
            rows.append(compare_at(arguments, activity, Path(folder), train, peers))
    print("Seconds of the best step of a round: median of the rounds (range); ratios are taken round by round.\n")
    header = ["lists", "ours, s", "bound, s", "ours / bound"]
    header += [cell for peer in peers for cell in (f"{peer.name}, s", f"{peer.name} / ours")]
    harness.print_table(header, rows)
    print(f"load average at the end {harness.load()}")
