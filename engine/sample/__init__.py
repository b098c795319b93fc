"""Made-up histories of B2B customers, to try Forestall on before real data is connected.

Everything in them is invented: the companies, the people, the figures. Addresses end in `.example` or `example.com`.
"""
