"""The report of a run: one page that says whether its model can be believed.

The page needs nothing but itself: pictures are part of it, no script and no font is loaded from
elsewhere. It is readable in light and dark, on a telephone and on paper. Every number stands beside
its unit and a sentence for people who have not met it before, and what does not apply to a run is
named with the reason.
"""

from seqmdn.report.write import write_report

__all__ = ["write_report"]
