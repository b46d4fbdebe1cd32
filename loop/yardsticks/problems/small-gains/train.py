"""Thirty-four switches, each on a line of its own. This is the file that researchers edit.

What each is worth once it is not 0 only `measure.py` knows: ten of them gain as much as one run scatters.
"""

# 01
IDEA_01 = 0


# 02
IDEA_02 = 0


# 03
IDEA_03 = 0


# 04
IDEA_04 = 0


# 05
IDEA_05 = 0


# 06
IDEA_06 = 0


# 07
IDEA_07 = 0


# 08
IDEA_08 = 0


# 09
IDEA_09 = 0


# 10
IDEA_10 = 0


# 11
IDEA_11 = 0


# 12
IDEA_12 = 0


# 13
IDEA_13 = 0


# 14
IDEA_14 = 0


# 15
IDEA_15 = 0


# 16
IDEA_16 = 0


# 17
IDEA_17 = 0


# 18
IDEA_18 = 0


# 19
IDEA_19 = 0


# 20
IDEA_20 = 0


# 21
IDEA_21 = 0


# 22
IDEA_22 = 0


# 23
IDEA_23 = 0


# 24
IDEA_24 = 0


# 25
IDEA_25 = 0


# 26
IDEA_26 = 0


# 27
IDEA_27 = 0


# 28
IDEA_28 = 0


# 29
IDEA_29 = 0


# 30
IDEA_30 = 0


# 31
IDEA_31 = 0


# 32
IDEA_32 = 0


# 33
IDEA_33 = 0


# 34
IDEA_34 = 0
