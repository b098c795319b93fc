"""Slack: an incoming webhook, or an app's token."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any
from urllib.error import URLError

from forestall.adapters.channels.bounded import within
from forestall.adapters.channels.mrkdwn import slack_blocks, slack_text
from forestall.adapters.channels.receipts import answered, refused, retry, retry_after, sent, settings_error, uncertain
from forestall.engine.model.delivery import Message, Receipt
from forestall.engine.model.ports import Secret

TURNS = 3                                # so many times `timeout` is what a whole attempt may take
STRANGE = "the answer is not one of Slack's"
# Slack answers 200 and says in the body what is wrong: for the moment, or with our token
BUSY = ("service_unavailable", "request_timeout", "ratelimited", "rate_limited")
# "It's possible some aspect of the operation succeeded before the error was raised."
PERHAPS = ("internal_error", "fatal_error")
TOKEN = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
         "no_permission", "not_allowed_token_type", "ekm_access_denied")


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """Either `url`, the secret URL of an incoming webhook, or `token`, an app's token with the scope chat:write.

    `timeout` is in seconds. `base_url` is where Slack's API is, for Slack's government cloud.
    """

    url: Secret | None = None
    token: Secret | None = None
    timeout: int = 20
    base_url: str = "https://slack.com/api/"


class SlackChannel:
    """One workspace. A webhook writes into the channel it was made for, a token to any channel or person."""

    Settings = SlackSettings
    recognises_repeats = False

    def __init__(self, name: str, settings: SlackSettings, folder: Path) -> None:
        del folder
        self.name = name
        self._settings = settings
        if (settings.url is None) == (settings.token is None):
            raise settings_error("slack", f"the channel {name} needs either `url` or `token`.",
                                 'Write `url: "${secret:SLACK_URL}"` for an incoming webhook.')
        # the client writes the secret URL to its log when someone turns debugging on; this logger never does
        self._logger = logging.Logger("forestall.slack", logging.ERROR)
        self._logger.disabled = True

    def send(self, message: Message) -> Receipt:
        """Post the message once. ForestallError when the secret is not set."""
        secret = self._settings.url or self._settings.token
        revealed = secret.reveal().strip() if secret else ""
        try:
            blocks = slack_blocks(message, mention=self._settings.token is None)
        except ValueError:
            return refused("the blocks of the message are no JSON list")
        way = self._post if self._settings.token else self._webhook
        late = uncertain("Slack gave no whole answer in time", whole_channel=True)
        try:
            return within(self._settings.timeout * TURNS, lambda: way(message, blocks, revealed), late)
        except (URLError, InvalidURL) as error:
            # urllib says so of what happens before the request is out
            return retry(f"Slack cannot be reached: {_reason(error)}", revealed, whole_channel=True)
        except (OSError, HTTPException) as error:
            return uncertain(f"Slack gave no answer: {_reason(error)}", revealed, whole_channel=True)
        except ValueError as error:
            # it names what it choked on, which may be the URL
            return retry(f"{STRANGE} ({type(error).__name__})", revealed)

    def _webhook(self, message: Message, blocks: list[Any] | None, url: str) -> Receipt:
        from slack_sdk.webhook import WebhookClient

        if not url.startswith(("https://", "http://")):
            raise settings_error("slack", f"the secret of the channel {self.name} is no web address.",
                                 "Set it to the URL that Slack shows for the incoming webhook.")
        client = WebhookClient(url, timeout=self._settings.timeout, logger=self._logger, retry_handlers=[])
        response = client.send(text=slack_text(message, mention=True), blocks=blocks, unfurl_links=False,
                               unfurl_media=False)
        if response.status_code == 200 and response.body.strip() == "ok":
            return sent()
        if 200 <= response.status_code < 300:
            # some gateway's page, or a URL of something else: nothing is wrong with the message
            return retry(f"{STRANGE}: is the URL an incoming webhook's?", whole_channel=True)
        headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
        wait = retry_after(headers.get("retry-after"), datetime.now(UTC))
        detail = f"Slack answered {response.status_code} {response.body}"
        path = url.split("/", 3)[-1]
        if response.status_code == 504:       # some gateway lost patience; Slack may not have
            return uncertain(detail, url, path, whole_channel=True)
        return answered(response.status_code, detail, url, path, wait=wait, whole_channel=True)

    def _post(self, message: Message, blocks: list[Any] | None, token: str) -> Receipt:
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        client = WebClient(token, base_url=self._settings.base_url, timeout=self._settings.timeout,
                           logger=self._logger, retry_handlers=[])
        try:
            response = client.chat_postMessage(channel=message.to, text=slack_text(message, mention=False),
                                               blocks=blocks, unfurl_links=False, unfurl_media=False)
        except SlackApiError as error:
            status = getattr(error.response, "status_code", 0)
            said = str(error.response.get("error") or "") if hasattr(error.response, "get") else ""
            headers = {str(name).lower(): value for name, value in getattr(error.response, "headers", {}).items()}
            wait = retry_after(headers.get("retry-after"), datetime.now(UTC))
            detail = f"Slack answered {status} {said}"
            if said in TOKEN:
                return retry(f"{detail}: check `token` of the channel {self.name}", token, whole_channel=True)
            if status == 200 and not said.replace("_", "").isalnum():
                return retry(STRANGE, whole_channel=True)
            if said in PERHAPS or status == 504:
                return uncertain(detail, token)
            if said in BUSY:
                return retry(detail, token, wait=wait)
            return answered(status, detail, token, wait=wait)
        except SlackClientError as error:
            return retry(f"{STRANGE} ({type(error).__name__})", token)
        return sent(str(response.get("ts") or ""))


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__)
