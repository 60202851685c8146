"""Permission catalogue, score and explanation.

In: what the inventory holds. Out: a level per permission, and per plugin a score from 0 to 10 whose every point is a stated reason.
"""
