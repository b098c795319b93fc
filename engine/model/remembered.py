"""How long a pass remembers: rules must not ask for more. Apart from the state, because `check` needs only this."""

from __future__ import annotations

# A closed alert is forgotten so many days after it closed; no cooldown may be longer.
ALERTS_REMEMBERED = 400
# So many days of emails to customers are remembered; no limit may look further back.
EMAILS_REMEMBERED = 60
# The starts of each play are remembered for so many days: the blast guard knows by them what is usual.
STARTS_REMEMBERED = 60
