"""The tables of words and marks of the official scorer (GT-Vision-Lab/VQA, vqaEval.py at a013f00)."""

from __future__ import annotations

import re

MARKS = ';/[]"{}()=+\\_-><@`,?!'
"""Marks that are removed or become a space, in the official order."""

ARTICLES = frozenset(("a", "an", "the"))

NUMBERS = {"none": "0"} | {
    word: str(n)
    for n, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))
}

LONE_STOP = re.compile(r"\.(?!\d)")
"""A full stop that no digit follows. The official pattern means to look behind as well, and does not."""

STOPS = 32
"""Official: a flag stands in the place of the count, so that only the first 32 full stops are removed."""

_FORMS = """
'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't
needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
there're there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're what's what've
when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't
wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
"""

CONTRACTIONS = {
    form[:at] + form[at + 1 :]: form for form in _FORMS.split() for at, letter in enumerate(form) if letter == "'"
} | {"somebody'd": "somebodyd"}
"""A contraction with one apostrophe left out -> the contraction; one entry of the table goes the other way. The keys
of the official table that have capitals are left out: they meet lower-cased words only."""
