"""What was done to recordings that are not 16 bits, mono and of the asked rate, in words."""

from __future__ import annotations

__all__ = ["Conversions"]

from collections import Counter

from seqmdn.data.conversion import Conversion


class Conversions:
    """Counts what was done to recordings.

    Args:
        rate: Samples a second that was asked for.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.mixed = 0
        self.clipped = 0
        self.with_clipped = 0
        self.rates: Counter[int] = Counter()
        self.widths: Counter[str] = Counter()

    def add(self, done: Conversion) -> None:
        """Counts one recording."""
        self.mixed += done.channels > 1
        self.clipped += done.clipped
        self.with_clipped += done.clipped > 0
        if done.rate != self.rate:
            self.rates[done.rate] += 1
        if done.width != "16 bits":
            self.widths[done.width] += 1

    def said(self) -> list[str]:
        """Says it, a line for each kind of conversion."""
        return [
            f"{self.mixed} recordings mixed down to one channel",
            f"{self.rates.total()} recordings resampled to {self.rate} samples a second"
            + _kinds(self.rates),
            f"{self.widths.total()} recordings requantised to 16 bits" + _kinds(self.widths),
            f"{self.clipped} samples beyond 16 bits cut to the ends of their range, in "
            f"{self.with_clipped} recordings",
        ]

    def attributes(self) -> dict[str, str | int]:
        """Gives it as a store's attributes."""
        return {
            "mixed_down": self.mixed,
            "resampled": f"{self.rates.total()}{_kinds(self.rates)}",
            "requantised": f"{self.widths.total()}{_kinds(self.widths)}",
            "clipped_samples": self.clipped,
        }


def _kinds(counts: Counter[int] | Counter[str]) -> str:
    each = ", ".join(f"{count} from {kind}" for kind, count in sorted(counts.items()))
    return f": {each}" if each else ""
