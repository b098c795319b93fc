"""The nouns of Forestall: frozen dataclasses and protocols, no input or output."""
