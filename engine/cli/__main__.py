"""`python -m forestall.engine.cli`: the same as the command `forestall`."""

from forestall.engine.cli.main import main

if __name__ == "__main__":
    main()
