"""What `make probe` is made of: questions to a live Streak, and a report without its content.

names.py        which property names may be printed
shapes.py       JSON values as types and counts
points.py       Question, Answer, Section: what a point is made of
assumptions.py  every assumption in words
people.py pipelines.py lists.py values.py boxes.py history.py more.py keys.py properties.py
                the points: generators that yield questions, without input or output
asking.py       the one road to Streak: the connector's own client, counted
run.py          all points, one after the other
report.py       the report as Markdown
"""
