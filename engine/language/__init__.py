"""The expression language of the rules: text to checked terms, and two evaluators of one meaning."""
