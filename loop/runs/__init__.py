"""How a run happens: one execution of the command under one budget and one seed.

`executor` is the promise of any place where runs happen, `local/` keeps it for this machine. `spec` is what a run is to
do and what came of it, `output` reads what it prints, `log` keeps it, `outcome` makes its end a fact of the record.
This file stays empty of imports: the warden pays for each one.
"""
