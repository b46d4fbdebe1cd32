"""Slots: where runs can happen, when one is ready for the next, and whether a run was spoilt by what is around it.

Rooms: `slot` names the place; `gpus` reads what is on its devices, purely; `readiness` waits until there is room there;
`lost` says why a run says nothing of its experiment. Starts nothing.
"""
