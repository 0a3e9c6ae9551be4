"""One script a data set: raw files as their owners ship them in, one HDF5 store out."""
