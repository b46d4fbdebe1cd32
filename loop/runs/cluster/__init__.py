"""Runs on other machines. A node holds an executor of its own (`agent`), and the supervisor speaks to it over a link.

Nothing here imports Ray but `bridge`, which is a process of its own: a Ray that fails takes no supervisor with it.
"""
