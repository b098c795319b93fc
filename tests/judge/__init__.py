"""The judge of the evaluators: made-up expressions and histories, and where their answers differ.

`author` writes expressions, `histories` and `rules` make up what they are asked about, `batch` puts these together by a
seed, `verdict` compares, `reached` counts what an evaluation came through, `faults` are mistakes that the judge must
find. The forms of evaluation under judgement are listed in `engines/statements.py`.
"""
