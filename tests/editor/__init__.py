"""What editors and GitHub make of the files that we ship: the language server, ajv and the parser of workflows."""
