"""What survives? Groups, models, tasks, controllers, definitions and settings: in SQLite, or in memory (the twin)."""

from antiphon.store.catalog import DocumentCatalog, Stored
from antiphon.store.gauges import MachineGauges
from antiphon.store.memory import MemoryCatalog
from antiphon.store.sqlite import SqliteCatalog

__all__ = ["DocumentCatalog", "MachineGauges", "MemoryCatalog", "SqliteCatalog", "Stored"]
