"""Importers: what other programs recorded becomes evidence, with what they do not say unknown.

One module a format; each turns files into `Reading`s (one record each), which `runs` grades where
they have no label and makes into runs of the store. A record of samples becomes a pool, as if
`apportion profile` had drawn it; a record of a strategy becomes a live outcome, as if `apportion
measure` had run it. Both name their study: two studies
never count as one (`planner.evidence.gathering`).
"""

from profiling.importers.readings import Given
from profiling.importers.runs import FORMATS, Import, graded, read, store_import

__all__ = ["FORMATS", "Given", "Import", "graded", "read", "store_import"]
