"""What the recorder says about itself: losses by topic and cause, rates, and why a recording stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper

from dvf_ros.nodes.rates import RateWatch
from dvf_ros.nodes.recording import Recording
from dvf_ros.nodes.taps import Tap

Losses = dict[str, dict[str, int]]


def losses(**counts: Mapping[str, int]) -> Losses:
    """Lost messages as {topic: {cause: number}}, from {cause: {topic: number}}; without the zeros."""
    topics = sorted({topic for by_topic in counts.values() for topic, number in by_topic.items() if number})
    return {
        topic: {cause: by_topic[topic] for cause, by_topic in counts.items() if by_topic.get(topic)} for topic in topics
    }


def diagnose(
    status: DiagnosticStatusWrapper,
    recording: Recording | None,
    taps: Sequence[Tap],
    rates: Mapping[str, RateWatch],
    slow: Sequence[str],
    lost: Losses,
    now_ns: int,
) -> DiagnosticStatusWrapper:
    """Fill in `status`: an error if something is not recorded, a warning for losses and low rates."""
    if recording and recording.error:
        status.summary(DiagnosticStatus.ERROR, recording.error)
    elif problems := [tap.problem for tap in taps if tap.problem]:
        status.summary(DiagnosticStatus.ERROR, "; ".join(problems))
    elif recording and (slow or lost):
        told = [f"'{name}' is below 90 % of its {rates[name].expected:.1f} Hz" for name in slow]
        told += [f"'{name}' lost {sum(causes.values())} messages" for name, causes in lost.items()]
        status.summary(DiagnosticStatus.WARN, f"recording '{recording.folder}'; {'; '.join(told)}")
    else:
        status.summary(DiagnosticStatus.OK, f"recording '{recording.folder}'" if recording else "idle")
    for tap in taps:
        watch = rates[tap.name]
        expected = f" of {watch.expected:.1f}" if watch.expected else ""
        causes = ", ".join(f"{number} {cause}" for cause, number in lost.get(tap.name, {}).items())
        number = sum(lost.get(tap.name, {}).values())
        text = f"{tap.received} received, {watch.rate(now_ns):.1f}{expected} Hz, {number} lost"
        status.add(tap.name, f"{text} ({causes})" if causes else text)
    return status
