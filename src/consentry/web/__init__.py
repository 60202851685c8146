"""The pages a person sees.

In: a request of somebody who is signed in. Out: a page or a fragment of one, made from queries and services of the
rooms below. Pages parse, call and render; they decide nothing. One module per part of the console.
"""
