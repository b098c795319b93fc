"""YAML files to one Rulebook, or to a list of problems."""
