"""The state database: what was decided, what is under way, and the outbox."""

from forestall.engine.store.one_account import AccountRecord, Kept, PassMade
from forestall.engine.store.passes import CommitReport
from forestall.engine.store.rows import destination
from forestall.engine.store.store import Store

__all__ = ["AccountRecord", "CommitReport", "Kept", "PassMade", "Store", "destination"]
