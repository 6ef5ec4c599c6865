"""Copies of one project on several disks, exchanged through an object store or a shared folder.

A project grows by whole things that never change: lines at the ends of logs, each of which one
copy alone writes; records of masks; files of weights. So a copy that gets them all is the project.
What is new is put into the shared place as objects that are written once (`bundle`), each copy's
under its own name and numbered, and everybody takes in what the others put there (`exchange`). No
object is ever written to twice, so that no two writers can lose each other's work, and no lock is
needed.
"""
