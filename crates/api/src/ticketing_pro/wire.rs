//! Values of the house dialect that more than one resource uses.
