"""Bad input, systematically: one fuzzer for each reader of what strangers, models, files and people write.

Each fuzzer is a property of bytes, `read(data)`: whatever they are, the reader takes them or says one sentence. It is
tried on three sources: a strategy that knows the grammar, changes of the corpus (`corpus/READER/`), and the corpus
itself. `make test` tries some hundred of them, the same ones each time; `make soak` tries each fuzzer for a minute with
new ones, says how many that were, and keeps what breaks as a file of the corpus.
"""
