"""A mailbox as a source of facts for Forestall."""
