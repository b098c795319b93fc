"""The headers of a webhook, signed as in Standard Webhooks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from forestall.adapters.channels.receipts import settings_error
from forestall.engine.model.delivery import Message
from forestall.engine.model.ports import Secret
from forestall.engine.model.token import WEBHOOK_SECRET


@dataclass(frozen=True, slots=True)
class Signature:
    """The secret of `whose` (as forestall.yaml calls it), if there is one."""

    secret: Secret | None
    whose: str

    def signed(self, message: Message) -> dict[str, str]:
        """What stands before the body. ForestallError when the secret is not set or cannot be one."""
        now = datetime.now(UTC)
        headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "forestall",
                   "webhook-id": identifier(message.key), "webhook-timestamp": str(int(now.timestamp()))}
        if self.secret:
            from standardwebhooks import Webhook

            revealed = self.secret.reveal().strip()
            # the library leaves out whatever is no base64 and signs with the rest
            if not WEBHOOK_SECRET.fullmatch(revealed):
                raise settings_error("secret", f"`secret` of the {self.whose} is no base64.",
                                     "Use the whsec_… text that the receiver shows.")
            headers["webhook-signature"] = Webhook(revealed).sign(headers["webhook-id"], now, message.body)
        return headers


def identifier(key: str) -> str:
    """`key` where a header can carry it, else a hash: the same for the same key either way."""
    fits = key.isascii() and key.isprintable() and " " not in key
    return key if fits else hashlib.sha256(key.encode()).hexdigest()
