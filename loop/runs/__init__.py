"""How a run happens: one execution of the command under one budget and one seed, on this machine.

`local` starts a run and tells how it ended; `warden` is the small process that owns the run's tree of processes;
`output` reads what it prints, `log` keeps it, `environment` says what it may know, `leftovers` cleans up after a crash.
Nothing in here imports anything else of `loop`. This file stays empty of imports: the warden pays for each one.
"""
