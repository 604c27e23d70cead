"""A second implementation of the Susurro protocol, version 1, written from `docs/protocol.md` alone.

Each module is named after the sections that it follows and cites their requirements. It is made to check the document and
other implementations, and to be read: it keeps secrets in ordinary Python objects and in plain files of a folder of its
own, so it is no program to entrust a life to.
"""
