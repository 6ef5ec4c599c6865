"""Beyond one machine: pieces of work on a dask cluster; no other room knows dask."""
