//! The waiting room: who waits for what, in which order, and who is inside.
