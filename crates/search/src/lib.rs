//! Full-text search over events: an embedded index, kept beside the store and made anew from it when it is gone.
