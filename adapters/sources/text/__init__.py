"""What the words of tickets and conversations say, as columns of their log, for metrics as any other.

`Texts` (declared.py) is the part of a source's settings that names the columns with words, topics and issues. `TextLog`
(log.py) stands between a log and its daily metrics: where a metric asks for `text.sentiment`, it asks the log for the
words instead and works the column out. All of it happens on this machine, row by row: what a row says does not depend
on any other row, nor on when it is read.
"""
